"""Holds others to a time, whatever they do with it."""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

from pipeline.clock import Clock

T = TypeVar("T")


class Deadline:
    """A moment some seconds from now."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._end = clock.monotonic() + seconds

    def left(self) -> float:
        """Seconds until the moment; 0 or less when it has passed."""
        return self._end - self._clock.monotonic()


def within(seconds: float, work: Callable[[], T], abandon: Callable[[], None]) -> T | None:
    """What the work returns, or None if that takes longer.

    The work runs in a thread of its own, and is left to itself when its time is over: abandon should
    take from it what it waits for.  The work must not raise and must not return None.
    """
    results: SimpleQueue[T] = SimpleQueue()
    threading.Thread(target=lambda: results.put(work()), name="imagegen-within", daemon=True).start()
    try:
        return results.get(timeout=max(seconds, 0))
    except Empty:
        abandon()
        return None
