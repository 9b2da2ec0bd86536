"""A model that stays on the device while the weights in it change: the next checkpoint's are copied over them."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pipeline.accelerator import Accelerator
from pipeline.blueprint import Blueprint, allocate, skeleton
from pipeline.device import Device
from pipeline.intact import require_all_keys
from pipeline.profile import Profile, tune
from store.errors import CheckpointBroken

# transformers 4 wrote it in front of every key of a text encoder, transformers 5 of some
_OLD_PREFIX = "text_model."
_PRECISIONS = {torch.float16, torch.bfloat16, torch.float32}


class Slot:
    """One model in one storage, from its first checkpoint to its last.

    Nothing is allocated at a swap, so nothing fragments or dangles, and what is compiled stays compiled.
    """

    def __init__(self, blueprint: Blueprint, device: Device, profile: Profile = "exact") -> None:
        """Without storage, until `allocate`."""
        self.blueprint = blueprint
        self.model: Any = skeleton(blueprint, device)
        self._device = device
        self._profile = profile
        self._targets = _canonical(self.model.state_dict())
        self._holds: str | None = None

    @property
    def holds(self) -> str | None:
        """Which weights are in it; None from the beginning of a copy to its end, and after one that failed."""
        return self._holds

    def check(self, what: str, tensors: Mapping[str, Tensor]) -> None:
        """Raise CheckpointBroken unless there is one tensor for each of the model's, of its shape, and no other."""
        sources = _canonical(tensors)
        if len(sources) != len(tensors):
            raise CheckpointBroken(f"{what}: some weights are there twice, with and without {_OLD_PREFIX}")
        shared = self._targets.keys() & sources.keys()
        require_all_keys(
            what,
            {
                "missing_keys": self._targets.keys() - shared,
                "unexpected_keys": sources.keys() - shared,
                "mismatched_keys": [key for key in shared if self._targets[key].shape != sources[key].shape],
            },
        )
        _require_precisions(what, {key: sources[key] for key in shared})

    def allocate(self) -> None:
        """Take the storage, if it is not taken yet."""
        if any(tensor.is_meta for tensor in self._targets.values()):
            allocate(self.model, self._device)
            tune(self.model, self._profile)
            self._targets = _canonical(self.model.state_dict())

    def begin(self, tensors: Mapping[str, Tensor], accelerator: Accelerator) -> None:
        """Start to copy tensors that were checked; until `end`, the model holds nothing that may be drawn with."""
        self._holds = None
        sources = _canonical(tensors)
        with torch.no_grad():
            accelerator.copy([(target, sources[key]) for key, target in self._targets.items() if key in sources])

    def end(self, identity: str) -> None:
        """The copy that was begun has arrived, all of it."""
        self._holds = identity

    def forget(self) -> None:
        """Free the storage whoever still refers to the model: a circle, or the traceback of a failed drawing."""
        self._holds = None
        self._targets = {}
        self.model.to("meta")


def _canonical(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(_OLD_PREFIX): tensor for key, tensor in tensors.items()}


def _require_precisions(what: str, sources: Mapping[str, Tensor]) -> None:
    for key, tensor in sources.items():
        if tensor.dtype not in _PRECISIONS:
            raise CheckpointBroken(
                f"{what}: {key} is kept as {str(tensor.dtype).removeprefix('torch.')}; allowed: float16, bfloat16 and"
                " float32; save the checkpoint in half precision"
            )
