"""Whatever goes wrong at whatever place, the next request of every style gets the bytes it always gets."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from pipeline.builtin.weights import STYLE_CHANGES, BuiltinWeights
from pipeline.config import DrawingConfig
from pipeline.generator import Generator
from pipeline.nodes.base import BaseNode
from pipeline.progress import Progress
from pipeline.request import GenerationRequest
from pipeline.styles import load_styles
from store.digest import Digest
from store.errors import Cancelled, NodeFailed, OutOfMemory, ServiceError
from tests.pipeline.samples import quarters, reference_of

STYLES = ("anime", "ultra_realistic", "semi_realistic")
NODES = ("prompting", "preprocessing", "controlnet", "image2image", "text2image", "text_guard", "postprocessing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is raised, and what it must be told as."""

    raised: Callable[[], Exception]
    told: type[ServiceError]


FAULTS = {
    "a bug": Fault(raised=lambda: ZeroDivisionError("division by zero"), told=NodeFailed),
    "no memory": Fault(raised=lambda: torch.OutOfMemoryError("CUDA out of memory."), told=OutOfMemory),
    "a cancel": Fault(raised=Cancelled, told=Cancelled),
}


class FailsAtStep(Progress):
    """Somebody ends the drawing from within a step."""

    def __init__(self, fault: Fault, step: int) -> None:
        super().__init__()
        self._fault = fault
        self._step = step

    def step(self, node: str, step: int, steps: int) -> None:
        if step == self._step:
            raise self._fault.raised()


def before(module: torch.nn.Module, fault: Fault, call: int) -> Any:
    """Fail when this module is entered for the so manieth time."""
    calls: list[None] = []

    def enter(*_: Any) -> None:
        calls.append(None)
        if len(calls) == call:
            raise fault.raised()

    return module.register_forward_pre_hook(enter)


@pytest.fixture(scope="module")
def studio(weights: BuiltinWeights) -> Generator:
    return Generator(weights, load_styles(builtin=STYLE_CHANGES), DrawingConfig(device="cpu", text_guard="off"))


@pytest.fixture(scope="module")
def golden(studio: Generator) -> dict[str, Digest]:
    return {style: drawn(studio, style) for style in STYLES}


def drawn(studio: Generator, style: str, progress: Progress | None = None) -> Digest:
    reference = reference_of(quarters(64, 64))
    request = GenerationRequest.model_validate(
        {
            "prompt": "a red fox",
            "style": style,
            "width": 64,
            "height": 64,
            "steps": 3,
            "strength": 1.0,
            "seed": 5,
            "reference_image": {"name": reference.name, "sha256": reference.digest},
        }
    )
    drawing = studio.draw(request, reference, seed=5, progress=progress)
    plain = studio.generate_image("a red fox", style=style, width=64, height=64, steps=2, seed=5)
    return Digest.of(drawing.images[0].data + plain.images[0].data)


@contextmanager
def at_a_node(name: str, fault: Fault, when: str) -> Iterator[None]:
    """Fail before a node has done anything, or when it has done everything."""
    (kind,) = [kind for kind in _kinds(BaseNode) if kind.name == name]
    run = kind.run

    def fails(self: BaseNode, state: Any, progress: Progress) -> Any:
        if when == "behind":
            run(self, state, progress)
        raise fault.raised()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "run", fails)
        yield


def _kinds(kind: type[BaseNode]) -> Iterator[type[BaseNode]]:
    for below in kind.__subclasses__():
        if below.__module__.startswith("pipeline."):
            yield below
        yield from _kinds(below)


every_fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)


@every_fault
@pytest.mark.parametrize("name", NODES)
@pytest.mark.parametrize("when", ["before", "behind"])
def test_a_node_that_fails_leaves_everything_as_it_was(
    name: str, when: str, fault: Fault, studio: Generator, golden: dict[str, Digest]
) -> None:
    with at_a_node(name, fault, when), pytest.raises(fault.told):
        drawn(studio, "anime")
        # only then the node of the branch without a reference
    assert {style: drawn(studio, style) for style in STYLES} == golden


@every_fault
@pytest.mark.parametrize(
    ("model", "call"),
    [("text_encoder", 1), ("text_encoder_2", 2), ("unet", 1), ("unet", 2), ("controlnet", 1), ("encoder", 1)],
)
def test_a_model_that_fails_leaves_everything_as_it_was(
    model: str, call: int, fault: Fault, studio: Generator, golden: dict[str, Digest]
) -> None:
    checkpoint, _ = studio.checkpoints.bring(studio.styles.find("anime"))
    vae = studio.checkpoints.vae()[0]
    models = {**checkpoint.parts, "controlnet": studio.checkpoints.controlnet()[0], "encoder": vae.encoder}
    # what was read before would not be read again
    studio.checkpoints.embeddings._kept.clear()
    hook = before(models[model], fault, call)
    with pytest.raises(fault.told):
        drawn(studio, "anime")
    hook.remove()
    assert {style: drawn(studio, style) for style in STYLES} == golden


@every_fault
@pytest.mark.parametrize("copied", range(3))
@pytest.mark.parametrize("tensors", [0, 7])
def test_a_swap_that_fails_leaves_nothing_half_copied(
    copied: int, tensors: int, fault: Fault, studio: Generator, golden: dict[str, Digest], stack: ExitStack
) -> None:
    drawn(studio, "anime")
    way = studio.checkpoints._slots._accelerator
    copy, begun = way.copy, []

    def fails(pairs: Any) -> None:
        begun.append(None)
        if len(begun) == copied + 1:
            copy(pairs[:tensors])
            raise fault.raised()
        copy(pairs)

    patch = stack.enter_context(pytest.MonkeyPatch.context())
    patch.setattr(way, "copy", fails)
    with pytest.raises(fault.told):
        drawn(studio, "ultra_realistic")
    patch.undo()
    assert studio.checkpoints.resident is None
    assert {style: drawn(studio, style) for style in reversed(STYLES)} == golden


@every_fault
@pytest.mark.parametrize("step", [1, 2])
def test_a_drawing_that_is_ended_at_a_step_leaves_everything_as_it_was(
    step: int, fault: Fault, studio: Generator, golden: dict[str, Digest]
) -> None:
    with pytest.raises(fault.told):
        drawn(studio, "anime", FailsAtStep(fault, step))
    assert {style: drawn(studio, style) for style in STYLES} == golden


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened
