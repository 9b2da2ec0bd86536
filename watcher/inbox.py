"""The inbox: look, claim, ack, release, reject; what lies in it is not acknowledged yet."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from pipeline.request import ReferenceFile
from store.digest import Digest
from store.errors import KeyNotFound, NotARegularFile, RequestTooLarge, ServiceError, TooLarge
from store.outbox import Outbox
from watcher.aside import Aside, PutAside, Where
from watcher.cancel import cancel_names, cancelled_id, is_cancel
from watcher.claim import Claim, Claims
from watcher.decode import MAX_BYTES
from watcher.look import Busy, Done, Gone, Later, Look, Readiness, Ready
from watcher.names import is_request, request_id
from watcher.place import InboxPlace
from watcher.steadiness import Steadiness


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a scan found: the names of all request files, sorted, and the cancel files by the id they speak of."""

    requests: tuple[str, ...]
    cancels: Mapping[str, str]


class Inbox:
    """Everything that happens to a request file; every method may be repeated without harm."""

    def __init__(
        self, place: InboxPlace, outbox: Outbox, claims: Claims, readiness: Readiness, arrivals: Steadiness
    ) -> None:
        """arrivals: remembers when each file was first found."""
        self._place = place
        self._bucket = place.bucket
        self._outbox = outbox
        self._claims = claims
        self._readiness = readiness
        self._arrivals = arrivals
        self._aside = Aside(place)

    def scan(self) -> Found:
        """What lies in the inbox; the truth, whatever events were seen or missed."""
        names = self._listed()
        requests = tuple(sorted(filter(is_request, names)))
        self._arrivals.meet(requests)
        return Found(requests=requests, cancels={cancelled_id(name): name for name in filter(is_cancel, names)})

    def age(self, name: str) -> float:
        """Seconds since a file was first found in the inbox."""
        return self._arrivals.seconds(name)

    def look(self, name: str) -> Look:
        """What can be done about a request now; takes no claim and may be repeated at will."""
        identifier = request_id(name)
        self.age(name)
        if self._outbox.has_result(identifier):
            return self._look_at_decided(name, identifier)
        waiting = self._readiness.look(self.key(name), name, identifier)
        if isinstance(waiting, Gone):
            self._arrivals.forget(name)
            return waiting
        if waiting is not None and not self._cancel_lies_there(name):
            return replace(waiting, watched=(*waiting.watched, *self._cancel_keys(name)))
        attempts = self._claims.attempts(identifier)
        return Busy() if attempts.alive else Ready(attempt=attempts.newest + 1, alone=attempts.died)

    def _look_at_decided(self, name: str, identifier: str) -> Look:
        if not self._is_there(name):
            self._arrivals.forget(name)
            return Gone()
        settling = self._readiness.settling(self.key(name), name)
        return Done() if settling is None or self._is_the_decided(name, identifier) else settling

    def _is_the_decided(self, name: str, identifier: str) -> bool:
        try:
            found = self.read(name)
        except KeyNotFound:
            return True
        return self._outbox.result(identifier).request_sha256 == Digest.of(found.content)

    def versions(self, keys: Collection[str]) -> tuple[str | None, ...]:
        """The version that lies under each key now; None where there is nothing."""
        return tuple(self._version(key) for key in keys)

    def has(self, name: str) -> bool:
        """Whether there is a file of this name now."""
        return self._version(self.key(name)) is not None

    def is_cancelled(self, claim: Claim) -> bool:
        """Whether somebody asks that a claimed request be dropped."""
        return self._cancel_lies_there(claim.name)

    def has_result(self, identifier: str) -> bool:
        """Whether a request is decided."""
        return self._outbox.has_result(identifier)

    def put_cancel_aside(self, name: str) -> None:
        """Archive a cancel that has nothing to cancel any more."""
        self._aside.put_alone("archive", name, cancelled_id(name))
        self._arrivals.forget(name)

    def tidy(self) -> None:
        """Forget files that are gone, and clear away what a killed worker left of decided requests."""
        names = self._listed()
        self._arrivals.retain(names)
        pending = {request_id(name) for name in names if is_request(name)}
        self._readiness.retain([self.key(name) for name in names], pending)
        for identifier in (self._claims.ids() | set(self._outbox.shown())) - pending:
            # decided, or withdrawn: should the same id come again, it begins with its first attempt
            if self._outbox.has_result(identifier) or not self._claims.attempts(identifier).alive:
                self._claims.forget(identifier)
                self._outbox.clear_progress(identifier)

    def claim(self, name: str, attempt: int) -> Claim | None:
        """Win the right to work on a request and read its bytes; None if there is nothing left to do."""
        identifier = request_id(name)
        if not self._claims.win(identifier, attempt):
            return None
        claim = Claim(name=name, id=identifier, attempt=attempt, queued=self.age(name))
        try:
            return self._checked(claim)
        except ServiceError:
            # a disk that fails just now must not cost the request an attempt
            self.release(claim, counted=False)
            raise

    def _checked(self, claim: Claim) -> Claim | None:
        if self._outbox.has_result(claim.id):
            # decided between the look and the claim; the next look says so
            self._claims.forget(claim.id)
            return None
        return self._with_content(claim)

    def read(self, name: str) -> Claim:
        """The request as it lies there, under no claim: what a repeated id is compared by."""
        claim = Claim(name=name, id=request_id(name), attempt=1, queued=0.0)
        return self._read(claim)

    def holds(self, claim: Claim) -> bool:
        """Whether a claim is still ours; shows that its holder is alive."""
        return self._claims.renew(claim)

    def doubt(self, reference: ReferenceFile) -> None:
        """Give a reference that could not be decoded the time to settle."""
        self._readiness.doubt(reference)

    def still_waits(self, name: str) -> bool:
        """Whether something the request needs may still come."""
        return isinstance(self._readiness.look(self.key(name), name, request_id(name)), Later)

    def attempts_counted(self, claim: Claim) -> int:
        """How many attempts at the request count, this one included."""
        return self._claims.attempts(claim.id).counted

    def ack(self, name: str) -> PutAside | None:
        """Done: archive the request and its own files, forget its claims; None if it was gone already."""
        return self._put_aside("archive", name)

    def release(self, claim: Claim, *, counted: bool) -> None:
        """Give the request back for another attempt."""
        self._claims.release(claim, counted=counted)

    def reject(self, name: str) -> PutAside | None:
        """Put the request and its own files aside for good, into quarantine; None if it was gone already."""
        return self._put_aside("quarantine", name)

    def content(self, aside: PutAside) -> bytes | None:
        """The bytes of a request that was put aside; None where they cannot be read."""
        try:
            return self._bucket.get(aside.key, MAX_BYTES)
        except (KeyNotFound, TooLarge, NotARegularFile):
            return None

    def quarantine(self, aside: PutAside) -> None:
        """Move a request that was put aside into quarantine."""
        self._aside.quarantine(aside)

    def _put_aside(self, where: Where, name: str) -> PutAside | None:
        identifier = request_id(name)
        self._claims.forget(identifier)
        self._readiness.forget(self.key(name), identifier)
        moved = self._aside.put(where, name)
        self._arrivals.forget(name)
        return moved

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
            return replace(claim, content=self._bucket.get(self.key(claim.name), MAX_BYTES))
        except TooLarge as error:
            return replace(claim, unreadable=RequestTooLarge(error.message))
        except NotARegularFile as error:
            return replace(claim, unreadable=error)

    def _is_there(self, name: str) -> bool:
        try:
            return self._bucket.head(self.key(name)) is not None
        except NotARegularFile:
            return True

    def _cancel_lies_there(self, name: str) -> bool:
        return any(version is not None for version in self.versions(self._cancel_keys(name)))

    def _cancel_keys(self, name: str) -> list[str]:
        return [self.key(cancel) for cancel in cancel_names(name)]

    def _version(self, key: str) -> str | None:
        try:
            head = self._bucket.head(key)
        except NotARegularFile:
            return "irregular"
        return None if head is None else head.version

    def key(self, name: str) -> str:
        """Where a file of this name lies in the bucket."""
        return self._place.incoming + name
