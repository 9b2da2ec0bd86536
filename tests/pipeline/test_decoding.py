"""A picture whose latents are there is not lost: it is decoded where memory suffices, and in a precision that holds."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from diffusers.image_processor import VaeImageProcessor

from pipeline.builtin.weights import STYLE_CHANGES, BuiltinWeights
from pipeline.config import DrawingConfig
from pipeline.decoding import Decoded, decode
from pipeline.device import Device
from pipeline.drawing import Drawing
from pipeline.generator import Generator
from pipeline.lettering import Box
from pipeline.loading import load_vae
from pipeline.nodes import text_guard
from pipeline.styles import load_styles
from store.errors import CheckpointBroken, OutOfMemory

CPU = Device(name="cpu", dtype=torch.float32)
HALF = Device(name="cpu", dtype=torch.float16)
STYLES = load_styles(builtin=STYLE_CHANGES)
# 640 x 384 pixels: larger than both kinds of tiles
LATENTS = torch.randn(1, 4, 48, 80, generator=torch.Generator().manual_seed(3))
# half precision is slow on a CPU
SMALL = LATENTS[..., :8, :8]
ALLOCATION = "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"


class CountsReleases(Device):
    """Notes how often its memory was given back, and whether an error was being handled then."""

    released: list[BaseException | None] = []  # noqa: RUF012 - a frozen class cannot hold one of its own

    def release(self) -> None:
        self.released.append(sys.exception())


class MemoryFor:
    """Stands before a decoder and plays a device with room for so many latents at a time."""

    def __init__(self, vae: AutoencoderKL, latents: int, error: Callable[[], Exception] | None = None) -> None:
        self.calls: list[int] = []
        self._latents = latents
        self._error = error or (lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.50 GiB"))
        self._hook = vae.decoder.register_forward_pre_hook(self._enter)

    def _enter(self, module: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        self.calls.append(given[0].shape[-1] * given[0].shape[-2])
        if self.calls[-1] > self._latents:
            raise self._error()


@pytest.fixture
def vae(weights: BuiltinWeights) -> AutoencoderKL:
    return load_vae(weights.vae(STYLES.vae), CPU)


@pytest.fixture
def half(weights: BuiltinWeights) -> AutoencoderKL:
    return load_vae(weights.vae(STYLES.vae), HALF)


@pytest.fixture(autouse=True)
def _nothing_released() -> Iterator[None]:
    CountsReleases.released.clear()
    yield
    CountsReleases.released.clear()


def picture(vae: AutoencoderKL, latents: torch.Tensor = LATENTS, device: Device = CPU) -> Decoded:
    return decode(vae, latents, device)


def apart(one: Decoded, other: Decoded) -> int:
    return int(np.abs(one.picture.astype(int) - other.picture.astype(int)).max())


def state_of(vae: AutoencoderKL) -> list[Any]:
    settings = (vae.use_tiling, vae.use_slicing, vae.tile_sample_min_size, vae.tile_latent_min_size, vae.dtype)
    return [settings, vae.device, vae.training, [tensor.double().sum().item() for tensor in vae.state_dict().values()]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_a_picture_has_the_bytes_diffusers_would_give_it(
    dtype: torch.dtype, vae: AutoencoderKL, half: AutoencoderKL
) -> None:
    used = vae if dtype == torch.float32 else half
    latents = (LATENTS if dtype == torch.float32 else SMALL).to(dtype)
    with torch.no_grad():
        image = used.decode(latents / used.config.scaling_factor, return_dict=False)[0]
    expected = VaeImageProcessor(vae_scale_factor=8).postprocess(image, output_type="np")[0]
    found = picture(used, latents)
    assert (found.rung, found.flat, found.picture.shape) == ("whole", False, expected.shape)
    assert np.array_equal(found.picture, (expected * 255).round().astype(np.uint8))
    assert found.picture.flags.c_contiguous


def test_the_mean_and_spread_of_latents_are_undone_where_a_vae_has_them(vae: AutoencoderKL) -> None:
    plain = picture(vae)
    vae.register_to_config(latents_mean=[0.0] * 4, latents_std=[1.0] * 4)
    assert np.array_equal(picture(vae).picture, plain.picture)
    vae.register_to_config(latents_mean=[0.5] * 4, latents_std=[2.0] * 4)
    assert not np.array_equal(picture(vae).picture, plain.picture)


@pytest.mark.parametrize(
    ("room", "rung", "calls"),
    [(80 * 48, "whole", 1), (64 * 48, "tiled_512", 1 + 2), (32 * 32, "tiled_256", 1 + 1 + 8)],
)
def test_the_first_rung_that_fits_is_taken(room: int, rung: str, calls: int, vae: AutoencoderKL) -> None:
    whole = picture(vae)
    memory = MemoryFor(vae, room)
    found = picture(vae)
    assert (found.rung, found.picture.shape, len(memory.calls)) == (rung, whole.picture.shape, calls)
    # a VAE this small looks at its whole picture, and a tile is not the whole
    assert float(np.abs(found.picture.astype(int) - whole.picture.astype(int)).mean()) < 12


def test_where_not_even_a_small_tile_fits_the_cpu_decodes_it(vae: AutoencoderKL) -> None:
    expected = picture(vae)
    MemoryFor(vae, 16 * 16)
    found = picture(vae, device=CountsReleases(name="cpu", dtype=torch.float32))
    assert found.rung == "cpu"
    assert apart(found, expected) == 0
    # between two rungs, and not while the error still holds what is to be freed
    assert CountsReleases.released == [None, None, None]


def test_a_small_picture_is_not_tried_in_tiles_larger_than_itself(vae: AutoencoderKL) -> None:
    memory = MemoryFor(vae, 1)
    assert picture(vae, LATENTS[..., :16, :16]).rung == "cpu"
    assert memory.calls == [256]


@pytest.mark.parametrize("error", [MemoryError, lambda: RuntimeError(ALLOCATION)], ids=["Python's", "torch's on a CPU"])
def test_every_library_s_way_to_say_that_memory_ran_out_is_understood(
    error: Callable[[], Exception], vae: AutoencoderKL
) -> None:
    MemoryFor(vae, 64 * 48, error)
    assert picture(vae).rung == "tiled_512"


def test_any_other_error_is_raised_and_not_tried_again(vae: AutoencoderKL) -> None:
    memory = MemoryFor(vae, 0, lambda: RuntimeError("an illegal memory access was encountered"))
    with pytest.raises(RuntimeError, match="illegal memory access"):
        picture(vae)
    assert len(memory.calls) == 1


def test_after_the_last_rung_memory_has_run_out(vae: AutoencoderKL, monkeypatch: pytest.MonkeyPatch) -> None:
    MemoryFor(vae, 0)
    monkeypatch.setattr("pipeline.decoding._in_main_memory", lambda vae: vae)
    with pytest.raises(OutOfMemory, match="even in small tiles and on the CPU"):
        picture(vae)


def test_whatever_rung_was_taken_the_shared_vae_is_as_it_was(vae: AutoencoderKL) -> None:
    before, expected = state_of(vae), picture(vae)
    for room in (64 * 48, 32 * 32, 0):
        memory = MemoryFor(vae, room)
        picture(vae)
        memory._hook.remove()
        assert state_of(vae) == before
    assert apart(picture(vae), expected) == 0


def test_what_is_no_number_in_half_precision_is_decoded_again_in_single_once(half: AutoencoderKL) -> None:
    expected = picture(half.float(), SMALL)
    half.half()
    overflows = half.decoder.conv_in.register_forward_hook(
        lambda module, given, made: torch.full_like(made, torch.inf) if made.dtype == torch.float16 else None
    )
    found = picture(half, SMALL.half(), HALF)
    overflows.remove()
    assert found.rung == "float32"
    assert apart(found, expected) <= 1
    assert half.dtype == torch.float16


def test_a_picture_of_one_colour_is_decoded_again_and_kept_where_that_changes_nothing(half: AutoencoderKL) -> None:
    torch.nn.init.zeros_(half.decoder.conv_out.weight)
    found = picture(half, SMALL.half(), HALF)
    assert (found.rung, found.flat) == ("float32", True)


def test_what_is_no_number_in_single_precision_either_is_refused(vae: AutoencoderKL, half: AutoencoderKL) -> None:
    for used, device in ((vae, CPU), (half, HALF)):
        with torch.no_grad():
            used.decoder.conv_out.bias.fill_(torch.inf)
        with pytest.raises(CheckpointBroken, match="the drawing is not a number; the VAE overflows"):
            picture(used, SMALL.to(device.dtype), device)


def test_latents_that_are_no_numbers_are_the_checkpoint_s_fault_and_not_decoded(vae: AutoencoderKL) -> None:
    memory = MemoryFor(vae, 10**9)
    broken = LATENTS.clone()
    broken[0, 0, 0, 0] = torch.nan
    with pytest.raises(CheckpointBroken, match="the checkpoint overflows"):
        picture(vae, broken)
    assert memory.calls == []


def test_a_checkpoint_that_overflows_is_named_by_its_style(weights: BuiltinWeights) -> None:
    generator = Generator(weights, STYLES, DrawingConfig(device="cpu"))
    checkpoint, _ = generator.checkpoints.bring(STYLES.find("anime"))
    with torch.no_grad():
        checkpoint.parts["unet"].conv_out.bias.fill_(torch.inf)
    with pytest.raises(CheckpointBroken, match="style 'anime': the drawing is not a number"):
        small(generator)


def test_a_drawing_on_a_lower_rung_says_so_denoises_once_and_is_not_remembered(weights: BuiltinWeights) -> None:
    generator = Generator(weights, STYLES, DrawingConfig(device="cpu"))
    assert remembered(generator)
    checkpoint, _ = generator.checkpoints.bring(STYLES.find("anime"))
    steps: list[None] = []
    checkpoint.parts["unet"].register_forward_hook(lambda *_: steps.append(None))
    MemoryFor(generator.checkpoints.vae()[0], 0)
    drawing = small(generator, num_images=2)
    assert drawing.sampling.decoded == ("cpu",)
    assert drawing.warnings[0] == "images[0]: memory ran out, so it was decoded another way (cpu), which moves pixels"
    assert next(node for node in drawing.nodes if node.name == "text2image").detail["decoded"] == ["cpu", "cpu"]
    assert len(steps) == 2 * 2
    assert drawing.fingerprint is None


def test_a_picture_drawn_again_on_a_lower_rung_is_named_by_its_place_in_the_request(
    weights: BuiltinWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = Generator(weights, STYLES, DrawingConfig(device="cpu", text_guard="retry"))
    looks: list[None] = []

    def find(picture: object) -> tuple[Box, ...]:
        looks.append(None)
        if len(looks) != 3:
            return ()
        MemoryFor(generator.checkpoints.vae()[0], 0)
        return (Box(corners=((0, 0), (1, 0), (1, 1), (0, 1)), score=0.9, share=0.1),)

    monkeypatch.setattr(text_guard, "missing", lambda: None)
    monkeypatch.setattr(text_guard, "find_lettering", find)
    drawing = small(generator, num_images=3)
    assert len(looks) == 4
    assert drawing.warnings[0] == "images[2]: memory ran out, so it was decoded another way (cpu), which moves pixels"


def small(generator: Generator, **more: Any) -> Drawing:
    return generator.generate_image("a red fox", style="anime", width=64, height=64, steps=2, seed=1, **more)


def remembered(generator: Generator) -> bool:
    return small(generator).fingerprint is not None
