"""Whose turn it is on the GPU: one drawing at a time, and few checkpoint swaps."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from store.errors import ShuttingDown


@dataclass(eq=False, frozen=True, slots=True, kw_only=True)
class _Waiting:
    style: str


class Turnstile:
    """Lets one thread through at a time, in order of arrival except for one preference.

    Whoever wants the style that went through last goes first, at most max_run times in a row while
    somebody else waits; so nobody is overtaken more than max_run times per waiting style.
    """

    def __init__(self, max_run: int = 8) -> None:
        self._max_run = max_run
        self._changed = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._busy = False
        self._last_style: str | None = None
        self._run = 0
        self._closed = False

    @contextmanager
    def turn(self, style: str) -> Iterator[None]:
        """Wait for the turn of a drawing in this style and hold it; raises ShuttingDown once closed."""
        me = _Waiting(style=style)
        with self._changed:
            self._waiting.append(me)
            try:
                self._changed.wait_for(lambda: self._closed or (not self._busy and self._next() is me))
            finally:
                # also when the wait is interrupted: nobody may wait for somebody who is gone
                self._waiting.remove(me)
                self._changed.notify_all()
            self._enter(me)
        try:
            yield
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def close(self) -> None:
        """Send everybody away who has not passed yet; who is drawing finishes."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _next(self) -> _Waiting:
        same = [waiting for waiting in self._waiting if waiting.style == self._last_style]
        if same and self._run < self._max_run:
            return same[0]
        others = [waiting for waiting in self._waiting if waiting.style != self._last_style]
        return (others or same)[0]

    def _enter(self, me: _Waiting) -> None:
        if self._closed:
            raise ShuttingDown
        self._busy = True
        alone = all(waiting.style == me.style for waiting in self._waiting)
        self._run = 1 if me.style != self._last_style or alone else self._run + 1
        self._last_style = me.style
