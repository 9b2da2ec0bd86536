"""The weights `imagegen models pull` brought, found and listed without a network."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pipeline.lock import Lock, LockedRepository, flaws, place_of, read_lock
from pipeline.styles import HubRepository, Style, Styles
from pipeline.weights import SUFFIX, Located
from store.errors import CheckpointBroken, CheckpointMissing
from store.manifest import WeightsRecord

PULL: Final = "imagegen models pull"
_COMMIT = re.compile(r"[0-9a-f]{40}")


class PulledWeights:
    """Weights in one folder, as its models.lock describes them; sizes are checked, bytes are not read."""

    def __init__(self, folder: Path, styles: Styles) -> None:
        """folder: where owner--name/ and models.lock lie; it need not exist yet."""
        self._folder = folder
        self._styles = styles

    def checkpoint(self, style: Style) -> Located:
        """The checkpoint of a style; raises CheckpointMissing or CheckpointBroken."""
        return self._located(f"style {style.name!r}", style, f"{PULL} --style {style.name}")

    def vae(self, repository: HubRepository) -> Located:
        """The VAE all styles share; raises as checkpoint does."""
        return self._located("the VAE", repository, self._pull_again())

    def controlnet(self, repository: HubRepository) -> Located:
        """The ControlNet all styles share; raises as checkpoint does."""
        return self._located("the ControlNet", repository, self._pull_again())

    def _pull_again(self) -> str:
        # a plain pull would bring the checkpoints of every style, 7 GB each
        held = read_lock(self._folder).repositories
        names = [name for name, style in self._styles.styles.items() if style.repo in held]
        return " ".join([PULL, *(f"--style {name}" for name in names)])

    def _located(self, what: str, repository: HubRepository, command: str) -> Located:
        locked = read_lock(self._folder).repositories.get(repository.repo)
        place = place_of(self._folder, repository.repo)
        if locked is None or not place.is_dir():
            raise CheckpointMissing(f"{what}: {repository.repo} is not in {self._folder}; run `{command}`")
        if not _is_at(locked, repository.revision):
            raise CheckpointMissing(
                f"{what}: {repository.repo} is to be at revision {repository.revision}, {self._folder} holds"
                f" {locked.revision}; run `{command}`"
            )
        for flaw in flaws(self._folder, repository.repo, locked, read_bytes=False):
            raise CheckpointBroken(
                f"{what}: {flaw.message}; `imagegen models verify` checks every file, `{command}` mends it"
            )
        record = WeightsRecord(repo=repository.repo, revision=locked.revision, sha256=locked.sha256)
        digests = {name: file.sha256 for name, file in locked.files.items() if name.endswith(SUFFIX)}
        return Located(path=place, record=record, variant=locked.variant, digests=digests)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One repository, or one local checkpoint, as `imagegen models list` shows it.

    bytes is what lies on disk now; incomplete means that a pull was interrupted, that a file is missing
    or has another size, or that another revision is asked for than was pulled.
    """

    name: str
    styles: tuple[str, ...]
    repo: str
    revision: str | None
    bytes: int
    state: Literal["present", "missing", "incomplete", "local"]
    licence: str


def status(folder: Path, styles: Styles) -> tuple[Listed, ...]:
    """What each style, the VAE and the ControlNet need, and whether it is there; reads no weights."""
    lock = read_lock(folder)
    shared = (("vae", styles.vae), ("controlnet", styles.controlnet))
    return (
        *_listed_styles(folder, lock, styles),
        *(_listed(folder, lock, name, repository, tuple(styles.styles)) for name, repository in shared),
    )


def _is_at(locked: LockedRepository, revision: str | None) -> bool:
    # the name of a branch or tag says nothing about the commit it led to when it was pulled
    return revision is None or not _COMMIT.fullmatch(revision) or revision == locked.revision


def _listed_styles(folder: Path, lock: Lock, styles: Styles) -> Iterator[Listed]:
    seen: set[str] = set()
    for name, style in styles.styles.items():
        if style.checkpoint is not None:
            yield _listed_local(name, style, Path(style.checkpoint).expanduser())
        elif style.repo not in seen:
            seen.add(style.repo)
            users = [other for other, one in styles.styles.items() if one.repo == style.repo and not one.checkpoint]
            yield _listed(folder, lock, name, style, tuple(users))


def _listed_local(name: str, style: Style, path: Path) -> Listed:
    return Listed(
        name=name,
        styles=(name,),
        repo=str(path),
        revision=None,
        bytes=_bytes_in(path),
        state="local" if path.exists() else "missing",
        licence=style.licence,
    )


def _listed(folder: Path, lock: Lock, name: str, repository: HubRepository, users: tuple[str, ...]) -> Listed:
    locked = lock.repositories.get(repository.repo)
    place = place_of(folder, repository.repo)
    return Listed(
        name=name,
        styles=users,
        repo=repository.repo,
        revision=locked.revision if locked else repository.revision,
        bytes=_bytes_in(place),
        state=_state(folder, repository, locked) if place.is_dir() else "missing",
        licence=repository.licence,
    )


def _state(
    folder: Path, repository: HubRepository, locked: LockedRepository | None
) -> Literal["present", "incomplete"]:
    if locked is None or not _is_at(locked, repository.revision):
        return "incomplete"
    whole = not any(flaws(folder, repository.repo, locked, read_bytes=False))
    return "present" if whole else "incomplete"


def _bytes_in(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
