"""Where a training stands, on disk: whole or absent, in files of at most 16 MB."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipeline.builtin.tensor_files import read_parts, write_parts

_STATE = "state.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The steps done, the losses so far as (step, loss), and named tensors."""

    step: int
    losses: tuple[tuple[int, float], ...]
    tensors: Mapping[str, torch.Tensor]


def save(folder: Path, snapshot: Snapshot) -> None:
    """Write beside the final place and rename; at any moment one of the two, the old or the new, can be loaded."""
    temporary, before = _beside(folder, "new"), _beside(folder, "old")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    write_parts(snapshot.tensors, temporary)
    state = {"step": snapshot.step, "losses": snapshot.losses}
    (temporary / _STATE).write_text(json.dumps(state))
    if folder.is_dir():
        shutil.rmtree(before, ignore_errors=True)
        folder.rename(before)
    temporary.rename(folder)
    shutil.rmtree(before, ignore_errors=True)


def load(folder: Path) -> Snapshot | None:
    """The snapshot in folder; None where there is none."""
    found = _found(folder)
    if found is None:
        return None
    state: dict[str, Any] = json.loads((found / _STATE).read_text())
    losses = tuple((int(step), float(loss)) for step, loss in state["losses"])
    return Snapshot(step=state["step"], losses=losses, tensors=read_parts(found))


def exists(folder: Path) -> bool:
    """Whether there is a snapshot in folder."""
    return _found(folder) is not None


def _found(folder: Path) -> Path | None:
    return next((place for place in (folder, _beside(folder, "old")) if (place / _STATE).is_file()), None)


def _beside(folder: Path, kind: str) -> Path:
    return folder.with_name(f".{folder.name}.{kind}")
