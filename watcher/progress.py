"""Shows in the outbox how a drawing is going, and ends it when it must not go on."""

import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.clock import Clock
from pipeline.progress import Progress
from store.errors import Cancelled, RequestTimeout, StoreError
from store.outbox import Outbox
from watcher.activity import Activity
from watcher.claim import Claim
from watcher.lease import Lease
from watcher.onlooker import Onlooker

_log = logging.getLogger("imagegen.progress")


@dataclass(frozen=True, slots=True, kw_only=True)
class Oversight:
    """What a worker watches every drawing by.

    is_cancelled: whether somebody asks that a claimed request be dropped; max_seconds: the longest
    drawing, without its waiting for its turn.  onlooker: shows progress and looks for cancels.
    """

    outbox: Outbox
    clock: Clock
    worker: str
    activity: Activity
    is_cancelled: Callable[[Claim], bool]
    max_seconds: float
    onlooker: Onlooker


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    node: str
    step: int
    steps: int


class LiveProgress(Progress):
    """Notes how far a drawing is, for the onlooker to write to `progress/<id>.json`.

    The thread that draws touches no store here: it notes, and raises what was found out meanwhile.
    """

    def __init__(self, claim: Claim, oversight: Oversight) -> None:
        super().__init__()
        self._claim = claim
        self._oversight = oversight
        self._lease: Lease | None = None
        self._cancelled = threading.Event()
        self._looking = threading.Lock()
        self._place: _Place | None = None
        self._shown: _Place | None = None
        self._is_over = False
        self._awaits_turn = False
        self._drawn = 0.0
        self._drawing_since: float | None = None
        oversight.activity.progress(claim.id)
        oversight.onlooker.add(self)

    def watch(self, lease: Lease) -> None:
        """From now on, end the drawing if this lease is lost; raises Cancelled if somebody asked for that already."""
        self._lease = lease
        self._look_for_cancel()
        self.check()

    def check(self) -> None:
        """Raise ClaimLost, Cancelled or RequestTimeout if the drawing must not go on."""
        if self._lease is not None:
            self._lease.check()
        if self._cancelled.is_set():
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
        """A node starts."""
        is_turn = self._awaits_turn
        if is_turn:
            self._awaits_turn, self._drawing_since = False, self._oversight.clock.monotonic()
        self.step(node, 0, 0)
        if is_turn:
            self._oversight.onlooker.hurry()

    def step(self, node: str, step: int, steps: int) -> None:
        """A denoising step is done."""
        self._oversight.activity.progress(self._claim.id)
        self._place = _Place(node=node, step=step, steps=steps)
        self.check()

    def look(self) -> None:
        """Show where the drawing is, and notice a cancel; a store that does not answer changes nothing."""
        self._look_for_cancel()
        with self._looking:
            place = self._place
            if place is not None and place != self._shown and not self._is_over:
                self._show(place)
                self._shown = place

    def clear(self) -> None:
        """Remove the file; the manifest says the rest."""
        self._oversight.onlooker.remove(self)
        self._oversight.activity.end(self._claim.id)
        # a look that is under way must not write the file once more
        with self._looking:
            self._is_over = True
        with contextlib.suppress(StoreError):
            self._oversight.outbox.clear_progress(self._claim.id)

    def _look_for_cancel(self) -> None:
        # an inbox that does not answer just now is no reason to throw a drawing away
        with contextlib.suppress(StoreError):
            if self._oversight.is_cancelled(self._claim):
                self._cancelled.set()

    def _drawing_seconds(self) -> float:
        if self._drawing_since is None:
            return self._drawn
        return self._drawn + self._oversight.clock.monotonic() - self._drawing_since

    def _show(self, place: _Place) -> None:
        try:
            self._oversight.outbox.show_progress(
                self._claim.id,
                {
                    "id": self._claim.id,
                    "node": place.node,
                    "step": place.step,
                    "steps": place.steps,
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
