"""How long something has stayed as it is, by our own clock alone."""

import threading
from collections.abc import Collection, Iterable

from pipeline.clock import Clock


class Steadiness:
    """Remembers when each version was first seen; no clock of anybody else is trusted."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[str, float]] = {}

    def meet(self, keys: Iterable[str]) -> None:
        """Begin to count for all keys that are new, where there is only one version."""
        now = self._clock.monotonic()
        with self._lock:
            for key in keys:
                self._seen.setdefault(key, ("", now))

    def seconds(self, key: str, version: str = "") -> float:
        """Seconds for which the key has had this version; 0 at the first look."""
        now = self._clock.monotonic()
        with self._lock:
            known, since = self._seen.get(key, (version, now))
            if known != version:
                since = now
            self._seen[key] = (version, since)
        return now - since

    def forget(self, key: str) -> None:
        """Drop what is known of a key."""
        with self._lock:
            self._seen.pop(key, None)

    def retain(self, present: Collection[str]) -> None:
        """Drop what is known of all other keys."""
        kept = set(present)
        with self._lock:
            self._seen = {key: seen for key, seen in self._seen.items() if key in kept}
