"""One look at a request: what can be decided about it now, without claiming it."""

from dataclasses import dataclass
from datetime import timedelta

from pydantic import AwareDatetime, ValidationError

from pipeline.clock import Clock
from pipeline.request import ReferenceFile
from store.bucket import Bucket
from store.errors import InvalidKey, KeyNotFound, MalformedJson, RequestRejected, TooLarge
from store.manifest import Document, to_bytes
from watcher.decode import MAX_BYTES
from watcher.references import References
from watcher.steadiness import Steadiness
from watcher.validate import Validator


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A result exists; the request only has to be acknowledged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """Nothing can be decided yet: why, and after how many seconds time alone decides."""

    reason: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """Somebody's claim is alive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """The file is no longer there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """To be claimed with this number; a bad request is ready too, it is rejected under a claim."""

    attempt: int


Look = Done | Later | Busy | Gone | Ready


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for what may still come, in seconds.

    settle: for the rest of a file that is not whole; reference: for one that is not there.
    """

    settle: float = 30.0
    reference: float = 600.0


class SeenRecord(Document):
    """When a request that waits for its reference was first looked at; kept over restarts."""

    first_seen: AwareDatetime


class Readiness:
    """Whether a request file and its reference are there and whole."""

    def __init__(
        self, bucket: Bucket, seen: str, validator: Validator, references: References, patience: Patience, clock: Clock
    ) -> None:
        """seen: the prefix of the notes on first looks."""
        self._bucket = bucket
        self._seen = seen
        self._validator = validator
        self._references = references
        self._patience = patience
        self._clock = clock
        self._steadiness = Steadiness(clock)

    def look(self, key: str, name: str, identifier: str) -> Later | Gone | None:
        """None if the request can be drawn or rejected now."""
        try:
            request = self._validator.read(name, self._bucket.get(key, MAX_BYTES))
        except KeyNotFound:
            return Gone()
        except MalformedJson as error:
            return self._settling(key, error)
        except (RequestRejected, TooLarge, InvalidKey):
            return None
        return self._expecting(identifier, request.reference_image) if request.reference_image else None

    def forget(self, key: str, identifier: str) -> None:
        """Drop what is remembered of a decided request."""
        self._steadiness.forget(key)
        self._bucket.delete(self._note(identifier))

    def _settling(self, key: str, error: MalformedJson) -> Later | Gone | None:
        # no part of a JSON object is valid JSON, so a file that does not parse may still be being written
        head = self._bucket.head(key)
        if head is None:
            return Gone()
        left = self._patience.settle - self._steadiness.seconds(key, head.version)
        return Later(reason=f"{error.message}; it may still be written", seconds=left) if left > 0 else None

    def _expecting(self, identifier: str, reference: ReferenceFile) -> Later | None:
        waiting = self._references.look(reference)
        if waiting is None:
            return None
        if not waiting.missing:
            return Later(reason=waiting.reason, seconds=waiting.seconds)
        left = self._patience.reference - self._seconds_since_first_look(identifier)
        return Later(reason=waiting.reason, seconds=left) if left > 0 else None

    def _seconds_since_first_look(self, identifier: str) -> float:
        key, now = self._note(identifier), self._clock.now()
        try:
            first = SeenRecord.model_validate_json(self._bucket.get(key, MAX_BYTES)).first_seen
        except (KeyNotFound, ValidationError):
            # the first look, or a note that a crash of the machine left empty
            self._bucket.put(key, to_bytes(SeenRecord(first_seen=now)))
            return 0.0
        return max(now - first, timedelta()).total_seconds()

    def _note(self, identifier: str) -> str:
        return f"{self._seen}{identifier}.json"
