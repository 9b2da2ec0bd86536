"""The main flow: from the door to the outbox."""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from pipeline.clock import Clock
from pipeline.drawing import Drawing
from pipeline.progress import Progress
from pipeline.reference import ReferenceImage
from pipeline.request import GenerationRequest
from store.digest import Digest
from store.errors import (
    AttemptsExhausted,
    Cancelled,
    ClaimLost,
    IdConflict,
    InternalError,
    KeyNotFound,
    MalformedJson,
    ReferenceMismatch,
    ReferenceMissing,
    ReferenceUnreadable,
    RequestRejected,
    ServiceError,
    ShuttingDown,
    StoreFull,
    StoreUnavailable,
)
from store.hints import Hints
from store.manifest import ResultManifest
from store.outbox import Outbox
from watcher.aside import PutAside
from watcher.claim import Claim
from watcher.inbox import Inbox
from watcher.lease import Lease
from watcher.progress import LiveProgress, Oversight
from watcher.report import Reporter
from watcher.validate import Validator, ValidRequest

_log = logging.getLogger("imagegen.service")
# these give a request back without counting the attempt
_NOBODYS_FAULT = (ShuttingDown, StoreFull, StoreUnavailable)
# these may come from a file that was rewritten between the look and the claim
_PASSING = (MalformedJson, ReferenceMissing, ReferenceMismatch, ReferenceUnreadable)


