"""What a drawing takes is known before it is drawn, by arithmetic that agrees with counting; too much is refused."""

import re
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from pipeline.builtin.weights import STYLE_CHANGES, BuiltinWeights
from pipeline.config import DrawingConfig
from pipeline.element_counts import elements_of
from pipeline.generator import Generator
from pipeline.loading import load_controlnet, load_vae
from pipeline.memory_budget import planner_of
from pipeline.memory_plan import GIB, MODES, Elements, MemoryPlanner, Mode
from pipeline.styles import load_styles
from pipeline.weights import Located, local_checkpoint
from store.errors import InvalidField
from tests.pipeline.samples import quarters
from tests.pipeline.single_file import write_single_file
from tests.pipeline.test_decoding import CPU

STYLES = load_styles(builtin=STYLE_CHANGES)
SDXL = MemoryPlanner()
L4 = 22 * GIB
# stabilityai/stable-diffusion-xl-base-1.0 and sdxl-vae-fp16-fix, their config.json
BLOCKS: dict[str, Any] = {
    "in_channels": 4,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
UNET = {**BLOCKS, "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), "sample_size": 128}
VAE: dict[str, Any] = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 512,
}


class CountsLiveBytes(TorchDispatchMode):
    """Adds up the storage that is alive at once on the meta device, weights aside."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.peak = self._now = 0
        self._weights = [tensor.untyped_storage() for tensor in model.state_dict().values()]
        self._seen = {storage._cdata for storage in self._weights}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_flatten(made)[0]:
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage()._cdata not in self._seen:
                storage = tensor.untyped_storage()
                self._seen.add(storage._cdata)
                self._now += storage.nbytes()
                self.peak = max(self.peak, self._now)
                weakref.finalize(storage, self._gone, storage._cdata, storage.nbytes())
        return made

    def _gone(self, place: int, size: int) -> None:
        self._seen.discard(place)
        self._now -= size


def counted(model: torch.nn.Module, run: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> int:
    # the kernels of a GPU keep no scores; on the meta device torch would
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", lambda query, *_, **__: query.clone())
    with torch.no_grad(), torch.device("meta"), CountsLiveBytes(model) as live:
        run()
    return live.peak


def denoised(height: int, width: int) -> dict[str, Any]:
    half = torch.float16
    return {
        "sample": torch.empty(2, 4, height // 8, width // 8, dtype=half, device="meta"),
        "timestep": torch.empty((), dtype=torch.long, device="meta"),
        "encoder_hidden_states": torch.empty(2, 77, 2048, dtype=half, device="meta"),
        "added_cond_kwargs": {
            "text_embeds": torch.empty(2, 1280, dtype=half, device="meta"),
            "time_ids": torch.empty(2, 6, dtype=half, device="meta"),
        },
        "return_dict": False,
    }


@pytest.mark.parametrize("size", [(1024, 1024), (1344, 768)])
def test_the_arithmetic_agrees_with_counting_what_is_alive_in_sdxl(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    width, height = size
    with torch.device("meta"):
        unet, vae = UNet2DConditionModel(**UNET).half(), AutoencoderKL(**VAE).half()
    plan, varied = SDXL.plan("text2image", *size), SDXL.plan("variation", *size)
    given_latents = torch.empty(1, 4, height // 8, width // 8, dtype=torch.float16, device="meta")
    given_image = torch.empty(1, 3, height, width, dtype=torch.float16, device="meta")
    found = {
        "denoise": counted(unet, lambda: unet(**denoised(height, width)), monkeypatch),
        "decode": counted(vae, lambda: vae.decode(given_latents, return_dict=False), monkeypatch),
        "encode": counted(vae, lambda: vae.encode(given_image, return_dict=False), monkeypatch),
    }
    expected = {"denoise": plan.denoise, "decode": plan.decode["whole"], "encode": varied.encode}
    assert {phase: round(found[phase] / expected[phase], 2) for phase in found} == dict.fromkeys(
        found, pytest.approx(1, abs=0.03)
    )


def test_a_controlnet_adds_its_weights_and_what_it_hands_to_the_unet(monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.device("meta"):
        controlnet = ControlNetModel(**BLOCKS).half()
    image = torch.empty(2, 3, 1024, 1024, dtype=torch.float16, device="meta")
    handed = []

    def run() -> None:
        handed.append(controlnet(**denoised(1024, 1024), controlnet_cond=image))

    alive = counted(controlnet, run, monkeypatch)
    down, middle = handed[0]
    residuals = sum(tensor.nbytes for tensor in (*down, middle))
    plain, guided = SDXL.plan("text2image", 1024, 1024), SDXL.plan("structure", 1024, 1024)
    assert guided.denoise - plain.denoise == pytest.approx(residuals, rel=0.05)
    assert alive <= guided.denoise
    assert guided.weights - plain.weights == 2 * sum(parameter.numel() for parameter in controlnet.parameters())


def test_sdxl_fits_an_l4_with_a_controlnet_and_room_to_spare() -> None:
    peaks = {mode: SDXL.plan(mode, 1024, 1024).peak("whole") / GIB for mode in MODES}
    assert peaks["text2image"] == pytest.approx(9.2, abs=0.3)
    assert peaks["variation"] == pytest.approx(11.6, abs=0.3)
    assert all(SDXL.plan(mode, 1024, 1024).rung(L4) == "whole" for mode in MODES)


@given(
    mode=st.sampled_from(MODES),
    width=st.integers(8, 256),
    height=st.integers(8, 256),
    available=st.floats(4, 24),
)
def test_less_memory_never_makes_more_fit_and_the_largest_that_fits_does(
    mode: Mode, width: int, height: int, available: float
) -> None:
    plan, room = SDXL.plan(mode, 8 * width, 8 * height), int(available * GIB)
    rungs = [*plan.decode, None]
    assert rungs.index(plan.rung(room)) <= rungs.index(plan.rung(room - GIB))
    assert [plan.peak(rung) for rung in plan.decode] == sorted(map(plan.peak, plan.decode), reverse=True)
    largest = SDXL.largest(mode, 8 * width, 8 * height, room)
    if plan.rung(room) is not None:
        assert largest is not None
        assert max(largest) >= 8 * max(width, height) - 8
    if largest is not None:
        assert SDXL.plan(mode, *largest).rung(room) is not None


def test_single_precision_takes_twice_as_much() -> None:
    half, single = SDXL.plan("text2image", 512, 512), MemoryPlanner(bytes_a_number=4).plan("text2image", 512, 512)
    assert (single.weights, single.denoise) == (2 * half.weights, 2 * half.denoise)


def test_weights_on_disk_are_counted_from_their_headers(weights: BuiltinWeights, mine: Path) -> None:
    vae, controlnet = weights.vae(STYLES.vae), weights.controlnet(STYLES.controlnet)
    found = elements_of(weights.checkpoint(STYLES.find("anime")), vae, controlnet)
    generator = Generator(weights, STYLES, DrawingConfig(device="cpu"))
    parts = generator.checkpoints.bring(STYLES.find("anime"))[0].parts
    assert found == Elements(
        unet=numbers(parts["unet"]),
        text_encoders=numbers(parts["text_encoder"]) + numbers(parts["text_encoder_2"]),
        vae=numbers(load_vae(vae, CPU)),
        controlnet=numbers(load_controlnet(controlnet, CPU)),
    )
    file = write_single_file(mine, mine.with_name("one.safetensors"))
    style = load_styles({"anime": {"checkpoint": str(file), "config_from": str(mine)}}).find("anime")
    single = elements_of(local_checkpoint(style, str(file)), vae, controlnet)
    # a single file has a projection more than is read of it
    assert (single.unet, single.text_encoders) == (found.unet, pytest.approx(found.text_encoders, rel=0.02))


def test_of_two_variants_only_one_is_counted(weights: BuiltinWeights, mine: Path) -> None:
    built = weights.checkpoint(STYLES.find("anime"))
    vae, controlnet = weights.vae(STYLES.vae), weights.controlnet(STYLES.controlnet)
    for part, stem in (("unet", "diffusion_pytorch_model"), ("text_encoder", "model"), ("text_encoder_2", "model")):
        shutil.copy(mine / part / f"{stem}.safetensors", mine / part / f"{stem}.fp16.safetensors")
    both = Located(path=mine, record=built.record, variant="fp16")
    assert elements_of(both, vae, controlnet) == elements_of(built, vae, controlnet)


def numbers(model: torch.nn.Module) -> int:
    return sum(tensor.numel() for tensor in model.state_dict().values())


def test_weights_that_are_not_there_are_planned_as_sdxl(weights: BuiltinWeights, tmp_path: Path) -> None:
    styles = load_styles({"lost": {"based_on": "anime", "checkpoint": str(tmp_path / "lost")}})
    planner = planner_of(weights, styles, 2)
    assert planner(styles.find("lost")).elements == Elements()
    assert planner(styles.find("anime")).elements != Elements()


def with_memory_for(weights: BuiltinWeights, mode: Mode, side: int) -> Generator:
    """Somebody who draws on a device where this mode fits at this size and not at a larger one."""
    plan = planner_of(weights, STYLES, 4)(STYLES.find("anime")).plan(mode, side, side)
    return Generator(
        weights, STYLES, DrawingConfig(device="cpu", text_guard="off", vram_gb=(plan.peak("cpu") + 1) / GIB)
    )


def test_what_cannot_fit_is_refused_before_it_is_drawn_with_the_largest_size_that_does(
    weights: BuiltinWeights,
) -> None:
    tight = with_memory_for(weights, "text2image", 64)
    with pytest.raises(InvalidField) as refused:
        tight.generate_image("a red fox", style="anime", width=128, height=128, steps=2)
    assert refused.value.field == "width"
    assert re.search(r"found 128x128, drawn as 128x128, which takes 0\.\d GiB; the device has 0", refused.value.message)
    assert refused.value.message.endswith("allowed: in this shape at most 64x64")
    drawing = tight.generate_image("a red fox", style="anime", width=64, height=64, steps=2)
    assert (drawing.images[0].width, drawing.images[0].height) == (64, 64)
    assert tight.checkpoints.resident == "anime"


def test_a_reference_needs_more_and_is_refused_by_itself(weights: BuiltinWeights) -> None:
    tight = with_memory_for(weights, "text2image", 128)
    assert tight.generate_image("a red fox", style="anime", width=128, height=128, steps=2).images
    with pytest.raises(InvalidField, match="found 128x128, drawn as 128x128"):
        tight.generate_image("a red fox", quarters(64, 64), style="anime", width=128, height=128, steps=2)


class NoRoomBesideTheControlNet:
    """A card whose memory runs out in a whole decode while the ControlNet lies on it as well."""

    def __init__(self, generator: Generator) -> None:
        self._cache = generator.checkpoints
        self._decode = self._cache.vae()[0].decode
        self._cache.vae()[0].decode = self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._cache._controlnet._loaded is not None:
            raise torch.OutOfMemoryError("out of memory")
        return self._decode(*args, **kwargs)


def test_what_is_drawn_from_words_looks_the_same_after_a_drawing_with_a_reference(weights: BuiltinWeights) -> None:
    plan = planner_of(weights, STYLES, 4)(STYLES.find("anime")).plan("text2image", 128, 128)
    config = DrawingConfig(device="cpu", text_guard="off", vram_gb=(plan.peak("whole") + 1) / GIB)
    generator = Generator(weights, STYLES, config)
    NoRoomBesideTheControlNet(generator)
    asked: dict[str, Any] = {"style": "anime", "width": 128, "height": 128, "steps": 2}
    first = generator.generate_image("a red fox", **asked)
    generator.generate_image("a red fox", quarters(64, 64), style="anime", width=64, height=64, steps=2)
    controlnet = generator.checkpoints.controlnet()[0]
    again = generator.generate_image("a red fox", **asked)
    assert (again.images, again.sampling.decoded) == (first.images, ("whole",))
    assert all(parameter.is_meta for parameter in controlnet.parameters())


def test_a_controlnet_that_had_to_go_draws_the_same_when_it_comes_again(weights: BuiltinWeights) -> None:
    generator = Generator(weights, STYLES, DrawingConfig(device="cpu", text_guard="off"))
    asked: dict[str, Any] = {"style": "anime", "width": 64, "height": 64, "steps": 2}
    first = generator.generate_image("a red fox", quarters(64, 64), **asked)
    generator.checkpoints.release_controlnet()
    generator.checkpoints.release_controlnet()
    assert generator.generate_image("a red fox", quarters(64, 64), **asked).images == first.images


@pytest.mark.parametrize(("gib", "stays"), [(8, False), (11, False), (11.5, False), (12, True), (22, True)])
def test_the_controlnet_stays_where_a_drawing_from_words_can_be_decoded_whole_beside_it(
    gib: float, stays: bool
) -> None:
    assert SDXL.leaves_controlnet(1024, 1024, int(gib * GIB)) is stays


def test_where_not_even_the_weights_fit_no_size_is_promised(weights: BuiltinWeights) -> None:
    with pytest.raises(InvalidField, match=r"allowed: no size, because the weights alone take 0\.0 GiB"):
        Generator(weights, STYLES, DrawingConfig(device="cpu", vram_gb=0.5)).generate_image("a red fox", style="anime")


def test_a_device_without_memory_of_its_own_sets_no_bound(weights: BuiltinWeights) -> None:
    assert CPU.total_memory() is None
    unbounded = Generator(weights, STYLES, DrawingConfig(device="cpu", text_guard="off"))
    assert unbounded.generate_image("a red fox", style="anime", width=64, height=64, steps=2).images
