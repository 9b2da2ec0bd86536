"""One checkpoint at a time is loaded, nothing of the old one stays, and pipes share what is loaded."""

import gc
import shutil
import weakref
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    StableDiffusionXLControlNetImg2ImgPipeline,
    StableDiffusionXLControlNetPipeline,
    StableDiffusionXLPipeline,
)
from PIL import Image
from safetensors.torch import load_file, save_file

from pipeline import checkpoints
from pipeline.builtin.weights import STYLE_CHANGES, BuiltinWeights
from pipeline.checkpoints import CheckpointCache
from pipeline.config import DrawingConfig
from pipeline.device import Device
from pipeline.generator import Generator
from pipeline.loading import load_checkpoint
from pipeline.pipes import make_pipe, make_scheduler
from pipeline.progress import Progress
from pipeline.request import GenerationRequest
from pipeline.styles import Style, Styles, load_styles
from pipeline.weights import Located
from store.errors import CheckpointBroken, CheckpointMissing, NodeFailed, SettingsInvalid
from tests.clock import FakeClock
from tests.pipeline.samples import quarters

MODELS = ("unet", "text_encoder", "text_encoder_2")
PIPES = (StableDiffusionXLPipeline, StableDiffusionXLControlNetPipeline, StableDiffusionXLControlNetImg2ImgPipeline)
STYLES = load_styles(builtin=STYLE_CHANGES)
ANIME, REALISTIC, SEMI = (STYLES.find(name) for name in ("anime", "realistic", "semi_realistic"))
SMALL: dict[str, Any] = {"width": 64, "height": 64, "steps": 2, "seed": 1}
PARAMETER = torch.nn.Parameter


class CountsParameters(Device):
    """A device that is as full as there are parameters alive in this process."""

    def memory(self) -> int:
        parameters = [thing for thing in gc.get_objects() if type(thing) is PARAMETER]
        return sum(parameter.nbytes for parameter in parameters if parameter.device.type != "meta")


class LoadTakesAMinute:
    """Stands for load_checkpoint from a slow disk; notes how full the device is when it starts."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.memory_at_start: list[int] = []

    def __call__(self, located: Located, device: Device) -> dict[str, Any]:
        self.memory_at_start.append(device.memory())
        self._clock.advance(60)
        return load_checkpoint(located, device)


class OutOfMemoryInTheMiddle(Progress):
    """Plays a GPU that is full after the first step."""

    def step(self, node: str, step: int, of: int) -> None:
        raise torch.OutOfMemoryError("out of memory")


def new_cache(weights: BuiltinWeights, styles: Styles = STYLES, clock: FakeClock | None = None) -> CheckpointCache:
    device = CountsParameters(name="cpu", dtype=torch.float32)
    return CheckpointCache(weights, styles, device, clock or FakeClock())


def new_generator(weights: BuiltinWeights, **overrides: dict[str, Any]) -> Generator:
    return Generator(weights, load_styles(overrides, builtin=STYLE_CHANGES), DrawingConfig(device="cpu"))


def draw(generator: Generator, style: str, reference: Image.Image | None = None, **parameters: Any) -> bytes:
    drawing = generator.generate_image("a red fox", reference, style=style, **{**SMALL, **parameters})
    return drawing.images[0].data


def watched(cache: CheckpointCache) -> list[weakref.ref[Any]]:
    """Weak references to the resident's models and to all of their parameters."""
    resident = cache.resident
    assert resident is not None
    checkpoint, swap = cache.bring(STYLES.find(resident))
    assert swap.seconds == 0
    models = [checkpoint.parts[name] for name in MODELS]
    parameters = [parameter for model in models for parameter in model.parameters()]
    return [weakref.ref(thing) for thing in (*models, *parameters)]


def alive(references: Iterable[weakref.ref[Any]]) -> int:
    return sum(reference() is not None for reference in references)


def test_after_a_swap_nothing_of_the_old_checkpoint_is_alive(weights: BuiltinWeights) -> None:
    generator = new_generator(weights)
    first = draw(generator, "anime")
    of_anime = watched(generator.checkpoints)
    assert alive(of_anime) == len(of_anime) > 400
    draw(generator, "ultra_realistic", quarters(64, 64))
    of_realistic = watched(generator.checkpoints)
    assert (alive(of_anime), alive(of_realistic)) == (0, len(of_realistic))
    assert draw(generator, "anime") == first
    assert alive(of_realistic) == 0


def test_vae_and_controlnet_stay_the_same_objects_through_all_swaps(weights: BuiltinWeights) -> None:
    generator = new_generator(weights)
    shared = (generator.checkpoints.vae()[0], generator.checkpoints.controlnet()[0])
    places = [parameter.data_ptr() for model in shared for parameter in model.parameters()]
    for style in ("anime", "ultra_realistic", "anime"):
        draw(generator, style, quarters(64, 64))
    assert generator.checkpoints.vae()[0] is shared[0]
    assert generator.checkpoints.controlnet()[0] is shared[1]
    assert [parameter.data_ptr() for model in shared for parameter in model.parameters()] == places


