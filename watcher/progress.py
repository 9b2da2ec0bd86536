"""Shows in the outbox how a drawing is going, and ends it when it must not go on."""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.clock import Clock
from pipeline.progress import Progress
from store.errors import Cancelled, RequestTimeout, StoreError
from store.outbox import Outbox
from watcher.activity import Activity
from watcher.claim import Claim
from watcher.lease import Lease

_log = logging.getLogger("imagegen.progress")


@dataclass(frozen=True, slots=True, kw_only=True)
class Oversight:
    """What a worker watches every drawing by.

    is_cancelled: whether somebody asks that a claimed request be dropped; max_seconds: the longest
    drawing, without its waiting for its turn.  show_seconds: the shortest time between two signs of progress.
    """

    outbox: Outbox
    clock: Clock
    worker: str
    activity: Activity
    is_cancelled: Callable[[Claim], bool]
    max_seconds: float
    show_seconds: float = 0.25


class LiveProgress(Progress):
    """Writes `progress/<id>.json`, at most a few times a second; a failure to write is only logged."""

    def __init__(self, claim: Claim, oversight: Oversight) -> None:
        super().__init__()
        self._claim = claim
        self._oversight = oversight
        self._lease: Lease | None = None
        self._next_show = 0.0
        self._awaits_turn = False
        self._drawn = 0.0
        self._drawing_since: float | None = None
        oversight.activity.progress(claim.id)

    def watch(self, lease: Lease) -> None:
        """From now on, end the drawing if this lease is lost."""
        self._lease = lease

    def check(self) -> None:
        """Raise ClaimLost, Cancelled or RequestTimeout if the drawing must not go on."""
        if self._lease is not None:
            self._lease.check()
        if self._is_cancelled():
            raise Cancelled
        if self._drawing_seconds() > self._oversight.max_seconds:
            raise RequestTimeout(
                f"drawing took longer than max_request_seconds, {self._oversight.max_seconds:g} s;"
                " ask for fewer steps, images or pixels, or raise the limit"
            )

    def await_turn(self, node: str) -> None:
        """Stop the watch: waiting for others is no fault of this drawing."""
        self._drawn, self._drawing_since = self._drawing_seconds(), None
        self._awaits_turn = True
        self._oversight.activity.progress(self._claim.id, awaits_turn=True)

    def begin(self, node: str) -> None:
        """Show that a node starts."""
        if self._awaits_turn:
            self._awaits_turn, self._drawing_since = False, self._oversight.clock.monotonic()
        self._oversight.activity.progress(self._claim.id)
        self.check()
        self._show(node, 0, 0)

    def step(self, node: str, step: int, steps: int) -> None:
        """Show a denoising step, unless one was shown just now."""
        self._oversight.activity.progress(self._claim.id)
        if self._oversight.clock.monotonic() >= self._next_show:
            self.check()
            self._show(node, step, steps)
        elif self._lease is not None:
            self._lease.check()

    def clear(self) -> None:
        """Remove the file; the manifest says the rest."""
        self._oversight.activity.end(self._claim.id)
        with contextlib.suppress(StoreError):
            self._oversight.outbox.clear_progress(self._claim.id)

    def _is_cancelled(self) -> bool:
        try:
            return self._oversight.is_cancelled(self._claim)
        except StoreError:
            # an inbox that does not answer just now is no reason to throw a drawing away
            return False

    def _drawing_seconds(self) -> float:
        if self._drawing_since is None:
            return self._drawn
        return self._drawn + self._oversight.clock.monotonic() - self._drawing_since

    def _show(self, node: str, step: int, steps: int) -> None:
        self._next_show = self._oversight.clock.monotonic() + self._oversight.show_seconds
        try:
            self._oversight.outbox.show_progress(
                self._claim.id,
                {
                    "id": self._claim.id,
                    "node": node,
                    "step": step,
                    "steps": steps,
                    "attempt": self._claim.attempt,
                    "worker": self._oversight.worker,
                    "updated_at": self._oversight.clock.now().isoformat(),
                },
            )
        except StoreError as error:
            _log.warning(
                "progress of %s could not be written: %s",
                self._claim.id,
                error.message,
                extra={"action": "progress", "request_id": self._claim.id},
            )
