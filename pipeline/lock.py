"""models.lock: which files of which revision were pulled, and what their bytes must be."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, ValidationError

from pipeline.weights import SUFFIX, combined_digest, digest_of_file
from store.digest import Digest
from store.errors import CheckpointBroken
from store.manifest import Document

FILE_NAME: Final = "models.lock"
# no part starts with a dot, so no name leads out of its folder
FileName = Annotated[str, StringConstraints(pattern=r"^[\w-][\w.-]*(/[\w-][\w.-]*)*$")]


class LockedFile(Document):
    """What one pulled file must be."""

    sha256: Digest
    bytes: int = Field(ge=0)


class LockedRepository(Document):
    """One pulled repository: its commit, the infix of its weight files, and every file by its path."""

    revision: str = Field(pattern=r"^[0-9a-f]{40}$")
    variant: str | None = None
    files: dict[FileName, LockedFile]

    @property
    def bytes(self) -> int:
        """What all files weigh together."""
        return sum(file.bytes for file in self.files.values())

    @property
    def sha256(self) -> Digest:
        """The SHA-256 that stands for all weight files, as digest_of_folder would find it."""
        return combined_digest((name, file.sha256) for name, file in self.files.items() if name.endswith(SUFFIX))


class Lock(Document):
    """Everything that was pulled into one folder, by "owner/name"."""

    schema_version: Literal[1] = 1
    repositories: dict[str, LockedRepository] = Field(default={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """One file that is not what models.lock says."""

    repo: str
    file: str
    kind: Literal["missing", "wrong_size", "wrong_bytes", "unreadable"]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What `imagegen models verify` found: how much was read, and every file that is not as it was pulled."""

    repositories: int
    files: int
    bytes: int
    flaws: tuple[Flaw, ...]

    @property
    def ok(self) -> bool:
        """Whether every file is as it was pulled."""
        return not self.flaws


def place_of(folder: Path, repo: str) -> Path:
    """The directory of a repository: "owner/name" lies in owner--name."""
    return folder / repo.replace("/", "--")


def read_lock(folder: Path) -> Lock:
    """The lock of a folder, empty where nothing was pulled; raises CheckpointBroken."""
    path = folder / FILE_NAME
    try:
        return Lock.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Lock()
    except OSError as error:
        raise CheckpointBroken(f"{path} cannot be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CheckpointBroken(
            f"{path}: {f'{where}: ' if where else ''}{first['msg']}; restore the file, or delete it and run"
            " `imagegen models pull`, which keeps the files that are whole"
        ) from error


def write_lock(folder: Path, lock: Lock) -> None:
    """Replace the lock of a folder at one stroke."""
    temporary = folder / f"{FILE_NAME}.partial"
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(lock.model_dump(mode="json"), file, indent=2, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / FILE_NAME)


def flaws(folder: Path, repo: str, locked: LockedRepository, *, read_bytes: bool) -> Iterator[Flaw]:
    """Every file of a repository that is missing or has another size or, if read_bytes, another SHA-256."""
    place = place_of(folder, repo)
    for name, file in sorted(locked.files.items()):
        flaw = _flaw(place / name, repo, name, file, read_bytes=read_bytes)
        if flaw is not None:
            yield flaw


def verify(folder: Path, report: Callable[[str], None]) -> Verification:
    """Read every pulled file again and compare it with models.lock; raises CheckpointBroken if that is unreadable.

    report takes one sentence a repository, for the user who waits.
    """
    held = read_lock(folder).repositories
    found: list[Flaw] = []
    for repo, locked in sorted(held.items()):
        report(f"{repo}: reading {len(locked.files)} files, {locked.bytes:,} bytes")
        found += flaws(folder, repo, locked, read_bytes=True)
    return Verification(
        repositories=len(held),
        files=sum(len(locked.files) for locked in held.values()),
        bytes=sum(locked.bytes for locked in held.values()),
        flaws=tuple(found),
    )


def _flaw(path: Path, repo: str, name: str, file: LockedFile, *, read_bytes: bool) -> Flaw | None:
    try:
        size = path.stat().st_size
        if size != file.bytes:
            message = f"{repo}/{name}: found {size} bytes, {file.bytes} were pulled"
            return Flaw(repo=repo, file=name, kind="wrong_size", message=message)
        if read_bytes and (digest := digest_of_file(path)) != file.sha256:
            message = f"{repo}/{name}: found SHA-256 {digest}, {file.sha256} was pulled"
            return Flaw(repo=repo, file=name, kind="wrong_bytes", message=message)
    except FileNotFoundError:
        return Flaw(repo=repo, file=name, kind="missing", message=f"{repo}/{name}: the file is missing")
    except OSError as error:
        return Flaw(repo=repo, file=name, kind="unreadable", message=f"{repo}/{name}: {error}")
    return None
