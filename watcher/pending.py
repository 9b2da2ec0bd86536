"""The requests that wait: in which order they came, why they wait, and when to look at them again."""

import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from pipeline.clock import Clock
from watcher.look import Later
from watcher.names import shown

# so few that looking at each of them in every round costs nothing
_FEW = 100
_PEEK_SECONDS = 1.0
_MAX_BACK_OFF = 8

Versions = tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A request that is still in the inbox, and why; seconds: until time alone decides."""

    name: str
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wait:
    reason: str
    until: float
    peek_at: float
    watched: tuple[str, ...]
    versions: Versions


class Waits:
    """Spares the inbox looks that cannot tell anything new; safe to share between threads."""

    def __init__(self, versions: Callable[[Collection[str]], Versions], clock: Clock) -> None:
        """versions: what lies under some keys of the inbox now."""
        self._versions = versions
        self._clock = clock
        self._lock = threading.Lock()
        self._waits: dict[str, _Wait] = {}

    def begin(self, name: str, later: Later, versions: Versions | None = None) -> Pending:
        """Remember why a request waits, from the look that has just said so.

        versions: what lay under the watched keys before that look.
        """
        now = self._clock.monotonic()
        wait = _Wait(
            reason=later.reason,
            until=now + later.seconds,
            peek_at=self._next_peek(now),
            watched=later.watched,
            versions=self._versions(later.watched) if versions is None else versions,
        )
        with self._lock:
            self._waits[name] = wait
        return Pending(name=shown(name), reason=later.reason, seconds=later.seconds)

    def after_attempt(self, name: str, attempt: int) -> None:
        """An attempt has ended: whatever is still in the inbox then waits twice as long each time."""
        pause = 2.0 ** min(attempt, _MAX_BACK_OFF)
        self.begin(name, Later(reason="an attempt has just ended; it is looked at again", seconds=pause))

    def still(self, name: str) -> Pending | None:
        """Why the request still waits; None if it is worth a look."""
        now = self._clock.monotonic()
        with self._lock:
            wait = self._waits.get(name)
            if wait is None:
                return None
            if now >= wait.until or (now >= wait.peek_at and self._versions(wait.watched) != wait.versions):
                del self._waits[name]
                return None
            self._waits[name] = replace(wait, peek_at=max(wait.peek_at, self._next_peek(now)))
        return Pending(name=shown(name), reason=wait.reason, seconds=wait.until - now)

    def forget(self, name: str) -> None:
        """Drop what is remembered of one request."""
        with self._lock:
            self._waits.pop(name, None)

    def wake(self, key: str) -> None:
        """Something came under a key: nobody waits for it any longer."""
        with self._lock:
            for name in [name for name, wait in self._waits.items() if key in wait.watched]:
                del self._waits[name]

    def _next_peek(self, now: float) -> float:
        return now if len(self._waits) < _FEW else now + _PEEK_SECONDS

    def retain(self, present: Collection[str]) -> None:
        """Drop what is remembered of requests that are gone."""
        with self._lock:
            for name in self._waits.keys() - present:
                del self._waits[name]


class Order:
    """The order in which requests were first seen."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def of(self, names: Iterable[str]) -> list[str]:
        """The given names, those seen before first; all others are forgotten."""
        new = dict.fromkeys(names)
        if new.keys() != self._names.keys():
            self._names = {name: None for name in self._names if name in new} | new
        return list(self._names)
