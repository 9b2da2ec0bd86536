"""How long something has stayed as it is, by our own clock alone."""

import threading

from pipeline.clock import Clock


class Steadiness:
    """Remembers when each version was first seen; no clock of anybody else is trusted."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[str, float]] = {}

    def seconds(self, key: str, version: str) -> float:
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
