"""The finds: requests that a scan of the bucket met, announced or not; the truth behind a queue that may forget."""

import random
from collections.abc import Callable, Iterable

from pipeline.clock import Clock
from watcher.cancel import cancelled_id, is_cancel
from watcher.inbox import Found, Inbox
from watcher.stray_cancels import StrayCancels

_TIDY_SECONDS = 3600.0
# tidying lists several prefixes, and the scan that follows is put off for that
_LISTS_OF_A_TIDYING = 5
_JITTER = 0.2


class Finds:
    """Scans at the start and at a jittered interval, so that a fleet does not list the bucket all at once."""

    def __init__(
        self,
        inbox: Inbox,
        cancels: StrayCancels,
        clock: Clock,
        *,
        scan_seconds: float,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """scan_seconds: the shortest time between two lists; 0 switches the scan off.  jitter: from 0 to 1."""
        self._inbox = inbox
        self._cancels = cancels
        self._clock = clock
        self._interval = scan_seconds
        self._jitter = jitter
        self._due = clock.monotonic() if scan_seconds else float("inf")
        self._tidy_at = self._in(_TIDY_SECONDS)
        self._names: dict[str, None] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The request files that were found and not settled since."""
        return tuple(self._names)

    def seconds(self) -> float:
        """Until the next scan is due; 0 when it is."""
        return max(0.0, min(self._due, self._tidy_at) - self._clock.monotonic())

    def are_due(self) -> bool:
        """Whether it is time to scan."""
        return not self.seconds()

    def scan(self) -> set[str]:
        """Find what lies in the inbox now, and return the names that were found before and are gone.

        Raises StoreUnavailable.
        """
        now, gone = self._clock.monotonic(), set[str]()
        if now >= self._due:
            found = self._inbox.scan()
            gone = self._names.keys() - set(found.requests)
            self._names = dict.fromkeys(found.requests)
            self._cancels.attend(found)
            self._due = self._in(self._interval)
        if now >= self._tidy_at:
            self._inbox.tidy()
            self._tidy_at = self._in(_TIDY_SECONDS)
            self._due += _LISTS_OF_A_TIDYING * self._interval
        return gone

    def _in(self, seconds: float) -> float:
        return self._clock.monotonic() + seconds * (1 + _JITTER * self._jitter())

    def settle(self, name: str) -> None:
        """The request needs no look any more."""
        self._names.pop(name, None)

    def settle_cancels(self, names: Iterable[str]) -> None:
        """Put those of some new files aside that cancel what is decided already."""
        for name in filter(is_cancel, names):
            if self._inbox.has(name):
                self._cancels.attend(Found(requests=(), cancels={cancelled_id(name): name}))
