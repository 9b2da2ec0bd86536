"""Writes the manifest of a request: what was asked, what was drawn, or why not."""

from collections.abc import Callable, Mapping, Sequence

from pydantic import JsonValue

from pipeline.clock import Clock
from pipeline.drawing import Drawing
from store.digest import Digest
from store.errors import Cancelled, RequestRejected, ServiceError
from store.manifest import ErrorRecord, NodeRecord, ResultManifest, ResultStatus, Timings
from watcher.claim import Claim
from watcher.decode import decode
from watcher.names import shown
from watcher.redriven import never_redriven
from watcher.validate import ValidRequest


class Reporter:
    """Fills in what every manifest of this worker says alike."""

    def __init__(
        self,
        worker: str,
        versions: Mapping[str, str],
        clock: Clock,
        redrive_of: Callable[[str], str | None] = never_redriven,
    ) -> None:
        """redrive_of: the id under which the bytes of an id first came, if it is redriven."""
        self._worker = worker
        self._versions = dict(versions)
        self._clock = clock
        self._redrive_of = redrive_of

    def succeeded(self, claim: Claim, valid: ValidRequest, drawing: Drawing, seconds: float) -> ResultManifest:
        """The manifest of a drawn request; its images are added when they are stored.

        seconds: since the claim was won.
        """
        return ResultManifest(
            id=claim.id,
            request_file=shown(claim.name),
            redrive_of=self._redrive_of(claim.id),
            status="succeeded",
            cached=drawing.cached,
            branch=drawing.branch,
            request=valid.document,
            request_sha256=valid.digest,
            prompt=drawing.prompt,
            models=drawing.models,
            sampling=drawing.sampling,
            nodes=drawing.nodes,
            timings=_timings(claim, drawing.nodes, seconds),
            attempt=claim.attempt,
            worker=self._worker,
            created_at=self._clock.now(),
            versions=self._versions,
            warnings=drawing.warnings,
            metadata=valid.request.metadata,
        )

    def ended(self, claim: Claim, error: ServiceError, nodes: Sequence[NodeRecord], seconds: float) -> ResultManifest:
        """The manifest of a request that has no picture: cancelled, rejected if the request is at fault, or failed."""
        document = _as_received(claim.content)
        metadata = document.get("metadata") if document else None
        return ResultManifest(
            id=claim.id,
            request_file=shown(claim.name),
            redrive_of=self._redrive_of(claim.id),
            status=_status(error),
            request=document,
            request_sha256=None if claim.unreadable else Digest.of(claim.content),
            nodes=tuple(nodes),
            timings=_timings(claim, nodes, seconds),
            attempt=claim.attempt,
            worker=self._worker,
            created_at=self._clock.now(),
            versions=self._versions,
            metadata=metadata if isinstance(metadata, dict) else {},
            error=ErrorRecord(code=error.code, message=error.message, field=error.field, retryable=error.retryable),
        )


def _status(error: ServiceError) -> ResultStatus:
    if isinstance(error, Cancelled):
        return "cancelled"
    return "rejected" if isinstance(error, RequestRejected) else "failed"


def _as_received(content: bytes) -> dict[str, JsonValue] | None:
    try:
        return decode(content)
    except RequestRejected:
        return None


def _timings(claim: Claim, nodes: Sequence[NodeRecord], seconds: float) -> Timings:
    swaps = [node.detail.get("swap_seconds", 0.0) for node in nodes]
    swap = sum(float(swap) for swap in swaps if isinstance(swap, (int, float)))
    return Timings(queued=round(claim.queued, 6), swap=round(swap, 6), total=round(seconds, 6))
