"""How large the networks are and how long they train: from a smoke test to a GPU."""

from dataclasses import dataclass, replace
from typing import Final

from pipeline.builtin.architecture import SHIPPED, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Shape of the networks, and steps, batches and rates of the three trainings.

    bank: scenes of each style that the UNets learn from, encoded once. objects: how many objects of the corpus are
    used, from its beginning. everyday: only everyday things. vae_half_steps: how many of the VAE's steps see pictures
    of half the side.
    """

    shape: Shape
    vae_steps: int
    vae_half_steps: int
    decoder_steps: int
    unet_steps: int
    controlnet_steps: int
    vae_batch: int
    batch: int
    controlnet_batch: int
    bank: int
    vae_rate: float = 6e-4
    rate: float = 6e-4
    warmup: int = 200
    ema: float = 0.999
    judge_steps: int = 3_000
    judge_rate: float = 1e-3
    objects: int | None = None
    everyday: bool = False


SMOKE: Final = Preset(
    shape=Shape(size=64, vae_channels=(16, 16, 32, 32), unet_channels=(32, 32, 64), text_width=32, text_layers=2),
    vae_steps=4,
    vae_half_steps=2,
    decoder_steps=2,
    unet_steps=4,
    controlnet_steps=3,
    vae_batch=2,
    batch=3,
    controlnet_batch=3,
    bank=6,
    warmup=2,
    judge_steps=3,
    objects=6,
)
CPU: Final = Preset(
    shape=SHIPPED,
    vae_steps=6_300,
    vae_half_steps=4_500,
    decoder_steps=4_000,
    unet_steps=7_500,
    controlnet_steps=2_000,
    vae_batch=6,
    batch=64,
    controlnet_batch=32,
    bank=6_000,
    rate=1e-3,
    judge_steps=1_000,
    everyday=True,
)
GPU: Final = Preset(
    shape=Shape(size=256, vae_channels=(32, 48, 64, 96), unet_channels=(64, 96, 128), text_width=160, text_layers=3),
    vae_steps=6_000,
    vae_half_steps=0,
    decoder_steps=6_000,
    unet_steps=25_000,
    controlnet_steps=5_000,
    vae_batch=32,
    batch=256,
    controlnet_batch=128,
    bank=8_000,
    ema=0.9995,
    warmup=500,
)
# from the weights that are shipped
FURTHER: Final = replace(CPU, unet_steps=6_800, controlnet_steps=1_000, rate=8e-4)
PRESETS: Final = {"smoke": SMOKE, "cpu": CPU, "further": FURTHER, "gpu": GPU}
