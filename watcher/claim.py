"""A claim: the right to work on one request, won by creating a numbered file."""

import re
import uuid
from dataclasses import dataclass

from pydantic import AwareDatetime

from pipeline.clock import Clock
from store.bucket import Bucket
from store.errors import KeyNotFound, RequestRejected
from store.manifest import Document, to_bytes
from watcher.steadiness import Steadiness
from watcher.worker import Worker

_MAX_BYTES = 64 * 1024
_RELEASED = ".released"
_SPENT = ".spent"
_NUMBER = re.compile(r"\.(\d+)(\.released|\.spent)?$")


class ClaimRecord(Document):
    """What stands in a claim file."""

    token: str
    worker: Worker
    claimed_at: AwareDatetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim this worker holds.

    attempt is its number, counted before the work; queued the seconds from the first look to the
    claim.  content is the request's bytes as read after the claim was won; unreadable says why there
    are none.
    """

    name: str
    id: str
    attempt: int
    queued: float
    content: bytes = b""
    unreadable: RequestRejected | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """The attempts at a request so far: the newest number, how many count, whether one is alive.

    died: one of them ended without a word, with its worker.
    """

    newest: int
    counted: int
    alive: bool
    died: bool = False


class Claims:
    """The claim files of an inbox: `<id>.<n>`, created once; a given-back one gets a suffix."""

    def __init__(self, bucket: Bucket, prefix: str, worker: Worker, clock: Clock, lease_seconds: float) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._worker = worker
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._steadiness = Steadiness(clock)

    def attempts(self, identifier: str) -> Attempts:
        """Count the attempts; only the newest can be alive."""
        number, counted, unreleased, alive = 0, 0, 0, False
        while True:
            key = self._key(identifier, number + 1)
            if self._bucket.head(key) is not None:
                counted, unreleased, alive = counted + 1, unreleased + 1, self._is_alive(key)
            elif self._bucket.head(key + _SPENT) is not None:
                counted, alive = counted + 1, False
            elif self._bucket.head(key + _RELEASED) is not None:
                alive = False
            else:
                return Attempts(newest=number, counted=counted, alive=alive, died=unreleased > alive)
            number += 1

    def win(self, identifier: str, number: int) -> bool:
        """Try to create the claim of this number; False if somebody else has it."""
        record = ClaimRecord(token=uuid.uuid4().hex, worker=self._worker, claimed_at=self._clock.now())
        return self._bucket.create(self._key(identifier, number), to_bytes(record))

    def renew(self, claim: Claim) -> bool:
        """Show that the holder is alive; False if the claim was taken over."""
        if self._bucket.head(self._key(claim.id, claim.attempt + 1)) is not None:
            return False
        try:
            self._bucket.touch(self._key(claim.id, claim.attempt))
        except KeyNotFound:
            return False
        return True

    def release(self, claim: Claim, *, counted: bool) -> None:
        """Give the request back; an uncounted attempt does not bring it nearer to its last."""
        key = self._key(claim.id, claim.attempt)
        self._bucket.move(key, key + (_SPENT if counted else _RELEASED))

    def forget(self, identifier: str) -> None:
        """Remove the claims of a decided request; its manifest keeps everybody else away."""
        # by what lies there: somebody who counted before us may have won a number behind a gap
        keys = [key for key in self._bucket.list(self._prefix) if self._id_of(key) == identifier]
        # the newest first, so that whoever dies in between leaves no gap
        for key in sorted(keys, key=_number, reverse=True):
            self._bucket.delete(key)
            self._steadiness.forget(key)

    def ids(self) -> frozenset[str]:
        """Every id that has claims; what is remembered of claims that are gone is dropped."""
        keys = self._bucket.list(self._prefix)
        self._steadiness.retain(set(keys))
        return frozenset(map(self._id_of, keys))

    def _is_alive(self, key: str) -> bool:
        head = self._bucket.head(key)
        if head is None:
            return False
        try:
            record = ClaimRecord.model_validate_json(self._bucket.get(key, _MAX_BYTES))
        except (KeyNotFound, ValueError):
            # a claim that cannot be read uses up its number and is judged by its lease alone
            return self._steadiness.seconds(key, head.version) < self._lease_seconds
        if self._worker.sees_dead(record.worker):
            return False
        return self._steadiness.seconds(key, head.version) < self._lease_seconds

    def _id_of(self, key: str) -> str:
        return _NUMBER.sub("", key[len(self._prefix) :])

    def _key(self, identifier: str, number: int) -> str:
        return f"{self._prefix}{identifier}.{number}"


def _number(key: str) -> int:
    found = _NUMBER.search(key)
    return int(found[1]) if found else 0