def test_the_old_checkpoint_is_gone_before_the_new_one_is_read(
    weights: BuiltinWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = new_cache(weights, clock=(clock := FakeClock()))
    load = LoadTakesAMinute(clock)
    monkeypatch.setattr(checkpoints, "load_checkpoint", load)
    gc.collect()
    empty = cache.device.memory()
    for style in (ANIME, REALISTIC, ANIME):
        cache.bring(style)
    assert load.memory_at_start == [empty, empty, empty]


def test_a_swap_says_what_it_cost(weights: BuiltinWeights, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = new_cache(weights, clock=(clock := FakeClock()))
    monkeypatch.setattr(checkpoints, "load_checkpoint", LoadTakesAMinute(clock))
    gc.collect()
    empty = cache.device.memory()
    checkpoint, first = cache.bring(ANIME)
    one = sum(parameter.nbytes for name in MODELS for parameter in checkpoint.parts[name].parameters())
    del checkpoint
    _, second = cache.bring(REALISTIC)
    assert first.detail() == {"swap_seconds": 60.0, "memory_before": empty, "memory_after": empty + one}
    assert second.detail() == {"swap_seconds": 60.0, "memory_before": empty + one, "memory_after": empty + one}


def test_bringing_what_is_there_costs_nothing(weights: BuiltinWeights, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = new_cache(weights)
    checkpoint, _ = cache.bring(ANIME)
    monkeypatch.setattr(checkpoints, "load_checkpoint", None)
    again, swap = cache.bring(ANIME)
    assert again is checkpoint
    assert swap.seconds == 0
    assert swap.memory_before == swap.memory_after > 0


def test_a_style_that_differs_in_its_words_only_costs_no_swap(weights: BuiltinWeights) -> None:
    wordy = replace_style(ANIME, name="wordy", positive="a drawing of {prompt}", steps=3)
    cache = new_cache(weights)
    checkpoint, _ = cache.bring(ANIME)
    again, swap = cache.bring(wordy)
    assert again is checkpoint
    assert (swap.seconds, cache.resident) == (0, "wordy")


def test_a_broken_checkpoint_leaves_nothing_loaded_and_the_next_style_draws(
    weights: BuiltinWeights, mine: Path
) -> None:
    generator = new_generator(weights, broken={"based_on": "anime", "checkpoint": str(mine)})
    shutil.rmtree(mine / "unet")
    expected = draw(generator, "anime")
    of_anime = watched(generator.checkpoints)
    with pytest.raises(CheckpointBroken) as held:
        draw(generator, "broken")
    assert (generator.checkpoints.resident, alive(of_anime)) == (None, 0)
    assert draw(generator, "anime") == expected
    assert held.value.code == "checkpoint_broken"


def test_a_checkpoint_that_is_missing_leaves_what_is_there(weights: BuiltinWeights, tmp_path: Path) -> None:
    generator = new_generator(weights, lost={"based_on": "anime", "checkpoint": str(tmp_path / "lost")})
    draw(generator, "anime")
    of_anime = watched(generator.checkpoints)
    with pytest.raises(CheckpointMissing):
        draw(generator, "lost")
    assert (generator.checkpoints.resident, alive(of_anime)) == ("anime", len(of_anime))


def test_a_checkpoint_mended_on_disk_draws_without_a_restart(weights: BuiltinWeights, mine: Path) -> None:
    generator = new_generator(weights, mine={"based_on": "anime", "checkpoint": str(mine)})
    unet = mine / "unet/diffusion_pytorch_model.safetensors"
    whole = unet.read_bytes()
    unet.write_bytes(whole[:-100])
    with pytest.raises(CheckpointBroken):
        draw(generator, "mine")
    unet.write_bytes(whole)
    assert draw(generator, "mine") == draw(
        generator, "anime", guidance_scale=generator.styles.find("mine").guidance_scale
    )


def test_a_checkpoint_replaced_on_disk_is_recorded_as_what_it_is_now(weights: BuiltinWeights, mine: Path) -> None:
    style = replace_style(ANIME, name="mine", checkpoint=str(mine))
    cache = new_cache(weights)
    before = cache.bring(style)[0].record
    cache.bring(REALISTIC)
    assert cache.bring(style)[0].record == before
    unet = mine / "unet/diffusion_pytorch_model.safetensors"
    size = unet.stat().st_size
    save_file({key: tensor * 2 for key, tensor in load_file(unet).items()}, unet, {"format": "pt"})
    assert unet.stat().st_size == size
    cache.bring(REALISTIC)
    assert cache.bring(style)[0].record.sha256 != before.sha256


def test_the_error_of_a_failed_drawing_keeps_no_weights_when_the_next_style_comes(weights: BuiltinWeights) -> None:
    generator = new_generator(weights)
    expected = draw(generator, "anime")
    parameters = watched(generator.checkpoints)[len(MODELS) :]
    request = GenerationRequest(prompt="a red fox", style="anime", **SMALL)
    with pytest.raises(NodeFailed) as held:
        generator.draw(request, seed=1, progress=OutOfMemoryInTheMiddle())
    draw(generator, "ultra_realistic")
    assert alive(parameters) == 0
    assert isinstance(held.value.__cause__, torch.OutOfMemoryError)
    assert draw(generator, "anime") == expected


def test_pipes_share_their_parts_and_not_their_scheduler(weights: BuiltinWeights) -> None:
    cache = new_cache(weights)
    checkpoint, _ = cache.bring(ANIME)
    controlnet, vae = cache.controlnet()[0], cache.vae()[0]
    pipes = [make_pipe(kind, checkpoint, cache, ANIME, **_more(kind, controlnet)) for kind in PIPES]
    for pipe in pipes:
        assert all(getattr(pipe, name) is checkpoint.parts[name] for name in (*MODELS, "tokenizer", "tokenizer_2"))
        assert pipe.vae is vae
    assert all(pipe.controlnet is controlnet for pipe in pipes[1:])
    schedulers = [*(pipe.scheduler for pipe in pipes), checkpoint.parts["scheduler"]]
    assert len({id(scheduler) for scheduler in schedulers}) == len(schedulers)


def test_drawing_changes_neither_precision_nor_configuration_of_what_is_shared(weights: BuiltinWeights) -> None:
    generator = new_generator(weights)
    cache = generator.checkpoints
    checkpoint, _ = cache.bring(ANIME)
    models = [*(checkpoint.parts[name] for name in MODELS), cache.vae()[0], cache.controlnet()[0]]
    config, bits = dict(checkpoint.parts["scheduler"].config), [_bits(model) for model in models]
    first = draw(generator, "anime")
    draw(generator, "anime", quarters(64, 64))
    draw(generator, "anime", quarters(64, 64), reference_mode="structure")
    assert cache.bring(ANIME)[0] is checkpoint
    assert dict(checkpoint.parts["scheduler"].config) == config
    assert [_bits(model) for model in models] == bits
    assert draw(generator, "anime") == first


def test_the_scheduler_is_the_style_s_with_the_checkpoint_s_noise(weights: BuiltinWeights) -> None:
    checkpoint, _ = new_cache(weights).bring(ANIME)
    scheduler = make_scheduler(REALISTIC, checkpoint)
    own = checkpoint.parts["scheduler"].config
    assert type(scheduler).__name__ == "DPMSolverMultistepScheduler"
    assert (scheduler.config.use_karras_sigmas, scheduler.config.euler_at_final) == (True, True)
    assert (
        (scheduler.config.beta_start, scheduler.config.beta_end) == (own.beta_start, own.beta_end) == (0.00085, 0.012)
    )


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"scheduler": "NobodysScheduler"}, "scheduler", "'NobodysScheduler' is not a class of diffusers"),
        ({"scheduler_options": {"use_karras_sigma": True}}, "scheduler_options", "no option use_karras_sigma"),
        ({"scheduler_options": {"trained_betas": "none"}}, "scheduler_options", "EulerAncestralDiscreteScheduler: "),
        ({"scheduler_options": {"beta_schedule": "steep"}}, "scheduler_options", "steep is not implemented"),
    ],
    ids=["unknown class", "unknown option", "wrong type", "wrong value"],
)
def test_a_scheduler_that_cannot_be_made_is_a_fault_of_the_settings(
    change: dict[str, Any], field: str, said: str, weights: BuiltinWeights
) -> None:
    checkpoint, _ = new_cache(weights).bring(ANIME)
    with pytest.raises(SettingsInvalid, match=said) as refused:
        make_scheduler(replace_style(ANIME, **change), checkpoint)
    assert refused.value.field == f"styles.anime.{field}"


