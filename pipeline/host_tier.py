"""Weights kept in the host's memory, within a bound, so that a swap need not read them from disk."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.accelerator import Accelerator
from pipeline.host_memory import spare_memory
from pipeline.staging import bytes_packed, packed
from pipeline.weight_files import Tensors

# page-locked memory is given in powers of two, so large buffers would waste up to half of themselves, and so would
# small ones that are a little larger than 256 MiB
_BUFFER_BYTES = 255 * 1024 * 1024
# so many components asked for since, and nobody uses this one any more
_FORGOTTEN_AFTER = 64


@dataclass(slots=True)
class _Kept:
    tensors: Tensors
    bytes: int
    asked_at: int
    confirmed: bool = False


class HostTier:
    """Components by what their weights are; whoever came first stays while it is used.

    What is kept counts for what its name says once somebody has confirmed that it was not replaced on its way.

    Forgetting the one that was not used for longest would, with three checkpoints in turns and room for two, always
    forget the one that is wanted next.
    """

    def __init__(
        self,
        most: int | None,
        precision: torch.dtype,
        accelerator: Accelerator,
        spare: Callable[[], int] = spare_memory,
    ) -> None:
        """most: bytes, 0 keeps nothing, None takes half of what is spare at a time.

        precision: the device's; numbers of other kinds are converted to it once, unless they are smaller.
        """
        self._most = most
        self._precision = precision
        self._accelerator = accelerator
        self._spare = spare
        self._kept: dict[str, _Kept] = {}
        self._asked = 0

    @property
    def bytes(self) -> int:
        """How much memory is in use."""
        return sum(kept.bytes for kept in self._kept.values())

    def get(self, identity: str) -> Tensors | None:
        """The tensors of a component, if they are kept."""
        self._asked += 1
        kept = self._kept.get(identity)
        if kept is None:
            return None
        kept.asked_at = self._asked
        return kept.tensors

    def keep(self, identity: str, tensors: Mapping[str, Tensor]) -> Tensors:
        """The same tensors, read and kept unconfirmed if there is room for them, else as they were given."""
        self._forget_unused()
        size = sum(self._bytes(tensor) for tensor in tensors.values())
        if size > self._left():
            return dict(tensors)
        kept: Tensors = {}
        for keys in self._groups(tensors):
            narrow = [self._narrowed(tensors[key]) for key in keys]
            kept |= zip(keys, packed(narrow, self._accelerator.buffer(bytes_packed(narrow))), strict=True)
        self._kept[identity] = _Kept(tensors=kept, bytes=size, asked_at=self._asked)
        return kept

    def confirm(self, identity: str) -> None:
        """What is kept of a component are the weights its identity names."""
        if (kept := self._kept.get(identity)) is not None:
            kept.confirmed = True

    def drop_unconfirmed(self) -> None:
        """Keep nothing that might be other weights than its identity names."""
        self._kept = {name: kept for name, kept in self._kept.items() if kept.confirmed}

    def _left(self) -> int:
        return self._spare() // 2 if self._most is None else self._most - self.bytes

    def _groups(self, tensors: Mapping[str, Tensor]) -> Iterator[list[str]]:
        keys: list[str] = []
        taken = 0
        for key, tensor in tensors.items():
            if keys and taken + self._bytes(tensor) > _BUFFER_BYTES:
                yield keys
                keys, taken = [], 0
            keys.append(key)
            taken += self._bytes(tensor)
        yield keys

    def _bytes(self, tensor: Tensor) -> int:
        return tensor.numel() * min(tensor.element_size(), self._precision.itemsize)

    def _narrowed(self, tensor: Tensor) -> Tensor:
        # of another kind and the same size as well: a copy that converts cannot run beside the drawing
        return tensor.to(self._precision) if tensor.element_size() >= self._precision.itemsize else tensor

    def _forget_unused(self) -> None:
        for identity in [name for name, kept in self._kept.items() if self._asked - kept.asked_at > _FORGOTTEN_AFTER]:
            del self._kept[identity]
