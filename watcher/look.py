"""One look at a request: what can be decided about it now, without claiming it."""

from collections.abc import Collection
from dataclasses import dataclass

from pipeline.clock import Clock
from pipeline.request import ReferenceFile
from store.bucket import Bucket
from store.errors import InvalidKey, KeyNotFound, MalformedJson, RequestRejected, TooLarge
from watcher.decode import MAX_BYTES
from watcher.references import References
from watcher.seen import FirstLooks
from watcher.steadiness import Steadiness
from watcher.validate import Validator


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A result exists; the request only has to be acknowledged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """Nothing can be decided yet: why, and after how many seconds time alone decides.

    A change of a key in watched may decide it sooner.
    """

    reason: str
    seconds: float
    watched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """Somebody's claim is alive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """The file is no longer there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """To be claimed with this number; a bad request is ready too, it is rejected under a claim.

    alone: an earlier attempt died with its worker, so nothing else may be in hand beside this one.
    """

    attempt: int
    alone: bool = False


Look = Done | Later | Busy | Gone | Ready


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for what may still come, in seconds.

    settle: for the rest of a file that is not whole; reference: for one that is not there.
    """

    settle: float = 30.0
    reference: float = 600.0


class Readiness:
    """Whether a request file and its reference are there and whole."""

    def __init__(
        self, bucket: Bucket, seen: str, validator: Validator, references: References, patience: Patience, clock: Clock
    ) -> None:
        """seen: the prefix of the notes on first looks."""
        self._bucket = bucket
        self._first_looks = FirstLooks(bucket, seen, clock)
        self._validator = validator
        self._references = references
        self._patience = patience
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
        return self._expecting(key, identifier, request.reference_image) if request.reference_image else None

    def settling(self, key: str, name: str) -> Later | Gone | None:
        """Why a file under a decided id may still be written; None if it is whole or will not change."""
        try:
            self._validator.read(name, self._bucket.get(key, MAX_BYTES))
        except KeyNotFound:
            return Gone()
        except MalformedJson as error:
            return self._settling(key, error)
        except (RequestRejected, TooLarge, InvalidKey):
            return None
        return None

    def forget(self, key: str, identifier: str) -> None:
        """Drop what is remembered of a decided request."""
        self._steadiness.forget(key)
        self._first_looks.forget(identifier)

    def doubt(self, reference: ReferenceFile) -> None:
        """Give a reference that could not be decoded the time to settle."""
        self._references.doubt(reference)

    def retain(self, present: Collection[str], pending: Collection[str]) -> None:
        """Drop what is remembered of keys that are gone, and the notes on requests that no longer wait."""
        self._steadiness.retain(present)
        self._references.retain(present)
        self._first_looks.retain(pending)

    def _settling(self, key: str, error: MalformedJson) -> Later | Gone | None:
        # no part of a JSON object is valid JSON, so a file that does not parse may still be being written
        head = self._bucket.head(key)
        if head is None:
            return Gone()
        left = self._patience.settle - self._steadiness.seconds(key, head.version)
        if left <= 0:
            return None
        return Later(reason=f"{error.message}; it may still be written", seconds=left, watched=(key,))

    def _expecting(self, key: str, identifier: str, reference: ReferenceFile) -> Later | None:
        waiting = self._references.look(reference)
        if waiting is None:
            return None
        left = waiting.seconds
        if waiting.missing:
            left = self._patience.reference - self._first_looks.seconds(identifier)
        watched = (key, *self._references.keys(reference))
        return Later(reason=waiting.reason, seconds=left, watched=watched) if left > 0 else None
