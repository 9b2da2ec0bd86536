"""The border to the model hub: what a repository holds, and its files; HF_ENDPOINT and HF_TOKEN are honoured."""

import errno
import hashlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.choice import Layout
from pipeline.lock import LockedFile
from pipeline.styles import HubRepository
from store.errors import CheckpointMissing, DownloadFailed, StoreFull

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A repository to pull; advice says what the user can do if the hub does not have it."""

    repository: HubRepository
    layout: Layout
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What the hub has at one commit: every file by its path."""

    revision: str
    files: Mapping[str, "RepoSibling"]


def list_files(wanted: Wanted, revision: str | None) -> Listing:
    """Ask the hub for a repository, at its newest commit if revision is None; raises as download does."""
    from huggingface_hub import HfApi

    with _hub_errors_become_ours(wanted, revision):
        info = HfApi().model_info(wanted.repository.repo, revision=revision, files_metadata=True)
        return Listing(revision=str(info.sha), files={file.rfilename: file for file in info.siblings or ()})


def download(place: Path, wanted: Wanted, listing: Listing, names: Collection[str]) -> None:
    """Fetch the named files into a directory; complete ones stay, a cut connection is taken up where it broke.

    Raises DownloadFailed (try again), CheckpointMissing (unknown, or not given to this user) and StoreFull.
    """
    from huggingface_hub import snapshot_download

    # a killed download leaves gigabytes that the hub client never uses again
    for leftover in (place / ".cache").rglob("*.incomplete"):
        leftover.unlink()
    patterns = [escape(name) for name in names]
    with _hub_errors_become_ours(wanted, listing.revision):
        snapshot_download(wanted.repository.repo, revision=listing.revision, local_dir=place, allow_patterns=patterns)


def is_listed(path: Path, found: LockedFile, listed: "RepoSibling") -> bool:
    """Whether a file's bytes are those the hub lists."""
    if listed.lfs is not None:
        return found.sha256 == listed.lfs.sha256
    # files outside LFS are small, and known by their git blob id only
    blob = b"blob %d\0" % found.bytes + path.read_bytes()
    return listed.blob_id in (None, hashlib.sha1(blob, usedforsecurity=False).hexdigest())


@contextmanager
def _hub_errors_become_ours(wanted: Wanted, revision: str | None) -> Iterator[None]:
    from huggingface_hub import constants, errors

    what = f"{wanted.repository.repo} at {f'revision {revision}' if revision else 'its newest revision'}"
    hub = constants.ENDPOINT
    try:
        yield
    except errors.GatedRepoError as error:
        raise CheckpointMissing(
            f"{what}: {hub} gives it only to those who accepted its terms; accept them there and set HF_TOKEN,"
            f" or {wanted.advice}"
        ) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.DisabledRepoError) as error:
        raise CheckpointMissing(
            f"{what}: {hub} does not have it, or keeps it from this user; set HF_TOKEN if it is private,"
            f" or {wanted.advice}"
        ) from error
    # the client raises errors of its own, of its HTTP library and of its transfer library
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise StoreFull(f"{what}: {text}; free some space and pull again") from error
        raise DownloadFailed(
            f"{what}: {hub} did not deliver: {text}; check the network and pull again, complete files stay"
        ) from error
