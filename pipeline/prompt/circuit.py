"""Leaves a server alone that fails again and again."""

import threading

from pipeline.clock import Clock


class Circuit:
    """Open after so many failures in a row, for so many seconds; then one call may try.

    Threads share it.  A trial that never says how it went is followed by another after the same time.
    """

    def __init__(self, clock: Clock, *, failures: int = 3, seconds: float = 60.0) -> None:
        self._clock = clock
        self._limit = failures
        self._seconds = seconds
        self._failures = 0
        self._next_trial = 0.0
        self._lock = threading.Lock()

    def admits(self) -> bool:
        """Whether a call may be made now; whoever is admitted says afterwards how it went."""
        with self._lock:
            if self._failures < self._limit:
                return True
            now = self._clock.monotonic()
            if now < self._next_trial:
                return False
            self._next_trial = now + self._seconds
            return True

    def succeeded(self) -> None:
        """The server answered."""
        with self._lock:
            self._failures = 0

    def failed(self) -> bool:
        """The server did not answer; returns whether it is left alone from now on."""
        with self._lock:
            self._failures += 1
            self._next_trial = self._clock.monotonic() + self._seconds
            return self._failures == self._limit
