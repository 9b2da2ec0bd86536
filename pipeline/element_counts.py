"""How many numbers lie in weight files: read from their headers, without torch and without the weights."""

import math
from pathlib import Path

from safetensors import safe_open

from pipeline.memory_plan import Elements
from pipeline.weights import SUFFIX, Located

_SINGLE_FILE = {
    "unet": "model.diffusion_model.",
    "text_encoders": "conditioner.embedders.",
}


def elements_of(checkpoint: Located, vae: Located, controlnet: Located) -> Elements:
    """The numbers of a checkpoint, the VAE and the ControlNet; raises OSError or SafetensorError."""
    if checkpoint.path.is_file():
        counts = {part: _count(checkpoint.path, prefix) for part, prefix in _SINGLE_FILE.items()}
    else:
        folders = (checkpoint.path / "text_encoder", checkpoint.path / "text_encoder_2")
        counts = {
            "unet": _in_folder(checkpoint.path / "unet", checkpoint.variant),
            "text_encoders": sum(_in_folder(folder, checkpoint.variant) for folder in folders),
        }
    return Elements(
        **counts, vae=_in_folder(vae.path, vae.variant), controlnet=_in_folder(controlnet.path, controlnet.variant)
    )


def _in_folder(folder: Path, variant: str | None) -> int:
    files = list(folder.glob(f"*{SUFFIX}"))
    variants = [file for file in files if variant and f".{variant}" in file.name]
    return sum(_count(file, "") for file in variants or files)


def _count(file: Path, prefix: str) -> int:
    with safe_open(file, framework="numpy") as opened:
        return sum(
            math.prod(opened.get_slice(key).get_shape())
            for key in opened.keys()  # noqa: SIM118 - not a mapping
            if key.startswith(prefix)
        )
