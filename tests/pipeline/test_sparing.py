"""A ControlNet runs only where something of it would be seen, and the pictures are the same."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel
from PIL import Image

from pipeline.builtin.weights import STYLE_CHANGES, BuiltinWeights
from pipeline.config import DrawingConfig
from pipeline.generator import Generator
from pipeline.sparing import SparingControlNet
from pipeline.styles import load_styles
from store.digest import Digest
from tests.pipeline.samples import quarters

STEPS = 4
MODES = ("variation", "structure")


class Runs:
    """Counts how often a ControlNet is really computed."""

    def __init__(self, controlnet: ControlNetModel) -> None:
        self.count = 0
        self._hook = controlnet.controlnet_mid_block.register_forward_hook(self._note)

    def _note(self, *_: Any) -> None:
        self.count += 1


@pytest.fixture
def runs(generator: Generator) -> Iterator[Runs]:
    counted = Runs(generator.checkpoints.controlnet()[0])
    yield counted
    counted._hook.remove()


def draw(generator: Generator, reference: Image.Image, **parameters: Any) -> Digest:
    fixed: dict[str, Any] = {"style": "anime", "width": 64, "height": 64, "steps": STEPS, "seed": 1, "strength": 1.0}
    return Digest.of(generator.generate_image("a red fox", reference, **{**fixed, **parameters}).images[0].data)


def ending(weights: BuiltinWeights, end: float) -> Generator:
    return Generator(weights, load_styles(builtin=STYLE_CHANGES), DrawingConfig(device="cpu", controlnet_end=end))


@pytest.mark.parametrize("mode", MODES)
def test_at_a_scale_of_0_it_never_runs_and_the_picture_is_the_same(
    mode: str, generator: Generator, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    spared = draw(generator, quarters(64, 64), reference_mode=mode, controlnet_scale=0.0)
    assert runs.count == 0
    monkeypatch.setattr(SparingControlNet, "forward", ControlNetModel.forward)
    assert draw(generator, quarters(64, 64), reference_mode=mode, controlnet_scale=0.0) == spared
    assert runs.count == STEPS


@pytest.mark.parametrize("mode", MODES)
def test_after_its_window_it_rests_and_the_picture_is_the_same(
    mode: str, weights: BuiltinWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = ending(weights, 0.5)
    runs = Runs(generator.checkpoints.controlnet()[0])
    spared = draw(generator, quarters(64, 64), reference_mode=mode)
    assert runs.count == STEPS / 2
    assert draw(ending(weights, 1.0), quarters(64, 64), reference_mode=mode) != spared
    monkeypatch.setattr(SparingControlNet, "forward", ControlNetModel.forward)
    assert draw(generator, quarters(64, 64), reference_mode=mode) == spared
    assert runs.count == STEPS / 2 + STEPS


def test_with_a_weight_it_is_the_controlnet_it_was_made_of(generator: Generator) -> None:
    sparing = generator.checkpoints.controlnet()[0]
    plain = ControlNetModel.from_config(sparing.config)
    plain.load_state_dict(sparing.state_dict())
    pooled = sparing.config.projection_class_embeddings_input_dim - 6 * sparing.config.addition_time_embed_dim
    given = {
        "sample": torch.ones(1, 4, 8, 8),
        "timestep": torch.tensor(10),
        "encoder_hidden_states": torch.ones(1, 77, sparing.config.cross_attention_dim),
        "controlnet_cond": torch.ones(1, 3, 64, 64),
        "added_cond_kwargs": {"text_embeds": torch.ones(1, pooled), "time_ids": torch.ones(1, 6)},
        "conditioning_scale": 0.5,
        "return_dict": False,
    }
    with torch.no_grad():
        (found, middle), (expected, expected_middle) = sparing(**given), plain.eval()(**given)
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))
    assert torch.equal(middle, expected_middle)
