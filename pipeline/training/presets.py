"""How large the networks are and how long they train: from a smoke test to a GPU."""

from dataclasses import dataclass
from typing import Final

# the order of the pictogram sets they are drawn from
STYLES: Final = ("ultra_realistic", "semi_realistic", "anime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Sizes of pictures (pixels) and networks (channels), and steps, batches and rates of the three trainings."""

    size: int
    vae_channels: tuple[int, ...]
    unet_channels: tuple[int, ...]
    text_width: int
    text_layers: int
    vae_steps: int
    unet_steps: int
    controlnet_steps: int
    vae_batch: int
    batch: int
    vae_rate: float = 6e-4
    rate: float = 6e-4
    warmup: int = 200
    ema: float = 0.999
    judge_steps: int = 3_000
    objects: int | None = None


SMOKE: Final = Preset(
    size=64,
    vae_channels=(16, 16, 32, 32),
    unet_channels=(32, 32, 64),
    text_width=32,
    text_layers=2,
    vae_steps=4,
    unet_steps=4,
    controlnet_steps=3,
    vae_batch=2,
    batch=3,
    warmup=2,
    judge_steps=3,
    objects=6,
)
CPU: Final = Preset(
    size=128,
    vae_channels=(16, 32, 48, 64),
    unet_channels=(32, 64, 96),
    text_width=96,
    text_layers=2,
    vae_steps=2_000,
    unet_steps=6_000,
    controlnet_steps=1_000,
    vae_batch=6,
    batch=16,
    rate=1e-3,
)
GPU: Final = Preset(
    size=256,
    vae_channels=(32, 48, 64, 96),
    unet_channels=(64, 96, 128),
    text_width=160,
    text_layers=3,
    vae_steps=6_000,
    unet_steps=25_000,
    controlnet_steps=5_000,
    vae_batch=32,
    batch=256,
    ema=0.9995,
    warmup=500,
)
PRESETS: Final = {"smoke": SMOKE, "cpu": CPU, "gpu": GPU}
