"""One checkpoint at a time is on the device, each in the place of the one before, and pipes share what is there."""

import gc
import itertools
import json
import os
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from diffusers import (
    StableDiffusionXLControlNetImg2ImgPipeline,
    StableDiffusionXLControlNetPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from PIL import Image
from safetensors.torch import load_file, save_file

from pipeline.accelerator import Accelerator, SameMemory
from pipeline.builtin import architecture
from pipeline.builtin.weights import STYLE_CHANGES, BuiltinWeights
from pipeline.checkpoints import Checkpoint, CheckpointCache
from pipeline.config import DrawingConfig
from pipeline.device import Device
from pipeline.generator import Generator
from pipeline.parts import Part, parts_of
from pipeline.pipes import make_pipe, make_scheduler
from pipeline.progress import Progress
from pipeline.request import GenerationRequest
from pipeline.staging import Pairs
from pipeline.styles import Style, load_styles
from pipeline.weights import Located, local_checkpoint
from store.errors import CheckpointBroken, CheckpointMissing, CheckpointReplaced, OutOfMemory, SettingsInvalid
from tests.clock import FakeClock
from tests.pipeline.samples import quarters

ENCODERS = ("text_encoder", "text_encoder_2")
MODELS = ("unet", *ENCODERS)
UNET_FILE = "unet/diffusion_pytorch_model.safetensors"
PIPES = (StableDiffusionXLPipeline, StableDiffusionXLControlNetPipeline, StableDiffusionXLControlNetImg2ImgPipeline)
STYLES = load_styles(builtin=STYLE_CHANGES)
ANIME, REALISTIC, SEMI = (STYLES.find(name) for name in ("anime", "realistic", "semi_realistic"))
SMALL: dict[str, Any] = {"width": 64, "height": 64, "steps": 2, "seed": 1}
PARAMETER = torch.nn.Parameter
EVERY_COPY = len(MODELS)


class CountsParameters(Device):
    """A device that is as full as there are parameters alive in this process."""

    def memory(self) -> int:
        parameters = [thing for thing in gc.get_objects() if type(thing) is PARAMETER]
        return sum(parameter.nbytes for parameter in parameters if parameter.device.type != "meta")


COUNTING = CountsParameters(name="cpu", dtype=torch.float32)


class EachCopyTakesAMinute(SameMemory):
    """A slow way to the device; notes how full the device is when a copy begins."""

    def __init__(self, clock: FakeClock, device: Device) -> None:
        self._clock = clock
        self._device = device
        self.memory: list[int] = []

    def copy(self, pairs: Pairs) -> None:
        self.memory.append(self._device.memory())
        self._clock.advance(60)
        super().copy(pairs)


class CopyBreaksOff(SameMemory):
    """The device fails in the middle of a copy, as often as it is told to."""

    def __init__(self) -> None:
        self.failures = 0

    def copy(self, pairs: Pairs) -> None:
        if self.failures:
            self.failures -= 1
            super().copy(pairs[: len(pairs) // 2])
            raise RuntimeError("an illegal memory access was encountered")
        super().copy(pairs)


class TheLastFileIsUnreadable(SameMemory):
    """Files are read beside the drawing, and whoever waits for the UNet's hears that one could not be."""

    def __init__(self) -> None:
        self.fails = False

    def wait(self) -> None:
        if self.fails:
            self.fails = False
            raise OSError(5, "Input/output error")


class SomebodyReplacesTheFile(SameMemory):
    """While the weights are copied, a file is written anew."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.replace = False

    def copy(self, pairs: Pairs) -> None:
        super().copy(pairs)
        if self.replace:
            self.replace = False
            tensors = {key: tensor * 2 for key, tensor in load_file(self._file).items()}
            save_file(tensors, self._file, {"format": "pt"})


class SeveralFilesAreOverwritten(SameMemory):
    """While the first weights are copied, these files get other numbers, in place, one after the other."""

    def __init__(self, files: list[Path]) -> None:
        self._files = files

    def copy(self, pairs: Pairs) -> None:
        super().copy(pairs)
        for file in self._files:
            overwrite(file)
        self._files = []


class TheDiskGoesAway(SameMemory):
    """As soon as weights are copied, nobody can look at their files any more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def copy(self, pairs: Pairs) -> None:
        super().copy(pairs)
        self._monkeypatch.setattr("pipeline.weights._stamp", no_disk)


class PulledAtARevision(BuiltinWeights):
    """The same bytes, first under one revision and later under another."""

    revision = "a" * 40

    def checkpoint(self, style: Style) -> Located:
        located = super().checkpoint(style)
        return replace(located, record=located.record.model_copy(update={"revision": self.revision}))


class OutOfMemoryInTheMiddle(Progress):
    """Plays a GPU that is full after the first step."""

    def step(self, node: str, step: int, of: int) -> None:
        raise torch.OutOfMemoryError("out of memory")


def new_cache(
    weights: BuiltinWeights,
    clock: FakeClock | None = None,
    accelerator: Accelerator | None = None,
    host_cache_bytes: int | None = None,
) -> CheckpointCache:
    return CheckpointCache(
        weights, STYLES, COUNTING, clock or FakeClock(), accelerator=accelerator, host_cache_bytes=host_cache_bytes
    )


def new_generator(weights: BuiltinWeights, **overrides: dict[str, Any]) -> Generator:
    return Generator(weights, load_styles(overrides, builtin=STYLE_CHANGES), DrawingConfig(device="cpu"))


def draw(generator: Generator, style: str, reference: Image.Image | None = None, **parameters: Any) -> bytes:
    drawing = generator.generate_image("a red fox", reference, style=style, **{**SMALL, **parameters})
    return drawing.images[0].data


def places(checkpoint: Checkpoint) -> list[int]:
    """Where in memory every weight of a checkpoint lies."""
    return [tensor.data_ptr() for name in MODELS for tensor in checkpoint.parts[name].state_dict().values()]


def values(checkpoint: Checkpoint) -> list[torch.Tensor]:
    return [tensor.clone() for name in MODELS for tensor in checkpoint.parts[name].state_dict().values()]


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(torch.equal(left, right) for left, right in zip(one, other, strict=True))


@pytest.mark.parametrize("host_cache_bytes", [None, 0, 5_000_000], ids=["kept", "streamed", "some kept"])
def test_a_swap_copies_into_the_same_storage_and_makes_nothing(
    host_cache_bytes: int | None, weights: BuiltinWeights
) -> None:
    cache = new_cache(weights, host_cache_bytes=host_cache_bytes)
    first, _ = cache.bring(ANIME)
    where, what, size = places(first), values(first), cache.device.memory()
    for style in (REALISTIC, SEMI, ANIME, SEMI, REALISTIC):
        checkpoint, swap = cache.bring(style)
        assert [checkpoint.parts[name] is first.parts[name] for name in MODELS] == [True, True, True]
        assert places(checkpoint) == where
        assert not same(values(checkpoint), what) or style is ANIME
        assert swap.memory_before == swap.memory_after == size
    assert same(values(cache.bring(ANIME)[0]), what)


@pytest.mark.parametrize("host_cache_bytes", [None, 0], ids=["kept", "streamed"])
def test_pictures_are_the_same_after_any_sequence_of_swaps(
    host_cache_bytes: int | None, weights: BuiltinWeights
) -> None:
    names = ("anime", "ultra_realistic", "semi_realistic")
    alone = {name: draw(new_generator(weights), name, quarters(64, 64)) for name in names}
    config = DrawingConfig(device="cpu", host_cache_gb=None if host_cache_bytes is None else 0)
    swapping = Generator(weights, STYLES, config)
    order = [name for pair in itertools.permutations(names, 2) for name in pair]
    assert {(name, draw(swapping, name, quarters(64, 64))) for name in order} == set(alone.items())


def test_only_what_differs_between_two_checkpoints_is_copied(weights: BuiltinWeights, mine: Path) -> None:
    change_unet(mine)
    style = replace_style(ANIME, name="mine", checkpoint=str(mine))
    cache = new_cache(weights, clock=(clock := FakeClock()), accelerator=(way := EachCopyTakesAMinute(clock, COUNTING)))
    cache.bring(ANIME)
    assert len(way.memory) == EVERY_COPY
    _, swap = cache.bring(style)
    assert (len(way.memory), swap.seconds) == (EVERY_COPY + 1, 60)


def test_a_copy_that_breaks_off_is_made_again_before_anything_is_drawn(weights: BuiltinWeights) -> None:
    expected = {style.name: values(new_cache(weights).bring(style)[0]) for style in (ANIME, REALISTIC)}
    for failures in range(1, 4):
        cache = new_cache(weights, accelerator=(way := CopyBreaksOff()))
        cache.bring(ANIME)
        way.failures = failures
        for _ in range(failures):
            with pytest.raises(RuntimeError, match="illegal memory access"):
                cache.bring(REALISTIC)
            assert cache.resident is None
        assert same(values(cache.bring(ANIME)[0]), expected["anime"])
        assert same(values(cache.bring(REALISTIC)[0]), expected["ultra_realistic"])


def test_weights_that_could_not_be_read_are_told_to_whoever_wants_them_and_to_nobody_else(
    weights: BuiltinWeights,
) -> None:
    expected = values(new_cache(weights).bring(REALISTIC)[0])
    cache = new_cache(weights, accelerator=(way := TheLastFileIsUnreadable()), host_cache_bytes=0)
    cache.begin(ANIME)
    way.fails = True
    with pytest.raises(OSError, match="Input/output error"):
        cache.finish()
    assert cache.resident is None
    cache.begin(ANIME)
    way.fails = True
    assert same(values(cache.bring(REALISTIC)[0]), expected)


def test_a_drawing_that_fails_while_its_unet_comes_leaves_it_to_be_copied_again(weights: BuiltinWeights) -> None:
    cache = new_cache(weights)
    expected = values(cache.bring(REALISTIC)[0])
    cache.bring(ANIME)
    cache.begin(REALISTIC)
    assert cache.resident is None
    checkpoint, _ = cache.bring(REALISTIC)
    assert same(values(checkpoint), expected)
    assert cache.resident == "ultra_realistic"


def test_a_file_replaced_while_it_is_read_is_noticed_and_read_again(weights: BuiltinWeights, mine: Path) -> None:
    style = replace_style(ANIME, name="mine", checkpoint=str(mine))
    cache = new_cache(weights, accelerator=(way := SomebodyReplacesTheFile(mine / UNET_FILE)))
    cache.bring(ANIME)
    change_unet(mine)
    way.replace = True
    with pytest.raises(CheckpointReplaced, match=r"mine/unet: a file was replaced while it was read"):
        cache.bring(style)
    checkpoint, _ = cache.bring(style)
    found, expected = checkpoint.parts["unet"].state_dict(), load_file(mine / UNET_FILE)
    assert all(torch.equal(found[key], expected[key].float()) for key in expected)


@pytest.mark.parametrize("host_cache_bytes", [100_000_000, 0], ids=["kept", "streamed"])
def test_of_several_files_replaced_while_they_are_read_none_passes_for_the_old_one_later(
    host_cache_bytes: int, weights: BuiltinWeights, mine: Path
) -> None:
    files = [mine / name / "model.safetensors" for name in ENCODERS]
    before = [file.read_bytes() for file in files]
    style = replace_style(ANIME, name="mine", checkpoint=str(mine))
    expected = values(new_cache(weights).bring(style)[0])
    cache = new_cache(weights, accelerator=SeveralFilesAreOverwritten(files[::-1]), host_cache_bytes=host_cache_bytes)
    with pytest.raises(CheckpointReplaced, match="mine/text_encoder: "):
        cache.bring(style)
    for file, content in zip(files, before, strict=True):
        file.write_bytes(content)
    assert same(values(cache.bring(style)[0]), expected)


def test_weights_of_a_drawing_that_failed_before_they_were_looked_at_again_are_read_again(
    weights: BuiltinWeights, mine: Path
) -> None:
    unet = mine / UNET_FILE
    before = unet.read_bytes()
    style = replace_style(ANIME, name="mine", checkpoint=str(mine))
    expected = values(new_cache(weights).bring(style)[0])
    cache = new_cache(weights, accelerator=SeveralFilesAreOverwritten([unet]), host_cache_bytes=100_000_000)
    cache.begin(style)
    unet.write_bytes(before)
    cache.bring(REALISTIC)
    assert same(values(cache.bring(style)[0]), expected)


def test_weights_that_cannot_be_looked_at_again_are_not_kept(
    weights: BuiltinWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = new_cache(weights, accelerator=TheDiskGoesAway(monkeypatch), host_cache_bytes=100_000_000)
    with pytest.raises(OSError, match="the disk is gone"):
        cache.bring(ANIME)
    assert cache._slots._tier.bytes == 0


def test_a_file_replaced_just_before_it_is_read_does_not_pass_for_the_old_one(
    weights: BuiltinWeights, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    style = replace_style(ANIME, name="mine", checkpoint=str(mine))
    cache = new_cache(weights)
    cache.bring(ANIME)
    change_unet(mine)
    read = cache._slots._read

    def read_late(part: Part) -> Any:
        change_unet(mine)
        return read(part)

    monkeypatch.setattr(cache._slots, "_read", read_late)
    with pytest.raises(CheckpointReplaced):
        cache.bring(style)
    monkeypatch.undo()
    assert cache.bring(style)[0].record.sha256 == local_checkpoint(style, str(mine)).record.sha256


def test_a_description_edited_on_disk_is_read_again(weights: BuiltinWeights, mine: Path) -> None:
    style = replace_style(ANIME, name="mine", checkpoint=str(mine))
    cache = new_cache(weights)
    before, _ = cache.bring(style)
    edit(mine / "scheduler/scheduler_config.json", prediction_type="epsilon")
    after, _ = cache.bring(style)
    assert before.parts["scheduler"].config.prediction_type == "v_prediction"
    assert after.parts["scheduler"].config.prediction_type == "epsilon"
    assert after.reader != before.reader


def test_prompts_are_read_again_by_another_tokenizer(weights: BuiltinWeights, mine: Path) -> None:
    style = replace_style(ANIME, name="mine", checkpoint=str(mine))
    cache = new_cache(weights)
    edit(mine / "tokenizer/tokenizer_config.json", pad_token="!")
    assert cache.bring(style)[0].reader != cache.bring(ANIME)[0].reader
    assert cache.bring(SEMI)[0].reader != cache.bring(ANIME)[0].reader


def test_vae_and_controlnet_stay_the_same_objects_through_all_swaps(weights: BuiltinWeights) -> None:
    generator = new_generator(weights)
    shared = (generator.checkpoints.vae()[0], generator.checkpoints.controlnet()[0])
    places = [parameter.data_ptr() for model in shared for parameter in model.parameters()]
    for style in ("anime", "ultra_realistic", "anime"):
        draw(generator, style, quarters(64, 64))
    assert generator.checkpoints.vae()[0] is shared[0]
    assert generator.checkpoints.controlnet()[0] is shared[1]
    assert [parameter.data_ptr() for model in shared for parameter in model.parameters()] == places


def test_another_architecture_gets_storage_of_its_own_once_the_old_one_is_free(
    weights: BuiltinWeights, mine: Path
) -> None:
    widen(mine)
    style = replace_style(ANIME, name="wide", checkpoint=str(mine))
    cache = new_cache(weights, clock=(clock := FakeClock()), accelerator=(way := EachCopyTakesAMinute(clock, COUNTING)))
    gc.collect()
    empty = cache.device.memory()
    narrow, _ = cache.bring(ANIME)
    wide, swap = cache.bring(style)
    assert wide.parts["unet"] is not narrow.parts["unet"]
    assert [wide.parts[name] is narrow.parts[name] for name in ENCODERS] == [True, True]
    size = sum(parameter.nbytes for name in MODELS for parameter in wide.parts[name].parameters())
    assert max(way.memory) == empty + size == swap.memory_after
    assert all(parameter.is_meta for parameter in narrow.parts["unet"].parameters())
    expected = values(new_cache(weights).bring(ANIME)[0])
    assert same(values(cache.bring(ANIME)[0]), expected)


def test_a_swap_says_what_it_cost(weights: BuiltinWeights) -> None:
    gc.collect()
    empty, clock = COUNTING.memory(), FakeClock()
    cache = new_cache(weights, clock=clock, accelerator=EachCopyTakesAMinute(clock, COUNTING))
    checkpoint, first = cache.bring(ANIME)
    one = sum(parameter.nbytes for name in MODELS for parameter in checkpoint.parts[name].parameters())
    _, second = cache.bring(REALISTIC)
    assert first.detail() == {"swap_seconds": 180.0, "memory_before": empty, "memory_after": empty + one}
    assert second.detail() == {"swap_seconds": 180.0, "memory_before": empty + one, "memory_after": empty + one}


def test_reading_the_prompt_is_no_part_of_a_swap_s_seconds(weights: BuiltinWeights) -> None:
    cache = new_cache(weights, clock=(clock := FakeClock()), accelerator=EachCopyTakesAMinute(clock, COUNTING))
    cache.begin(ANIME)
    clock.advance(5)
    assert cache.finish().seconds == 180


def test_bringing_what_is_there_costs_nothing(weights: BuiltinWeights) -> None:
    cache = new_cache(weights, accelerator=(way := CopyBreaksOff()))
    checkpoint, _ = cache.bring(ANIME)
    way.failures = 1
    again, swap = cache.bring(ANIME)
    assert again.parts["unet"] is checkpoint.parts["unet"]
    assert swap.seconds == 0
    assert swap.memory_before == swap.memory_after > 0


def test_a_style_that_differs_in_its_words_only_costs_no_swap(weights: BuiltinWeights) -> None:
    wordy = replace_style(ANIME, name="wordy", positive="a drawing of {prompt}", steps=3)
    cache = new_cache(weights)
    checkpoint, _ = cache.bring(ANIME)
    again, swap = cache.bring(wordy)
    assert again.parts == checkpoint.parts
    assert (swap.seconds, cache.resident) == (0, "wordy")


def test_a_checkpoint_that_is_broken_or_missing_leaves_what_is_there(
    weights: BuiltinWeights, mine: Path, tmp_path: Path
) -> None:
    generator = new_generator(
        weights,
        broken={"based_on": "anime", "checkpoint": str(mine)},
        lost={"based_on": "anime", "checkpoint": str(tmp_path / "lost")},
    )
    expected = draw(generator, "anime")
    (mine / UNET_FILE).write_bytes((mine / UNET_FILE).read_bytes()[:-100])
    for style, error in (("broken", CheckpointBroken), ("lost", CheckpointMissing)):
        with pytest.raises(error):
            draw(generator, style)
        assert generator.checkpoints.resident == "anime"
    assert generator.checkpoints.bring(generator.styles.find("anime"))[1].seconds == 0
    assert draw(generator, "anime") == expected


def test_unloading_frees_the_device_whoever_holds_the_models(weights: BuiltinWeights) -> None:
    gc.collect()
    empty = COUNTING.memory()
    cache = new_cache(weights)
    checkpoint, _ = cache.bring(ANIME)
    expected = values(checkpoint)
    cache.unload()
    assert (cache.device.memory(), cache.resident) == (empty, None)
    assert same(values(cache.bring(ANIME)[0]), expected)


def test_a_checkpoint_mended_on_disk_draws_without_a_restart(weights: BuiltinWeights, mine: Path) -> None:
    generator = new_generator(weights, mine={"based_on": "anime", "checkpoint": str(mine)})
    unet = mine / UNET_FILE
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
    size = (mine / UNET_FILE).stat().st_size
    change_unet(mine)
    assert (mine / UNET_FILE).stat().st_size == size
    cache.bring(REALISTIC)
    assert cache.bring(style)[0].record.sha256 != before.sha256


def test_the_same_bytes_at_another_revision_are_recorded_at_that_one_and_not_copied(builtin_cache: Path) -> None:
    weights = PulledAtARevision(builtin_cache)
    cache = new_cache(weights)
    cache.bring(ANIME)
    weights.revision = "b" * 40
    checkpoint, swap = cache.bring(ANIME)
    assert (checkpoint.record.revision, swap.seconds) == ("b" * 40, 0)


@pytest.mark.parametrize("changed", ["weights", "description"])
def test_a_checkpoint_replaced_between_its_record_and_its_parts_is_not_drawn_under_that_record(
    changed: str, weights: BuiltinWeights, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replaced_meanwhile(located: Located) -> Any:
        if changed == "weights":
            change_unet(mine)
        else:
            edit(mine / "scheduler/scheduler_config.json", prediction_type="v_prediction")
        return parts_of(located)

    style = replace_style(ANIME, name="mine", checkpoint=str(mine))
    cache = new_cache(weights)
    cache.bring(ANIME)
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.described.parts_of", replaced_meanwhile)
        with pytest.raises(CheckpointReplaced, match="mine: a file was replaced while it was looked at"):
            cache.bring(style)
    assert cache.resident == "anime"
    assert cache.bring(style)[0].record == local_checkpoint(style, str(mine)).record


def test_the_error_of_a_drawing_without_memory_holds_none_of_it(weights: BuiltinWeights) -> None:
    generator = new_generator(weights)
    expected = draw(generator, "anime")
    request = GenerationRequest(prompt="a red fox", style="anime", **SMALL)
    with pytest.raises(OutOfMemory, match="memory ran out in the node 'text2image'") as held:
        generator.draw(request, seed=1, progress=OutOfMemoryInTheMiddle())
    cause = held.value.__cause__
    assert isinstance(cause, torch.OutOfMemoryError)
    frames = [frame for frame, _ in traceback.walk_tb(cause.__traceback__)]
    held_tensors = [value for frame in frames[2:] for value in frame.f_locals.values() if torch.is_tensor(value)]
    assert held_tensors == []
    assert draw(generator, "ultra_realistic") != expected
    assert draw(generator, "anime") == expected


def test_pipes_share_their_parts_and_not_their_scheduler(weights: BuiltinWeights) -> None:
    cache = new_cache(weights)
    checkpoint, _ = cache.bring(ANIME)
    controlnet, vae = cache.controlnet()[0], cache.vae()[0]
    pipes = [make_pipe(kind, checkpoint, ANIME, vae=vae, **_more(kind, controlnet)) for kind in PIPES]
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
    assert cache.bring(ANIME)[0].parts == checkpoint.parts
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


def replace_style(style: Style, **changes: Any) -> Style:
    return Style.model_validate({**style.model_dump(), **changes})


def change_unet(checkpoint: Path) -> None:
    file = checkpoint / UNET_FILE
    save_file({key: tensor * 2 for key, tensor in load_file(file).items()}, file, {"format": "pt"})


def overwrite(file: Path) -> None:
    """Turn the last bytes of a file around, so that its size and inode stay."""
    with file.open("r+b") as opened:
        opened.seek(-100_000, os.SEEK_END)
        last = opened.read()
        opened.seek(-len(last), os.SEEK_END)
        opened.write(last[::-1])


def no_disk(*args: object) -> NoReturn:
    raise OSError("the disk is gone")


def edit(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **changes}), "utf-8")


def widen(checkpoint: Path) -> None:
    """Give a checkpoint a UNet of another width."""
    config = {**architecture.unet(architecture.SHIPPED), "block_out_channels": (32, 64, 128)}
    UNet2DConditionModel(**config).half().save_pretrained(checkpoint / "unet")


def _more(kind: type[Any], controlnet: object) -> dict[str, Any]:
    return {} if kind is StableDiffusionXLPipeline else {"controlnet": controlnet}


def _bits(model: torch.nn.Module) -> list[tuple[torch.dtype, float]]:
    return [(tensor.dtype, float(tensor.double().sum())) for tensor in model.state_dict().values()]
