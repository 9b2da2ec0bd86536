"""The inbox: look, claim, ack, release, reject; what lies in it is not acknowledged yet."""

import bisect
import uuid
from dataclasses import dataclass, replace

from store.bucket import Bucket
from store.errors import KeyNotFound, NotARegularFile, RequestTooLarge, ServiceError, TooLarge
from store.outbox import Outbox
from watcher.claim import Claim, Claims
from watcher.decode import MAX_BYTES
from watcher.look import Busy, Done, Gone, Later, Look, Readiness, Ready
from watcher.names import SUFFIX, belongs_to, is_request, request_id
from watcher.steadiness import Steadiness


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxPlace:
    """Where requests come in and where the inbox keeps its own state; prefixes within one bucket."""

    bucket: Bucket
    incoming: str = ""
    state: str = ".imagegen/"


class Inbox:
    """Everything that happens to a request file; every method may be repeated without harm."""

    def __init__(
        self, place: InboxPlace, outbox: Outbox, claims: Claims, readiness: Readiness, arrivals: Steadiness
    ) -> None:
        """arrivals: remembers when each request was first looked at."""
        self._place = place
        self._bucket = place.bucket
        self._outbox = outbox
        self._claims = claims
        self._readiness = readiness
        self._arrivals = arrivals

    def scan(self) -> list[str]:
        """The names of all request files, sorted; the truth, whatever events were seen or missed."""
        return sorted(name for name in self._listed() if is_request(name))

    def look(self, name: str) -> Look:
        """What can be done about a request now; takes no claim and may be repeated at will."""
        identifier = request_id(name)
        self._arrivals.seconds(name, identifier)
        if self._outbox.has_result(identifier):
            return Done() if self._is_there(name) else Gone()
        waiting = self._readiness.look(self._key(name), name, identifier)
        if waiting is not None:
            return waiting
        attempts = self._claims.attempts(identifier)
        return Busy() if attempts.alive else Ready(attempt=attempts.newest + 1)

    def claim(self, name: str, attempt: int) -> Claim | None:
        """Win the right to work on a request and read its bytes; None if there is nothing left to do."""
        identifier = request_id(name)
        if not self._claims.win(identifier, attempt):
            return None
        claim = Claim(name=name, id=identifier, attempt=attempt, queued=self._arrivals.seconds(name, identifier))
        try:
            return self._checked(claim)
        except ServiceError:
            # a disk that fails just now must not cost the request an attempt
            self.release(claim, counted=False)
            raise

    def _checked(self, claim: Claim) -> Claim | None:
        if self._outbox.has_result(claim.id):
            # decided between the look and the claim
            self.ack(claim.name)
            return None
        return self._with_content(claim)

    def read(self, name: str) -> Claim:
        """The request as it lies there, under no claim: what a repeated id is compared by."""
        claim = Claim(name=name, id=request_id(name), attempt=1, queued=0.0)
        return self._read(claim)

    def still_waits(self, name: str) -> bool:
        """Whether something the request needs may still come."""
        return isinstance(self._readiness.look(self._key(name), name, request_id(name)), Later)

    def attempts_counted(self, claim: Claim) -> int:
        """How many attempts at the request count, this one included."""
        return self._claims.attempts(claim.id).counted

    def ack(self, name: str) -> None:
        """Done: archive the request and its own files, forget its claims."""
        self._put_aside("archive", name)

    def release(self, claim: Claim, *, counted: bool) -> None:
        """Give the request back for another attempt."""
        self._claims.release(claim, counted=counted)

    def reject(self, name: str) -> None:
        """Put the request and its own files aside for good, into quarantine."""
        self._put_aside("quarantine", name)

    def _listed(self) -> list[str]:
        start = len(self._place.incoming)
        return [key[start:] for key in self._bucket.list(self._place.incoming)]

    def _with_content(self, claim: Claim) -> Claim | None:
        try:
            return self._read(claim)
        except KeyNotFound:
            self._claims.release(claim, counted=False)
            return None

    def _read(self, claim: Claim) -> Claim:
        try:
            return replace(claim, content=self._bucket.get(self._key(claim.name), MAX_BYTES))
        except TooLarge as error:
            return replace(claim, unreadable=RequestTooLarge(error.message))
        except NotARegularFile as error:
            return replace(claim, unreadable=error)

    def _is_there(self, name: str) -> bool:
        try:
            return self._bucket.head(self._key(name)) is not None
        except NotARegularFile:
            return True

    def _put_aside(self, where: str, name: str) -> None:
        identifier = request_id(name)
        folder = f"{self._place.state}{where}/{identifier}.{uuid.uuid4().hex[:8]}/"
        for own in [name, *self._own_files(identifier)]:
            self._move_if_there(self._key(own), folder + own)
        self._readiness.forget(self._key(name), identifier)
        self._claims.forget(identifier)
        self._arrivals.forget(name)

    def _own_files(self, identifier: str) -> list[str]:
        """Files named `<id>.<anything>`, unless a request with a longer id may own them."""
        # listed anew: a file may have come since the last scan
        names = sorted(self._listed())
        own: list[str] = []
        for name in names[bisect.bisect_left(names, f"{identifier}.") :]:
            if not name.startswith(f"{identifier}."):
                break
            if belongs_to(name, identifier) and not _has_longer_owner(name, identifier, names):
                own.append(name)
        return own

    def _move_if_there(self, source: str, target: str) -> None:
        try:
            self._bucket.move(source, target)
        except KeyNotFound:
            # another worker, or an earlier try, has moved it
            return

    def _key(self, name: str) -> str:
        return self._place.incoming + name


def _has_longer_owner(name: str, identifier: str, names: list[str]) -> bool:
    parts = name[len(identifier) + 1 :].split(".")
    longer = (".".join([identifier, *parts[:count]]) + SUFFIX for count in range(1, len(parts)))
    return any(owner in names[bisect.bisect_left(names, owner) :][:1] for owner in longer)