def test_a_checkpoint_that_predicts_something_unknown_is_refused(weights: BuiltinWeights) -> None:
    checkpoint, _ = new_cache(weights).bring(ANIME)
    own = checkpoint.parts["scheduler"]
    odd = replace(
        checkpoint, parts={**checkpoint.parts, "scheduler": type(own).from_config(own.config, prediction_type="sample")}
    )
    with pytest.raises(CheckpointBroken, match="prediction_type 'sample'"):
        make_scheduler(ANIME, odd)


def test_a_drawing_that_is_not_a_number_fails_instead_of_coming_out_black(weights: BuiltinWeights) -> None:
    generator = new_generator(weights)
    checkpoint, _ = generator.checkpoints.bring(ANIME)
    with torch.no_grad():
        checkpoint.parts["unet"].conv_out.bias.fill_(torch.inf)
    with pytest.raises(CheckpointBroken, match="'anime': the drawing is not a number"):
        draw(generator, "anime")


def replace_style(style: Style, **changes: Any) -> Style:
    return Style.model_validate({**style.model_dump(), **changes})


def _more(kind: type[Any], controlnet: object) -> dict[str, Any]:
    return {} if kind is StableDiffusionXLPipeline else {"controlnet": controlnet}


def _bits(model: torch.nn.Module) -> list[tuple[torch.dtype, float]]:
    return [(tensor.dtype, float(tensor.double().sum())) for tensor in model.state_dict().values()]
