"""What weights on disk must be before they are used: whole, and nothing but safetensors."""

import json
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from pipeline.out_of_memory import is_out_of_memory
from pipeline.weights import SUFFIX, Located
from store.errors import CheckpointBroken

# buffers of other libraries' CLIP that no picture depends on
_HARMLESS = ("position_ids", "logit_scale")
_PICKLES = (".bin", ".ckpt", ".pt", ".pth")


@contextmanager
def broken_becomes_ours(located: Located) -> Iterator[None]:
    """Turn what the libraries raise about files into CheckpointBroken; a lack of memory is no fault of theirs."""
    where = f"{located.record.repo} at {located.path.name}"
    try:
        yield
    except CheckpointBroken as error:
        traceback.clear_frames(error.__traceback__)
        raise
    except KeyError as error:
        traceback.clear_frames(error.__traceback__)
        raise CheckpointBroken(f"{where}: {error} is missing") from error
    except (OSError, ValueError, TypeError, RuntimeError, SafetensorError) as error:
        # the frames of a failed load hold what was loaded so far, gigabytes, for as long as the error lives
        traceback.clear_frames(error.__traceback__)
        if is_out_of_memory(error):
            raise
        raise CheckpointBroken(f"{where}: {error}; if the files are not whole, copy or pull them again") from error


def require_all_keys(what: str, info: Mapping[str, Iterable[Any]]) -> None:
    """Raise CheckpointBroken unless every weight was found, in its shape, and every one found was used.

    info: missing_keys, unexpected_keys and mismatched_keys, as both libraries report them.
    """
    problems = []
    for problem in ("missing", "unexpected", "mismatched"):
        keys = sorted(str(key) for key in info.get(f"{problem}_keys", ()) if not str(key).endswith(_HARMLESS))
        if keys:
            problems.append(f"{problem} {', '.join(keys[:3])} ({len(keys)} in all)")
    if problems:
        raise CheckpointBroken(
            f"{what}: {' and '.join(problems)}; the file is not an SDXL checkpoint of this architecture,"
            " or it was saved in a way this version cannot read"
        )


def require_config(what: str, folder: Path) -> None:
    """Raise CheckpointBroken unless a part is described; transformers would take the defaults of its class."""
    if not (folder / "config.json").is_file():
        raise CheckpointBroken(f"{what}: there is no config.json in {folder}; in diffusers format each part has one")


def require_safetensors(what: str, folder: Path) -> list[str]:
    """The names of a part's weight files; raises CheckpointBroken if the libraries would read anything else."""
    for index in folder.glob(f"*{SUFFIX}.index*.json"):
        shards: dict[str, str] = json.loads(index.read_bytes())["weight_map"]
        if others := sorted(name for name in shards.values() if not name.endswith(SUFFIX)):
            raise CheckpointBroken(f"{what}: {index.name} names {others[0]}; weights are read from {SUFFIX} files only")
    names = sorted(file.name for file in folder.iterdir())
    if not (safe := [name for name in names if name.endswith(SUFFIX)]):
        pickles = [name for name in names if name.endswith(_PICKLES)]
        found = f"found {pickles[0]}, a pickle, which can run code when it is opened" if pickles else "found none"
        raise CheckpointBroken(f"{what}: weights are read from {SUFFIX} files only; {found}; convert it or pull again")
    return safe