class Draw(Protocol):
    """The pipeline's entry, as the service uses it."""

    def __call__(
        self, request: GenerationRequest, reference: ReferenceImage | None, *, seed: int, progress: Progress
    ) -> Drawing:
        """Draw a valid request; raises ServiceError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Carries requests one by one; several threads may each carry another."""

    inbox: Inbox
    outbox: Outbox
    hints: Hints
    validator: Validator
    reporter: Reporter
    draw: Draw
    lease: Callable[[Claim], contextlib.AbstractContextManager[Lease]]
    clock: Clock
    oversight: Oversight
    max_attempts: int

    def handle(self, claim: Claim) -> None:
        """Carry one request from the door to the outbox."""
        started = self.clock.monotonic()
        progress = LiveProgress(claim, self.oversight)
        try:
            with self.lease(claim) as lease:
                progress.watch(lease)
                self._require_attempts_left(claim)
                valid = self.validator.validate(claim)
                drawing = self.draw(valid.request, valid.reference, seed=valid.seed, progress=progress)
                self._require_held(claim)
                self._publish(claim, valid, drawing, started)
        except ClaimLost as lost:
            _say("claim_lost", claim, lost.message)
        except ServiceError as error:
            self._settle_failure(claim, error, progress, started)
        except Exception as bug:
            _log.exception("request %s met a bug", claim.id, extra={"action": "bug", "request_id": claim.id})
            unexpected = InternalError(f"{InternalError.__doc__} ({type(bug).__name__})")
            self._settle_failure(claim, unexpected, progress, started)
        else:
            progress.clear()
            self._put_away(claim, self.inbox.ack)
        finally:
            progress.clear()

    def settle_again(self, name: str) -> ResultManifest | None:
        """Acknowledge a request whose id has a result.

        Other bytes than the decided ones are a conflict, whose record is returned.
        """
        try:
            claim = self.inbox.read(name)
        except KeyNotFound:
            # another worker has just moved it
            return None
        decided = self.outbox.result(claim.id)
        if decided.request_sha256 == (None if claim.unreadable else Digest.of(claim.content)):
            settle = self.inbox.reject if decided.status in ("rejected", "failed") else self.inbox.ack
            # of a worker that died between its manifest and its ack
            self.outbox.clear_progress(claim.id)
            self._put_away(claim, settle)
            _say("acknowledged", claim, "has a result already; acknowledged")
            return None
        conflict = self._record_conflict(claim)
        self._put_away(claim, self.inbox.reject)
        return conflict

    def _put_away(self, claim: Claim, settle: Callable[[str], PutAside | None]) -> None:
        """Move a decided request aside; other bytes that came under its name meanwhile are a conflict."""
        moved = settle(claim.name)
        content = None if moved is None else self.inbox.content(moved)
        if moved is not None and content is not None and (claim.unreadable or content != claim.content):
            self._record_conflict(replace(claim, content=content, unreadable=None))
            self.inbox.quarantine(moved)

    def _record_conflict(self, claim: Claim) -> ResultManifest:
        conflict = IdConflict(
            f"id {claim.id!r} was used for another request, whose result stays; submit this one under a new id",
            field="id",
        )
        record = self.reporter.ended(claim, conflict, (), 0.0)
        self.outbox.publish_conflict(record, Digest.of(claim.content))
        _log.warning(
            "request %s: %s", claim.id, conflict.message, extra={"action": conflict.code, "request_id": claim.id}
        )
        return record

    def _require_attempts_left(self, claim: Claim) -> None:
        if self.inbox.attempts_counted(claim) > self.max_attempts:
            raise AttemptsExhausted(
                f"{self.max_attempts} attempts ended without a result, the last ones without a word;"
                " look for the worker's end in its log, then submit the request again under a new id"
            )

    def _require_held(self, claim: Claim) -> None:
        if not self.inbox.holds(claim):
            raise ClaimLost(f"request {claim.id}: attempt {claim.attempt} was taken over")

    def _came_too_soon(self, claim: Claim, error: ServiceError) -> bool:
        """Whether what is wrong may still be mended: whole at the look, and written anew or gone since."""
        if isinstance(error, ReferenceUnreadable):
            self._doubt_reference(claim)
        return isinstance(error, _PASSING) and self.inbox.still_waits(claim.name)

    def _doubt_reference(self, claim: Claim) -> None:
        with contextlib.suppress(RequestRejected):
            request = self.validator.read(claim.name, claim.content)
            if request.reference_image is not None:
                self.inbox.doubt(request.reference_image)

    def _publish(self, claim: Claim, valid: ValidRequest, drawing: Drawing, started: float) -> None:
        manifest = self.reporter.succeeded(claim, valid, drawing, self.clock.monotonic() - started)
        published = self.outbox.publish(manifest, drawing.images)
        self._remember(drawing, published)
        how = "recalled" if drawing.cached else "drawn"
        _say("published", claim, f"{how} as {drawing.branch}, {len(published.images)} image(s)")

    def _remember(self, drawing: Drawing, published: ResultManifest) -> None:
        """So that an equal request need not be drawn; the result stands whether this works or not."""
        if drawing.fingerprint is not None:
            with contextlib.suppress(ServiceError):
                self.hints.note(drawing.fingerprint, published, drawing.drawing_warnings)

    def _settle_failure(self, claim: Claim, error: ServiceError, progress: LiveProgress, started: float) -> None:
        """Give the request back if trying again may help, else publish why there is no picture."""
        try:
            # a worker that stood still may be the last to know; who took over settles the request
            self._require_held(claim)
            if isinstance(error, _NOBODYS_FAULT) or self._came_too_soon(claim, error):
                self.inbox.release(claim, counted=False)
                _say("released", claim, f"given back: {error.message}")
            elif error.retryable and self.inbox.attempts_counted(claim) < self.max_attempts:
                self.inbox.release(claim, counted=True)
                _say("released", claim, f"attempt {claim.attempt} failed: {error.message}")
            else:
                seconds = self.clock.monotonic() - started
                manifest = self.outbox.publish(self.reporter.ended(claim, error, progress.records, seconds))
                progress.clear()
                self._put_away(claim, self.inbox.ack if isinstance(error, Cancelled) else self.inbox.reject)
                _say(manifest.status, claim, error.message)
        except ClaimLost as lost:
            _say("claim_lost", claim, lost.message)
        except Exception as second:
            # the claim is given back uncounted where that is possible; else its lease runs out
            _log.exception(
                "request %s could not be settled: %s",
                claim.id,
                second,
                extra={"action": "unsettled", "request_id": claim.id},
            )
            with contextlib.suppress(ServiceError):
                self.inbox.release(claim, counted=False)


def _say(action: str, claim: Claim, sentence: str) -> None:
    _log.info("request %s: %s", claim.id, sentence, extra={"action": action, "request_id": claim.id})
