"""Where a training stands, on disk: whole or absent, in files of at most 16 MB."""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

MOST_BYTES = 15 * 1024 * 1024
_PART = re.compile(r"part-\d+\.safetensors")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The steps done, the losses so far as (step, loss), and named tensors."""

    step: int
    losses: tuple[tuple[int, float], ...]
    tensors: Mapping[str, torch.Tensor]


def save(folder: Path, snapshot: Snapshot) -> None:
    """Write beside the final place and rename; what was there before is replaced."""
    temporary = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    write_parts(snapshot.tensors, temporary)
    state = {"step": snapshot.step, "losses": snapshot.losses}
    (temporary / "state.json").write_text(json.dumps(state))
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


def load(folder: Path) -> Snapshot | None:
    """The snapshot in folder; None where there is none."""
    if not (folder / "state.json").is_file():
        return None
    state: dict[str, Any] = json.loads((folder / "state.json").read_text())
    losses = tuple((int(step), float(loss)) for step, loss in state["losses"])
    return Snapshot(step=state["step"], losses=losses, tensors=read_parts(folder))


def write_parts(tensors: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Write tensors into as many files as they need."""
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
