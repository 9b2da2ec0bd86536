"""Pulls repositories into a folder, and enters into models.lock only what came whole."""

import fcntl
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.choice import CHECKPOINT, ONE_MODEL, Choice, choose
from pipeline.hub import Listing, Wanted, download, is_listed, list_files
from pipeline.lock import Lock, LockedFile, LockedRepository, flaws, place_of, read_lock, write_lock
from pipeline.styles import Style, Styles
from pipeline.weights import digest_of_file
from store.errors import (
    CheckpointBroken,
    CheckpointMissing,
    DownloadFailed,
    SettingsInvalid,
    StoreFull,
    StoreUnavailable,
)

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """One repository that is now on this machine; fetched is False if it already was, whole and unchanged."""

    repo: str
    revision: str
    variant: str | None
    files: int
    bytes: int
    fetched: bool


def pull(folder: Path, styles: Styles, names: Collection[str] | None, report: Report) -> tuple[Pulled, ...]:
    """Bring the checkpoints of the named styles (none named: all), the VAE and the ControlNet into a folder.

    report takes sentences for the user.  Each repository enters models.lock when it is complete; what a
    failed pull has brought is kept, and the next one goes on from there.  A repository that the hub does
    not give does not keep the others from coming.

    Raises DownloadFailed (try again), CheckpointMissing (the hub has no such repository or revision, or
    does not give it), CheckpointBroken (wrong bytes came), StoreFull, StoreUnavailable, SettingsInvalid
    and UnknownStyle.
    """
    wanted = _wanted(styles, names, report)
    pulled: list[Pulled] = []
    refused: list[str] = []
    with _alone(folder):
        for one in wanted:
            try:
                pulled.append(_pull_one(folder, one, report))
            except CheckpointMissing as error:
                report(f"{one.repository.repo}: cannot be pulled; going on with the others")
                refused.append(error.message)
    if refused:
        raise CheckpointMissing("; ".join(refused))
    return tuple(pulled)


def _wanted(styles: Styles, names: Collection[str] | None, report: Report) -> list[Wanted]:
    shared = "ask whoever runs the hub or mirror that HF_ENDPOINT names"
    wanted = {
        one.repo: Wanted(repository=one, layout=ONE_MODEL, advice=shared) for one in (styles.vae, styles.controlnet)
    }
    for style in styles.styles.values() if not names else [styles.find(name) for name in names]:
        if style.checkpoint is not None:
            report(f"style {style.name!r} draws with {style.checkpoint}; nothing to pull")
            continue
        known = wanted.setdefault(style.repo, _wanted_by(style)).repository
        if (known.revision, known.variant) != (style.revision, style.variant):
            raise SettingsInvalid(
                f"style {style.name!r} and another use {style.repo} at different revisions or variants;"
                " a folder holds one of each repository, so give both styles the same",
                field="styles",
            )
    return list(wanted.values())


def _wanted_by(style: Style) -> Wanted:
    advice = f"set repo to another repository, or checkpoint to a local path, for styles.{style.name} in imagegen.toml"
    return Wanted(repository=style, layout=CHECKPOINT, advice=advice)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".pull.lock").open("w")
    except OSError as error:
        raise StoreUnavailable(f"the models folder cannot be written: {error}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DownloadFailed(
                f"another `imagegen models pull` is at work in {folder}; wait until it is done"
            ) from error
        yield


def _pull_one(folder: Path, wanted: Wanted, report: Report) -> Pulled:
    repo = wanted.repository.repo
    known = read_lock(folder).repositories.get(repo)
    if known is not None and _is_whole(folder, wanted, known, report):
        report(f"{repo}: is here, whole, at revision {known.revision}")
        return _pulled(repo, known, fetched=False)
    listing = list_files(wanted, wanted.repository.revision or (known.revision if known else None))
    choice = _choice(wanted, listing, report)
    _require_room(folder, repo, listing, choice)
    if known is not None and known.revision != listing.revision:
        # from here on files of two revisions lie side by side, and no worker may load such a mixture
        _enter(folder, repo, None)
    report(f"{repo}: pulling {len(choice.files)} files at revision {listing.revision}")
    download(place_of(folder, repo), wanted, listing, choice.files)
    locked = _checked(folder, repo, listing, choice, known)
    _enter(folder, repo, locked)
    for name in known.files.keys() - locked.files.keys() if known else ():
        (place_of(folder, repo) / name).unlink(missing_ok=True)
    return _pulled(repo, locked, fetched=True)


def _pulled(repo: str, locked: LockedRepository, *, fetched: bool) -> Pulled:
    return Pulled(
        repo=repo,
        revision=locked.revision,
        variant=locked.variant,
        files=len(locked.files),
        bytes=locked.bytes,
        fetched=fetched,
    )


def _is_whole(folder: Path, wanted: Wanted, known: LockedRepository, report: Report) -> bool:
    """Whether nothing needs fetching; files that are not as they were pulled are deleted on the way."""
    found = list(flaws(folder, wanted.repository.repo, known, read_bytes=True))
    for flaw in found:
        report(f"{flaw.message}; it will be fetched again")
        # the hub client believes in whatever lies there
        (place_of(folder, flaw.repo) / flaw.file).unlink(missing_ok=True)
    asked = wanted.repository.revision or known.revision, wanted.repository.variant
    return not found and asked == (known.revision, known.variant)


def _choice(wanted: Wanted, listing: Listing, report: Report) -> Choice:
    repo, variant = wanted.repository.repo, wanted.repository.variant
    choice = choose(repo, listing.files, wanted.layout, variant)
    if choice.variant != variant:
        report(f"{repo}: warning: it has no complete set of {variant!r} weights; taking those without a variant")
    return choice


def _enter(folder: Path, repo: str, locked: LockedRepository | None) -> None:
    others = {name: one for name, one in read_lock(folder).repositories.items() if name != repo}
    write_lock(folder, Lock(repositories={**others, repo: locked} if locked else others))


def _require_room(folder: Path, repo: str, listing: Listing, choice: Choice) -> None:
    absent = [name for name in choice.files if not (place_of(folder, repo) / name).exists()]
    needed, free = sum(listing.files[name].size or 0 for name in absent), shutil.disk_usage(folder).free
    if needed > free:
        raise StoreFull(
            f"{repo}: {needed:,} bytes are still to come, {free:,} are free in {folder}; free some and pull again"
        )


def _checked(
    folder: Path, repo: str, listing: Listing, choice: Choice, known: LockedRepository | None
) -> LockedRepository:
    """What was fetched, once every file has the bytes that the hub lists and an earlier pull has seen."""
    pinned = known.files if known is not None and known.revision == listing.revision else {}
    files = {}
    for name in choice.files:
        path = place_of(folder, repo) / name
        if not path.is_file():
            raise DownloadFailed(f"{repo}/{name}: did not arrive; pull again")
        found = LockedFile(sha256=digest_of_file(path), bytes=path.stat().st_size)
        if not is_listed(path, found, listing.files[name]) or pinned.get(name, found) != found:
            path.unlink()
            raise CheckpointBroken(
                f"{repo}/{name}: SHA-256 {found.sha256} of {found.bytes} bytes is not what the hub lists for revision"
                f" {listing.revision}, or not what models.lock has; the file was deleted, pull again"
            )
        files[name] = found
    return LockedRepository(revision=listing.revision, variant=choice.variant, files=files)
