"""Which files hold the weights of one part of a checkpoint, and their tensors, mapped and not yet read."""

import json
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from pipeline.intact import require_safetensors
from pipeline.weights import SUFFIX
from store.errors import CheckpointBroken

Tensors = dict[str, Tensor]


def tensors_in(what: str, folder: Path, stem: str, variant: str | None) -> Tensors:
    """All tensors of a part in diffusers format, on the CPU; their bytes are read when they are used.

    stem: how the library calls its files, such as "model".  The variant is taken where the folder has it, because a
    folder somebody keeps may have its files without the infix of those on the hub.  Raises CheckpointBroken.
    """
    tensors: Tensors = {}
    for file in _files(what, folder, stem, variant):
        tensors |= load_file(file)
    return tensors


def _files(what: str, folder: Path, stem: str, variant: str | None) -> list[Path]:
    names = require_safetensors(what, folder)
    has_variant = any(f".{variant}." in name or f".{variant}-" in name for name in names)
    infix = f".{variant}" if variant and has_variant else ""
    whole = folder / f"{stem}{infix}{SUFFIX}"
    indexes = [folder / f"{stem}{SUFFIX}.index{infix}.json", folder / f"{stem}{infix}{SUFFIX}.index.json"]
    index = next((path for path in indexes if path.is_file()), None)
    if index is None:
        if not whole.is_file():
            raise CheckpointBroken(f"{what}: there is no {whole.name}; found {', '.join(names)}")
        return [whole]
    if whole.is_file():
        # the libraries disagree about which of the two they read
        raise CheckpointBroken(f"{what}: found both {whole.name} and {index.name}; remove the one that is not meant")
    shards: dict[str, str] = json.loads(index.read_bytes())["weight_map"]
    return [folder / name for name in sorted(set(shards.values()))]
