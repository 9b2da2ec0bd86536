"""When a request was first looked at; the note outlives a restart of the worker."""

import threading
from datetime import timedelta

from pydantic import AwareDatetime, ValidationError

from pipeline.clock import Clock
from store.bucket import Bucket
from store.errors import KeyNotFound
from store.manifest import Document, to_bytes

_MAX_BYTES = 4096


class SeenRecord(Document):
    """What stands in a note."""

    first_seen: AwareDatetime


class FirstLooks:
    """Counts the seconds since the first look at a request, over restarts."""

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
            # the wall clock is asked once, so a step of it later on moves no deadline
            known = (self._noted(identifier), now)
            with self._lock:
                self._known[identifier] = known
        before, since = known
        return before + now - since

    def forget(self, identifier: str) -> None:
        """Remove the note of a decided request."""
        with self._lock:
            self._known.pop(identifier, None)
        self._bucket.delete(self._key(identifier))

    def _noted(self, identifier: str) -> float:
        now = self._clock.now()
        try:
            first = SeenRecord.model_validate_json(self._bucket.get(self._key(identifier), _MAX_BYTES)).first_seen
        except (KeyNotFound, ValidationError):
            # the first look, or a note that a crash of the machine left empty
            self._bucket.put(self._key(identifier), to_bytes(SeenRecord(first_seen=now)))
            return 0.0
        return max(now - first, timedelta()).total_seconds()

    def _key(self, identifier: str) -> str:
        return f"{self._prefix}{identifier}.json"
