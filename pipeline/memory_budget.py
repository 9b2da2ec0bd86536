"""Refuses what the device has no memory for, before anything is drawn."""

from collections.abc import Callable
from dataclasses import dataclass

from safetensors import SafetensorError

from pipeline.element_counts import elements_of
from pipeline.memory_plan import GIB, Elements, MemoryPlan, MemoryPlanner, mode_of
from pipeline.sampling import Sampling
from pipeline.styles import Style, Styles, weights_of
from pipeline.weights import Weights, locate
from store.errors import DrawingError, InvalidField


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBudget:
    """So many bytes of device memory, and what drawings with a style's checkpoint take of it."""

    available: int
    planner: Callable[[Style], MemoryPlanner]

    def require(self, style: Style, sampling: Sampling, *, referenced: bool) -> None:
        """Raise InvalidField, with the largest size that fits, where a drawing cannot fit on any rung."""
        size = sampling.size
        varied = sampling.reference_mode == "variation"
        planner = self.planner(style)
        plan = planner.plan(mode_of(referenced=referenced, varied=varied), size.drawn_width, size.drawn_height)
        if plan.rung(self.available) is not None:
            return
        raise InvalidField(
            f"width and height: found {size.width}x{size.height}, drawn as {plan.width}x{plan.height}, which takes"
            f" {plan.peak('cpu') / GIB:.1f} GiB; the device has {self.available / GIB:.1f};"
            f" allowed: {self._allowed(planner, plan)}",
            field="width",
        )

    def leaves_controlnet(self, style: Style, sampling: Sampling) -> bool:
        """Whether a drawing from words needs none of the room of a ControlNet that lies on the device."""
        size = sampling.size
        return self.planner(style).leaves_controlnet(size.drawn_width, size.drawn_height, self.available)

    def _allowed(self, planner: MemoryPlanner, plan: MemoryPlan) -> str:
        largest = planner.largest(plan.mode, plan.width, plan.height, self.available)
        if largest is None:
            return f"no size, because the weights alone take {plan.weights / GIB:.1f} GiB; see `imagegen plan`"
        return f"in this shape at most {largest[0]}x{largest[1]}"


def planner_of(weights: Weights, styles: Styles, bytes_a_number: int) -> Callable[[Style], MemoryPlanner]:
    """Plans by the files that lie on disk, read once a checkpoint; by SDXL's own size where they do not."""
    known: dict[str, MemoryPlanner] = {}

    def planner(style: Style) -> MemoryPlanner:
        name = weights_of(style)
        if name not in known:
            known[name] = MemoryPlanner(elements=_elements(weights, styles, style), bytes_a_number=bytes_a_number)
        return known[name]

    return planner


def _elements(weights: Weights, styles: Styles, style: Style) -> Elements:
    try:
        checkpoint = locate(weights, style)
        return elements_of(checkpoint, weights.vae(styles.vae), weights.controlnet(styles.controlnet))
    except (DrawingError, OSError, SafetensorError):
        # the node that draws says what is missing
        return Elements()
