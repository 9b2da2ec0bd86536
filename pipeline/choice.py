"""Which files of a repository are worth downloading: those that will be loaded, each of them once."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from store.errors import CheckpointMissing

# name[.variant][-00001-of-00002][.variant].safetensors[.index[.variant].json], the variant in one of three places
_WEIGHTS: Final = re.compile(
    r"(?:diffusion_pytorch_model|model)(?:\.(\w+))?(?:-\d{5}-of-\d{5})?(?:\.(\w+))?"
    r"\.safetensors(?:\.index(?:\.(\w+))?\.json)?"
)
_SETTINGS: Final = (".json", ".txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The folders that are loaded, "" for the root: those that hold weights, and those that hold settings only."""

    weights: tuple[str, ...]
    settings: tuple[str, ...] = ()


# without vae/, because all styles share one
CHECKPOINT: Final = Layout(
    weights=("unet", "text_encoder", "text_encoder_2"), settings=("scheduler", "tokenizer", "tokenizer_2")
)
ONE_MODEL: Final = Layout(weights=("",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The files to download; variant is the infix of the weight files among them."""

    files: tuple[str, ...]
    variant: str | None


def choose(repo: str, names: Collection[str], layout: Layout, variant: str | None) -> Choice:
    """The files of a repository in diffusers layout that are loaded; weights only as safetensors.

    The variant is taken where every folder has it, otherwise the files without one: a checkpoint is
    loaded with one variant or none.  Raises CheckpointMissing if a folder lacks something.
    """
    weights = {folder: _weights_in(folder, names) for folder in layout.weights}
    taken = variant if all(variant in found for found in weights.values()) else None
    settings = {folder: _settings_in(folder, names) for folder in layout.settings}
    lacking = [folder or "its root" for folder, found in weights.items() if taken not in found]
    lacking += [folder for folder, found in settings.items() if not found]
    configs = {f"{folder}/config.json".lstrip("/") for folder in layout.weights}
    lacking += sorted(configs - set(names))
    if lacking:
        raise CheckpointMissing(
            f"{repo}: found nothing to load for {', '.join(lacking)}; a repository needs SDXL in diffusers layout,"
            f" with its weights as .safetensors files{f' (all of them {variant!r}, or all without)' if variant else ''}"
        )
    files = {name for found in weights.values() for name in found[taken]} | configs
    files |= {name for found in settings.values() for name in found}
    return Choice(files=tuple(sorted(files | ({"model_index.json"} & set(names)))), variant=taken)


def _weights_in(folder: str, names: Collection[str]) -> dict[str | None, list[str]]:
    found: dict[str | None, list[str]] = {}
    for name in names:
        parent, _, base = name.rpartition("/")
        match = _WEIGHTS.fullmatch(base)
        if parent == folder and match is not None:
            found.setdefault(next(filter(None, match.groups()), None), []).append(name)
    return found


def _settings_in(folder: str, names: Collection[str]) -> list[str]:
    return [name for name in names if name.rpartition("/")[0] == folder and name.endswith(_SETTINGS)]
