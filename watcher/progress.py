"""Shows in the outbox how a drawing is going, and stops it when its claim is lost."""

import contextlib
import logging

from pipeline.clock import Clock
from pipeline.progress import Progress
from store.errors import StoreError
from store.outbox import Outbox
from watcher.claim import Claim
from watcher.lease import Lease

_SECONDS_BETWEEN = 0.25
_log = logging.getLogger("imagegen.progress")


class LiveProgress(Progress):
    """Writes `progress/<id>.json`, at most a few times a second; a failure to write is only logged."""

    def __init__(self, claim: Claim, outbox: Outbox, clock: Clock, worker: str) -> None:
        super().__init__()
        self._claim = claim
        self._outbox = outbox
        self._clock = clock
        self._worker = worker
        self._lease: Lease | None = None
        self._next_write = 0.0

    def watch(self, lease: Lease) -> None:
        """From now on, end the drawing if this lease is lost."""
        self._lease = lease

    def begin(self, node: str) -> None:
        """Show that a node starts."""
        self._check()
        self._show(node, 0, 0)

    def step(self, node: str, step: int, steps: int) -> None:
        """Show a denoising step, unless one was shown just now."""
        self._check()
        if self._clock.monotonic() >= self._next_write:
            self._show(node, step, steps)

    def clear(self) -> None:
        """Remove the file; the manifest says the rest."""
        with contextlib.suppress(StoreError):
            self._outbox.clear_progress(self._claim.id)

    def _check(self) -> None:
        if self._lease is not None:
            self._lease.check()

    def _show(self, node: str, step: int, steps: int) -> None:
        self._next_write = self._clock.monotonic() + _SECONDS_BETWEEN
        try:
            self._outbox.show_progress(
                self._claim.id,
                {
                    "id": self._claim.id,
                    "node": node,
                    "step": step,
                    "steps": steps,
                    "attempt": self._claim.attempt,
                    "worker": self._worker,
                    "updated_at": self._clock.now().isoformat(),
                },
            )
        except StoreError as error:
            _log.warning(
                "progress of %s could not be written: %s",
                self._claim.id,
                error.message,
                extra={"action": "progress", "request_id": self._claim.id},
            )
