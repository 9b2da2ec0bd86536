"""A claim: the right to work on one request, won by creating a numbered file."""

import re
import threading
import uuid
from dataclasses import dataclass

from pydantic import AwareDatetime

from pipeline.clock import Clock
from store.bucket import Bucket
from store.errors import KeyNotFound, RequestRejected, StoreError
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
        self._lock = threading.Lock()
        # claims of ours that nobody works on, because the store failed when they were to be given back
        self._owed: dict[tuple[str, int], str] = {}

    def attempts(self, identifier: str) -> Attempts:
        """Count the attempts; only the newest can be alive."""
        self._settle_owed(identifier)
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
        try:
            return self._bucket.create(self._key(identifier, number), to_bytes(record))
        except StoreError:
            # it may be there all the same
            self._owe(identifier, number, _RELEASED)
            raise

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
        suffix = _SPENT if counted else _RELEASED
        try:
            self._give_back(claim.id, claim.attempt, suffix)
        except KeyNotFound:
            raise
        except StoreError:
            self._owe(claim.id, claim.attempt, suffix)
            raise

    def _give_back(self, identifier: str, number: int, suffix: str) -> None:
        key = self._key(identifier, number)
        self._bucket.move(key, key + suffix)

    def _owe(self, identifier: str, number: int, suffix: str) -> None:
        with self._lock:
            self._owed[identifier, number] = suffix

    def _settle_owed(self, identifier: str) -> None:
        """Give back what could not be given back before; raises StoreError as long as it cannot."""
        with self._lock:
            owed = [(number, suffix) for (name, number), suffix in self._owed.items() if name == identifier]
        for number, suffix in owed:
            if self._is_ours(self._key(identifier, number)):
                self._give_back(identifier, number, suffix)
            with self._lock:
                self._owed.pop((identifier, number), None)

    def _is_ours(self, key: str) -> bool:
        try:
            return ClaimRecord.model_validate_json(self._bucket.get(key, _MAX_BYTES)).worker == self._worker
        except (KeyNotFound, ValueError):
            return False

    def forget(self, identifier: str) -> None:
        """Remove the claims of a decided request; its manifest keeps everybody else away."""
        # by what lies there: somebody who counted before us may have won a number behind a gap
        listed = self._bucket.list(self._prefix, beginning=f"{identifier}.")
        keys = [key for key in listed if self._id_of(key) == identifier]
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
