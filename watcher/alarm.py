"""Tells when to look where nothing tells of new files: after a while, and when somebody rings."""

import random
import threading
from collections.abc import Callable

_LEAST, _MOST = 0.1, 0.3


class Alarm:
    """A doorbell that hears nothing; its waits vary, so that many workers do not list one bucket all at once."""

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        """jitter: from 0 to 1."""
        self._jitter = jitter
        self._rung = threading.Event()

    def start(self) -> None:
        """There is nothing to listen to."""

    def stop(self) -> None:
        """Wake whoever waits."""
        self.ring()

    def ring(self) -> None:
        """Wake whoever waits; safe to call from a signal handler."""
        self._rung.set()

    def wait(self, seconds: float) -> None:
        """Return when rung, or after the time and a tenth to three tenths more."""
        self._rung.wait(self.lengthened(seconds))
        self._rung.clear()

    def lengthened(self, seconds: float) -> float:
        """How long a wait of so many seconds lasts: never less, because each list is paid for."""
        return seconds * (1 + _LEAST + (_MOST - _LEAST) * self._jitter())
