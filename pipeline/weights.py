"""Where weights lie on this machine, and which exact bytes they are."""

import contextlib
import functools
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.styles import HubRepository, Style
from store.digest import Digest
from store.errors import CheckpointMissing
from store.manifest import WeightsRecord

SUFFIX = ".safetensors"
# name, size, inode and time of change
Stamp = tuple[str, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Weights found on disk: a diffusers directory or one .safetensors file.

    variant is the infix of the weight files, None for none.  config is the directory that describes a
    single file.  digests: of the weight files by their paths below the directory, where somebody has them written
    down; else they are taken from the files.
    """

    path: Path
    record: WeightsRecord
    variant: str | None = None
    config: Path | None = None
    digests: Mapping[str, Digest] | None = None


class Weights(Protocol):
    """A collection of weights; each method raises CheckpointMissing and says how to get them."""

    def checkpoint(self, style: Style) -> Located:
        """The checkpoint of a style."""

    def vae(self, repository: HubRepository) -> Located:
        """The VAE all styles share."""

    def controlnet(self, repository: HubRepository) -> Located:
        """The ControlNet all styles share."""


def locate(weights: Weights, style: Style) -> Located:
    """The checkpoint of a style: where the user points it, else in the collection."""
    return local_checkpoint(style, style.checkpoint) if style.checkpoint else weights.checkpoint(style)


def local_checkpoint(style: Style, checkpoint: str) -> Located:
    """A checkpoint the user keeps, as the style's `checkpoint` names it; raises CheckpointMissing."""
    path = Path(checkpoint).expanduser()
    if path.is_dir():
        return Located(path=path, record=_record(path, digest_of_folder(path)), variant=style.variant)
    if path.is_file() and path.suffix == SUFFIX:
        return Located(path=path, record=_record(path, known_digest_of_file(path)), config=_config_of(style, path))
    raise CheckpointMissing(
        f"style {style.name!r}: checkpoint {str(path)!r} is neither a directory nor a {SUFFIX} file"
    )


def digest_of_file(path: Path) -> Digest:
    """The SHA-256 of one file, read in pieces."""
    with path.open("rb") as file:
        return Digest(hashlib.file_digest(file, "sha256").hexdigest())


def known_digest_of_file(path: Path) -> Digest:
    """The SHA-256 of one file, read once and remembered while its size, inode and time of change stay."""
    status = path.stat()
    return _remembered(path, status.st_size, status.st_ino, status.st_mtime_ns)


def digest_of_folder(folder: Path) -> Digest:
    """The SHA-256 that stands for all weight files below a folder; each is read once and remembered."""
    return known_digest_of_files(folder, (SUFFIX,))


def known_digest_of_files(folder: Path, suffixes: tuple[str, ...]) -> Digest:
    """The SHA-256 that stands for all files below a folder whose names end so; looked at each time, read once."""
    return _remembered_together(str(folder), _stamps(folder, suffixes))


def digest_of_part(located: Located, name: str) -> Digest:
    """The SHA-256 that stands for the weights of one model of a checkpoint, such as "unet".

    In a single file each model has one of its own, made of the file's and the name.
    """
    if located.path.is_file():
        return combined_digest([(name, known_digest_of_file(located.path))])
    if located.digests is None:
        return digest_of_folder(located.path / name)
    within = f"{name}/"
    return combined_digest((file, digest) for file, digest in located.digests.items() if file.startswith(within))


def stamp_of_part(located: Located, name: str) -> tuple[Stamp, ...]:
    """What tells that nobody has touched the weight files of one model: path, size, inode and time of change."""
    if located.path.is_file():
        return (_stamp("", located.path.stat()),)
    return _stamps(located.path / name, (SUFFIX,))


@functools.lru_cache(maxsize=256)
def _remembered_together(folder: str, stamps: tuple[Stamp, ...]) -> Digest:
    return combined_digest((name, _remembered(Path(folder) / name, *identity)) for name, *identity in stamps)


@functools.lru_cache(maxsize=256)
def _remembered(path: Path, *identity: int) -> Digest:
    # seven gigabytes take seconds, at every swap
    return digest_of_file(path)


def _stamps(folder: Path, suffixes: tuple[str, ...]) -> tuple[Stamp, ...]:
    """Every file below a folder whose name ends so, sorted; a fifth of the time that pathlib takes for it."""
    found: list[Stamp] = []
    folders = [""]
    while folders:
        within = folders.pop()
        # what goes away meanwhile is not there
        with contextlib.suppress(FileNotFoundError), os.scandir(folder / within) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(f"{within}{entry.name}/")
                elif entry.name.endswith(suffixes) and entry.is_file():
                    found.append(_stamp(within + entry.name, entry.stat()))
    return tuple(sorted(found))


def _stamp(name: str, status: os.stat_result) -> Stamp:
    return name, status.st_size, status.st_ino, status.st_mtime_ns


def combined_digest(files: Iterable[tuple[str, Digest]]) -> Digest:
    """The SHA-256 over the lines "<digest>  <path>", sorted by path, of some files' digests."""
    lines = sorted((path, digest) for path, digest in files)
    return Digest.of("".join(f"{digest}  {path}\n" for path, digest in lines).encode())


def _record(path: Path, digest: Digest) -> WeightsRecord:
    return WeightsRecord(repo=path.name, revision=None, sha256=digest)


def _config_of(style: Style, path: Path) -> Path:
    config = Path(style.config_from).expanduser() if style.config_from else None
    if config is None or not config.is_dir():
        raise CheckpointMissing(
            f"style {style.name!r}: the single file {path} needs config_from, a directory in diffusers format (a pulled"
            f" checkpoint of the same architecture) that holds its configuration and tokenizers; found {config}"
        )
    return config
