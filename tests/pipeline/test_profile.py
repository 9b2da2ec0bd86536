"""The fast profile compiles at the start and never again, and its pictures differ from the exact ones by a hair."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.builtin.weights import STYLE_CHANGES, BuiltinWeights
from pipeline.config import DrawingConfig
from pipeline.generator import Generator
from pipeline.profile import tune
from pipeline.styles import load_styles
from tests.pipeline.samples import quarters

# at 128 x 128 a level of the built-in UNet has as many places as channels, and the compiler takes one for the other
STYLES = load_styles(builtin={**STYLE_CHANGES, "native_size": 256})


def studio(weights: BuiltinWeights, **config: Any) -> Generator:
    return Generator(weights, STYLES, DrawingConfig(device="cpu", text_guard="off", **config))


def draw(generator: Generator, style: str, reference: Image.Image | None = None, **parameters: Any) -> Any:
    fixed: dict[str, Any] = {"style": style, "width": 64, "height": 64, "steps": 2, "seed": 1}
    drawing = generator.generate_image("a red fox", reference, **{**fixed, **parameters})
    return np.asarray(Image.open(io.BytesIO(drawing.images[0].data))).astype(int)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What was compiled, counted before it goes to a back end that runs it as it is."""
    graphs: list[Any] = []
    compile_ = torch.nn.Module.compile

    def counting(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    def count(self: torch.nn.Module, **options: Any) -> None:
        compile_(self, backend=counting, **options)

    monkeypatch.setattr(torch.nn.Module, "compile", count)
    torch._dynamo.reset()
    yield graphs
    torch._dynamo.reset()


def test_after_the_warm_up_neither_a_swap_nor_another_size_compiles_anything(
    weights: BuiltinWeights, compiled: list[Any]
) -> None:
    fast = studio(weights, profile="fast")
    fast.warm_up()
    first = len(compiled)
    assert first > 0
    for style in ("anime", "ultra_realistic", "semi_realistic", "anime"):
        draw(fast, style)
        draw(fast, style, quarters(64, 64), width=96, height=72)
        draw(fast, style, width=128, height=64)
    assert len(compiled) == first


def test_a_warm_up_draws_whatever_strength_is_configured(weights: BuiltinWeights) -> None:
    studio(weights, strength=0.1).warm_up()


def test_weights_lie_channels_last_and_swaps_keep_them_so(weights: BuiltinWeights, compiled: list[Any]) -> None:
    fast = studio(weights, profile="fast")
    checkpoint, _ = fast.checkpoints.bring(STYLES.find("anime"))
    models = [checkpoint.parts["unet"], fast.checkpoints.vae()[0], fast.checkpoints.controlnet()[0]]
    fast.checkpoints.bring(STYLES.find("ultra_realistic"))
    for model in models:
        wide = [weight for weight in model.parameters() if weight.ndim == 4 and min(weight.shape[1:]) > 1]
        assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in wide)
        assert len(wide) > 5


def test_the_exact_profile_leaves_a_model_as_it_is() -> None:
    model = torch.nn.Conv2d(4, 4, 3)
    tune(model, "exact")
    assert model.weight.is_contiguous()


def test_the_profile_is_recorded_and_moves_the_fingerprint(weights: BuiltinWeights, compiled: list[Any]) -> None:
    def drawn(**config: Any) -> Any:
        return studio(weights, **config).generate_image(
            "a red fox", style="anime", width=64, height=64, steps=2, seed=1
        )

    exact, fast = drawn(), drawn(profile="fast")
    assert (exact.sampling.profile, fast.sampling.profile) == ("exact", "fast")
    assert exact.fingerprint != fast.fingerprint


@pytest.mark.long
# torch's own, on its way to the compiler
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_really_compiled_the_pictures_differ_from_the_exact_ones_by_a_hair(weights: BuiltinWeights) -> None:
    exact, fast = studio(weights), studio(weights, profile="fast")
    fast.warm_up()
    for style in ("anime", "ultra_realistic"):
        for reference in (None, quarters(64, 64)):
            assert np.abs(draw(fast, style, reference) - draw(exact, style, reference)).max() <= 2
