"""Batches of scenes with their captions, made by as many processes as there are cores to spare."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from pipeline.training.captions import Captions
from pipeline.training.pictograms import Pictograms
from pipeline.training.presets import STYLES
from pipeline.training.scenes import Scenes


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One style's scenes: pictures (batch, 3, size, size) from -1 to 1, captions, objects shown, and raw pictures."""

    style: str
    pictures: torch.Tensor
    captions: tuple[str, ...]
    shown: tuple[tuple[int, ...], ...]
    raw: NDArray[np.uint8]


class _Endless(IterableDataset[Batch]):
    def __init__(self, pictograms: Pictograms, size: int, batch: int, seed: int) -> None:
        self._pictograms = pictograms
        self._size = size
        self._batch = batch
        self._seed = seed

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        # chance, not secrecy; each process draws scenes of its own
        chance = random.Random(f"{self._seed}/{worker.id if worker else 0}")  # noqa: S311
        scenes, captions = Scenes(self._pictograms, self._size, chance), Captions(chance)
        while True:
            for style in STYLES:
                drawn = [scenes.draw(style) for _ in range(self._batch)]
                raw = np.stack([scene.picture for scene in drawn])
                yield Batch(
                    style=style,
                    pictures=as_tensor(raw),
                    captions=tuple(captions.caption(scene.words, style) for scene in drawn),
                    shown=tuple(scene.shown for scene in drawn),
                    raw=raw,
                )


def as_tensor(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """RGB pictures (batch, height, width, 3) as the VAE takes them."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def batches(pictograms: Pictograms, size: int, batch: int, seed: int, processes: int = 0) -> Iterator[Batch]:
    """Endless batches, the styles in turns; the same seed and number of processes give the same ones."""
    loader: DataLoader[Any] = DataLoader(
        _Endless(pictograms, size, batch, seed),
        batch_size=None,
        num_workers=processes,
        prefetch_factor=4 if processes else None,
    )
    return iter(loader)
