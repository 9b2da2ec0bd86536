"""Tells when to look where nothing tells of new files: after a while, and when somebody rings."""

import random
import threading

_LONGEST = 1.25


class Alarm:
    """A doorbell that hears nothing; its waits vary, so that many workers do not list one bucket all at once."""

    def __init__(self) -> None:
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
        """Return when rung, or after so many seconds to a quarter more of them."""
        # jitter, not secrecy
        self._rung.wait(seconds * random.uniform(1.0, _LONGEST))  # noqa: S311
        self._rung.clear()
