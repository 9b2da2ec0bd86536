"""Scenes kept as latents, so that the VAE encodes each once and the UNets see each many times."""

import random
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray

from pipeline.builtin.networks import STYLES
from pipeline.training.captions import Captions
from pipeline.training.edges import edges
from pipeline.training.loader import Batch, as_tensor, batches
from pipeline.training.pictograms import Pictograms
from pipeline.training.precision import half_where_quick
from pipeline.training.wording import words_for

_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One style's scenes: latents (batch, 4, size / 8, size / 8), unscaled, and captions.

    edges: (batch, 3, size, size), 0 or 1, where they were asked for.
    """

    style: str
    latents: torch.Tensor
    captions: tuple[str, ...]
    edges: torch.Tensor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    latents: torch.Tensor
    # one bit a pixel
    edges: NDArray[np.uint8]
    shown: tuple[int, ...]
    ground: str


class Bank:
    """As many scenes of each style as count says; a caption is made anew each time a scene is shown."""

    def __init__(self, pictograms: Pictograms, size: int, count: int, seed: int) -> None:
        """size: of the pictures, pixels; the same seed and number of processes give the same scenes."""
        self._pictograms = pictograms
        self._size = size
        self._count = count
        self._seed = seed
        self._kept: dict[str, list[_Kept]] = {style: [] for style in STYLES}

    def fill(self, vae: AutoencoderKL, device: torch.device, processes: int = 0) -> None:
        """Draw and encode all scenes; a minute on a CPU for the preset of that name."""
        for batch in batches(self._pictograms, self._size, _AT_ONCE, self._seed, processes):
            kept = self._kept[batch.style]
            kept.extend(_encoded(batch, vae, device)[: self._count - len(kept)])
            if all(len(kept) >= self._count for kept in self._kept.values()):
                return

    def lesson(
        self, step: int, batch: int, captions: Captions, chance: random.Random, *, with_edges: bool = False
    ) -> Lesson:
        """A batch at random, the styles in turns."""
        style = STYLES[step % len(STYLES)]
        chosen = [chance.choice(self._kept[style]) for _ in range(batch)]
        return Lesson(
            style=style,
            latents=torch.stack([kept.latents for kept in chosen]).float(),
            captions=tuple(captions.caption(self._words(kept, chance), style, chance) for kept in chosen),
            edges=torch.stack([self._edges(kept) for kept in chosen]) if with_edges else None,
        )

    def latents(self) -> torch.Tensor:
        """The latents of all scenes."""
        return torch.stack([kept.latents for style in STYLES for kept in self._kept[style]]).float()

    def _words(self, kept: _Kept, chance: random.Random) -> str:
        return words_for([self._pictograms.objects[index] for index in kept.shown], kept.ground, chance)

    def _edges(self, kept: _Kept) -> torch.Tensor:
        flat = np.unpackbits(kept.edges, count=self._size**2)
        return torch.from_numpy(flat.reshape(1, self._size, self._size)).float().expand(3, -1, -1)


def _encoded(batch: Batch, vae: AutoencoderKL, device: torch.device) -> list[_Kept]:
    with torch.no_grad(), half_where_quick(device):
        # the most likely ones: they depend on no chance, and the others are a fortieth of their spread away
        latents = vae.encode(as_tensor(batch.pictures).to(device)).latent_dist.mode().half().cpu()
    packed = [np.packbits(found[0].numpy().astype(np.uint8)) for found in edges(batch.pictures)]
    return [
        _Kept(latents=latent.clone(), edges=bits, shown=shown, ground=ground)
        for latent, bits, shown, ground in zip(latents, packed, batch.shown, batch.grounds, strict=True)
    ]
