"""Named tensors in a few safetensors files, each small enough for a repository."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file, save_file

MOST_BYTES: Final = 15 * 1024 * 1024
_PART = re.compile(r"part-\d+\.safetensors")


def write_parts(tensors: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Write tensors into as many files as they need, instead of those that were there; what else is there stays."""
    for path in [path for path in folder.iterdir() if _PART.fullmatch(path.name)]:
        path.unlink()
    for number, part in enumerate(_parts(tensors)):
        save_file(part, folder / f"part-{number}.safetensors")


def read_parts(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of all files in folder."""
    tensors: dict[str, torch.Tensor] = {}
    for path in sorted(folder.iterdir()):
        if _PART.fullmatch(path.name):
            tensors |= load_file(path)
    return tensors


def _parts(tensors: Mapping[str, torch.Tensor]) -> list[dict[str, torch.Tensor]]:
    parts: list[dict[str, torch.Tensor]] = [{}]
    size = 0
    for name, tensor in tensors.items():
        bytes_of = tensor.numel() * tensor.element_size()
        if size and size + bytes_of > MOST_BYTES:
            parts.append({})
            size = 0
        # a view would be saved with all it is cut from
        parts[-1][name] = tensor.detach().cpu().contiguous().clone()
        size += bytes_of
    return parts
