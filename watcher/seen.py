"""When a request was first looked at; the note outlives a restart of the worker."""

import threading
from collections.abc import Collection

from pipeline.clock import Clock
from store.bucket import Bucket

_NOW = "now"
_SUFFIX = ".json"


class FirstLooks:
    """Counts the seconds since the first look at a request, over restarts.

    Only times that the store itself has set are compared: the clocks of machines differ, and are set.
    """

    def __init__(self, bucket: Bucket, prefix: str, clock: Clock) -> None:
        """prefix: where the notes lie."""
        self._bucket = bucket
        self._prefix = prefix
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, float]] = {}

    def seconds(self, identifier: str) -> float:
        """Seconds since the first look of any worker; 0 when this is the first."""
        now = self._clock.monotonic()
        with self._lock:
            known = self._known.get(identifier)
        if known is None:
            known = (self._noted(identifier), now)
            with self._lock:
                self._known[identifier] = known
        before, since = known
        return before + now - since

    def forget(self, identifier: str) -> None:
        """Remove the note of a request that waits no longer."""
        with self._lock:
            self._known.pop(identifier, None)
        self._bucket.delete(self._key(identifier))

    def retain(self, identifiers: Collection[str]) -> None:
        """Remove the notes of all other requests: should one come again, it has its whole time again."""
        noted = {
            key.removeprefix(self._prefix).removesuffix(_SUFFIX)
            for key in self._bucket.list(self._prefix)
            if key.endswith(_SUFFIX)
        }
        with self._lock:
            noted |= self._known.keys()
        for identifier in noted.difference(identifiers):
            self.forget(identifier)

    def _noted(self, identifier: str) -> float:
        if self._bucket.create(self._key(identifier), b""):
            return 0.0
        self._bucket.put(self._prefix + _NOW, b"", durable=False)
        note, now = self._bucket.head(self._key(identifier)), self._bucket.head(self._prefix + _NOW)
        if note is None or now is None:
            # removed this moment: the request was decided
            return 0.0
        return max((now.modified - note.modified).total_seconds(), 0.0)

    def _key(self, identifier: str) -> str:
        return f"{self._prefix}{identifier}{_SUFFIX}"
