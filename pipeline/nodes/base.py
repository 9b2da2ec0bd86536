"""What a node is: one step that times itself and records how it went."""

import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, final

from pydantic import JsonValue

from pipeline.clock import Clock
from pipeline.config import DrawingConfig
from pipeline.lost_device import is_device_lost
from pipeline.memory_budget import MemoryBudget
from pipeline.out_of_memory import is_out_of_memory
from pipeline.progress import Progress
from pipeline.prompt.keywords import Extractor
from pipeline.state import State
from pipeline.styles import Styles
from store.errors import DeviceLost, NodeFailed, OutOfMemory, ServiceError
from store.manifest import NodeRecord, NodeStatus

if TYPE_CHECKING:
    from pipeline.checkpoints import CheckpointCache


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The node has run: the state it hands on, and what is worth recording."""

    state: State
    detail: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """The node had nothing to do here, and says why."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Redraw:
    """The node wants the drawing nodes to run again from another first seed.

    They draw one picture for each of the state's seeds.  A node that remembers something over the redraw,
    or wants fewer pictures, hands on a state; without one it goes on from the state it was given.
    """

    seed: int
    state: State | None = None
    detail: Mapping[str, JsonValue] = field(default_factory=dict)


Outcome = Done | Skipped | Redraw


@dataclass(frozen=True, slots=True, kw_only=True)
class Studio:
    """What nodes work with; each takes from it what it needs."""

    config: DrawingConfig
    styles: Styles
    checkpoints: "CheckpointCache"
    clock: Clock
    extractor: Extractor
    memory: MemoryBudget | None = None


class BaseNode(ABC):
    """One step of a drawing.

    Subclasses set `name`, list the State fields they read in `needs` and write in `makes`, and
    implement `run`.  `draws` marks the nodes that use the GPU: they wait their turn and are the ones
    repeated by a Redraw.
    """

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    makes: ClassVar[tuple[str, ...]] = ()
    draws: ClassVar[bool] = False

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    @abstractmethod
    def run(self, state: State, progress: Progress) -> Outcome:
        """Do the step; raise a ServiceError that says what to do where it cannot be done."""

    @final
    def __call__(
        self, state: State, progress: Progress, noted: Mapping[str, JsonValue] = MappingProxyType({})
    ) -> Outcome:
        """Run, and record name, status, start, seconds and detail whatever happens.

        noted: what else belongs into the detail.  Raises what `run` raises; what is not an error of the house becomes
        NodeFailed, or OutOfMemory or DeviceLost where that is what it says.
        """
        clock = self.studio.clock
        started_at, started = clock.now(), clock.monotonic()

        def record(status: NodeStatus, detail: Mapping[str, JsonValue]) -> NodeRecord:
            seconds = round(clock.monotonic() - started, 6)
            return NodeRecord(
                name=self.name, status=status, started_at=started_at, seconds=seconds, detail={**detail, **noted}
            )

        progress.begin(self.name)
        try:
            outcome = self.run(state, progress)
            succeeded = record(*_told(outcome))
        except ServiceError as error:
            progress.end(record("failed", {"code": error.code, "message": error.message}))
            raise
        except Exception as error:
            ours = self._as_ours(error)
            progress.end(record("failed", {"code": ours.code, "message": repr(error)}))
            raise ours from error
        progress.end(succeeded)
        return outcome

    def _as_ours(self, error: Exception) -> ServiceError:
        if is_device_lost(error):
            return DeviceLost(f"{DeviceLost.__doc__} The node {self.name!r} says: {error}")
        if not is_out_of_memory(error):
            return NodeFailed(f"the node {self.name!r} failed: {error!r}")
        # its frames hold what filled the memory, for as long as anybody holds the error
        traceback.clear_frames(error.__traceback__)
        return OutOfMemory(f"memory ran out in the node {self.name!r}: {error}; ask for fewer pixels, or free memory")

    @final
    def pass_over(self, progress: Progress, reason: str) -> None:
        """Record that the node was left out, and why."""
        record = NodeRecord(
            name=self.name,
            status="skipped",
            started_at=self.studio.clock.now(),
            seconds=0.0,
            detail={"reason": reason},
        )
        progress.end(record)


def _told(outcome: object) -> tuple[NodeStatus, Mapping[str, JsonValue]]:
    match outcome:
        case Done(detail=detail):
            return "succeeded", detail
        case Redraw(seed=seed, detail=detail):
            return "succeeded", {**detail, "redraw_seed": seed}
        case Skipped(reason=reason):
            return "skipped", {"reason": reason}
    raise TypeError(f"run returned {type(outcome).__name__}; it must return Done, Skipped or Redraw")
