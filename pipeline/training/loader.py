"""Batches of scenes, made by as many processes as there are cores to spare."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from pipeline.builtin.networks import STYLES
from pipeline.training.pictograms import Pictograms
from pipeline.training.scenes import Scenes


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One style's scenes: pictures (batch, size, size, 3), RGB, uint8, the objects each shows, and its ground."""

    style: str
    pictures: NDArray[np.uint8]
    shown: tuple[tuple[int, ...], ...]
    grounds: tuple[str, ...]


class _Endless(IterableDataset[Batch]):
    def __init__(self, pictograms: Pictograms, size: int, batch: int, seed: int) -> None:
        self._pictograms = pictograms
        self._size = size
        self._batch = batch
        self._seed = seed

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        number = worker.id if worker else 0
        # chance, not secrecy; each process draws scenes of its own, and they begin with different styles
        scenes = Scenes(self._pictograms, self._size, random.Random(f"{self._seed}/{number}"))  # noqa: S311
        for turn in itertools.count(number):
            style = STYLES[turn % len(STYLES)]
            drawn = [scenes.draw(style) for _ in range(self._batch)]
            yield Batch(
                style=style,
                pictures=np.stack([scene.picture for scene in drawn]),
                shown=tuple(scene.shown for scene in drawn),
                grounds=tuple(scene.ground for scene in drawn),
            )


def as_tensor(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """RGB pictures (batch, height, width, 3) as the VAE takes them: (batch, 3, height, width) from -1 to 1."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def batches(pictograms: Pictograms, size: int, batch: int, seed: int, processes: int = 0) -> Iterator[Batch]:
    """Endless batches of all styles; the same seed and number of processes give the same ones."""
    loader: DataLoader[Any] = DataLoader(
        _Endless(pictograms, size, batch, seed),
        batch_size=None,
        num_workers=processes,
        prefetch_factor=2 if processes else None,
    )
    return iter(loader)
