"""Weights on their way from mapped files: read by several threads into buffers the device copies from fast."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Pairs = Sequence[tuple[Tensor, Tensor]]

_READERS = 4
_STAGE_BYTES = 64 * 1024 * 1024
_ALIGNMENT = 64


class Mark(Protocol):
    """A place in a stream of copies."""

    def synchronize(self) -> None:
        """Return when the device has come past it."""


class Staged(Protocol):
    """What stages are built on."""

    def buffer(self, size: int) -> Tensor:
        """So many bytes of host memory, uint8, from which the device copies fastest."""

    def arrival(self) -> Mark:
        """A mark behind what the device was given to copy so far."""


class Stages:
    """Two buffers in turns: threads fill one while the device copies from the other."""

    def __init__(self, staged: Staged, size: int = _STAGE_BYTES) -> None:
        self._staged = staged
        self._size = size

    def copy(self, pairs: Pairs) -> None:
        """Copy the second of each pair into the first, a buffer full at a time.

        From plain memory a device would copy page by page.  The buffers are freed at the end.
        """
        if not pairs:
            return
        size = max(self._size, *(_room(source.numel() * target.element_size()) for target, source in pairs))
        buffers = [self._staged.buffer(size) for _ in range(2)]
        marks: list[Mark | None] = [None, None]
        for turn, batch in enumerate(_batches(pairs, size)):
            if (mark := marks[turn % 2]) is not None:
                mark.synchronize()
            staged = packed([source.to(target.dtype) for target, source in batch], buffers[turn % 2])
            for (target, _), source in zip(batch, staged, strict=True):
                target.copy_(source, non_blocking=True)
            marks[turn % 2] = self._staged.arrival()
        for mark in marks:
            if mark is not None:
                mark.synchronize()


def packed(tensors: Sequence[Tensor], buffer: Tensor) -> list[Tensor]:
    """Copies of tensors on the CPU, one behind the other in a buffer of uint8; threads share the reading."""
    starts = itertools.accumulate((_room(tensor.nbytes) for tensor in tensors), initial=0)
    copies = [
        buffer[start : start + tensor.nbytes].view(tensor.dtype).view(tensor.shape)
        for tensor, start in zip(tensors, starts, strict=False)
    ]
    with ThreadPoolExecutor(_READERS, thread_name_prefix="weights") as readers:
        # torch's own copies would start a pool of threads in each of these
        list(readers.map(lambda pair: np.copyto(*pair), zip(_bytes(copies), _bytes(tensors), strict=True)))
    return copies


def bytes_packed(tensors: Iterable[Tensor]) -> int:
    """How large a buffer must be to take these tensors."""
    return sum(_room(tensor.nbytes) for tensor in tensors)


def _room(size: int) -> int:
    # the next tensor begins where numbers of any kind may
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _batches(pairs: Pairs, size: int) -> Iterator[list[tuple[Tensor, Tensor]]]:
    batch: list[tuple[Tensor, Tensor]] = []
    taken = 0
    for target, source in pairs:
        needed = _room(source.numel() * target.element_size())
        if batch and taken + needed > size:
            yield batch
            batch, taken = [], 0
        batch.append((target, source))
        taken += needed
    if batch:
        yield batch


def _bytes(tensors: Iterable[Tensor]) -> Iterator[NDArray[np.uint8]]:
    for tensor in tensors:
        yield tensor.contiguous().view(-1).view(torch.uint8).numpy()
