"""Who works on which request, read from claims and progress without touching them."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel, ValidationError

from store.bucket import Bucket
from store.errors import ServiceError
from store.outbox import Outbox
from watcher.claim import ClaimRecord
from watcher.place import InboxPlace
from watcher.worker import Worker

_CLAIM = re.compile(r"(?P<id>.+)\.(?P<number>[1-9][0-9]*)(?P<ended>\.released|\.spent)?", re.DOTALL)
_MAX_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A claimed request; what cannot be read is None, times are ISO 8601.

    alive: its worker was not seen dead and has shown itself within a lease, as far as the clocks of
    this machine and of the store agree.
    """

    id: str
    attempt: int
    worker: str | None
    host: str | None
    node: str | None
    step: int | None
    steps: int | None
    updated_at: str | None
    claimed_at: str | None
    alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimFile:
    """One claim of a request: its number, and whether it is held, given back or spent."""

    id: str
    number: int
    key: str
    is_held: bool
    counts: bool


class _Shown(BaseModel):
    """What a progress file says; it is best effort, so anything may be missing."""

    attempt: int = 0
    node: str | None = None
    step: int | None = None
    steps: int | None = None
    updated_at: str | None = None


def claim_files(place: InboxPlace) -> dict[str, list[ClaimFile]]:
    """The claims of each request, the newest last."""
    prefix = f"{place.state}claims/"
    found: dict[str, list[ClaimFile]] = {}
    for key in place.bucket.list(prefix):
        match = _CLAIM.fullmatch(key[len(prefix) :])
        if match is None:
            continue
        number, ended = int(match["number"]), match["ended"]
        file = ClaimFile(
            id=match["id"], number=number, key=key, is_held=ended is None, counts=ended in (None, ".spent")
        )
        found.setdefault(file.id, []).append(file)
    return {identifier: sorted(files, key=lambda file: file.number) for identifier, files in found.items()}


class Workers:
    """Tells of a claim who holds it, how far that worker is, and whether it lives."""

    def __init__(
        self, place: InboxPlace, outgoing: Bucket, lease_seconds: float, me: Worker, now: Callable[[], datetime]
    ) -> None:
        """me: who looks, and may see that a worker on the same machine is dead; now: the wall clock, in UTC."""
        self._bucket = place.bucket
        self._outbox = Outbox(outgoing)
        self._lease = timedelta(seconds=lease_seconds)
        self._me = me
        self._now = now

    def running(self, claim: ClaimFile) -> Running:
        """What is known of a held claim."""
        record, shown = self._record(claim.key), self._shown(claim)
        return Running(
            id=claim.id,
            attempt=claim.number,
            worker=record.worker.name if record else None,
            host=record.worker.host if record else None,
            node=shown.node,
            step=shown.step,
            steps=shown.steps,
            updated_at=shown.updated_at,
            claimed_at=record.claimed_at.isoformat() if record else None,
            alive=self._is_alive(claim.key, record),
        )

    def _record(self, key: str) -> ClaimRecord | None:
        try:
            return ClaimRecord.model_validate_json(self._bucket.get(key, _MAX_BYTES))
        except (ServiceError, ValidationError):
            return None

    def _shown(self, claim: ClaimFile) -> _Shown:
        with suppress(ServiceError, ValueError, TypeError):
            shown = _Shown.model_validate(self._outbox.progress(claim.id))
            # what an earlier attempt left says nothing of this one
            return shown if shown.attempt == claim.number else _Shown()
        return _Shown()

    def _is_alive(self, key: str, record: ClaimRecord | None) -> bool:
        if record is not None and self._me.sees_dead(record.worker):
            return False
        with suppress(ServiceError):
            head = self._bucket.head(key)
            return head is not None and self._now() - head.modified < self._lease
        return False
