"""Makes the built-in checkpoints of the weights that come with the code."""

from pathlib import Path
from typing import Final

import torch

from pipeline.builtin.packing import materialise, unpack
from pipeline.loading import silence_libraries

TRAINED: Final = Path(__file__).parent / "trained"


def build(folder: Path) -> None:
    """Write three checkpoints, one VAE and one ControlNet below folder; the same bytes each time.

    Layout: <style>/ in diffusers format without a VAE, vae/, controlnet/.
    """
    silence_libraries()
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        materialise(unpack(TRAINED), folder)
