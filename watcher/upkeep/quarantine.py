"""What lies in quarantine, and what was decided about it."""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from store.bucket import Bucket
from store.catalogue import CONFLICTS, Summary, result_key, summary
from store.digest import Digest
from store.errors import KeyNotFound, NotARegularFile, TooLarge
from watcher.cancel import is_cancel
from watcher.decode import MAX_BYTES
from watcher.names import is_request
from watcher.place import InboxPlace

_TAG_LENGTH = len(".12345678")
_SHORT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A request that was put aside: the keys of its file and of its own files, and what was decided about it.

    digest is None where the file cannot be read; decided where its manifest is gone or broken.
    """

    id: str
    key: str
    own: tuple[str, ...]
    digest: Digest | None
    decided: Summary | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folder:
    id: str
    keys: tuple[str, ...]

    @property
    def request(self) -> str | None:
        return next((key for key in self.keys if is_request(name_of(key))), None)

    @property
    def own(self) -> list[str]:
        return [key for key in self.keys if key != self.request and not is_cancel(name_of(key))]


def request_keys(place: InboxPlace) -> list[str]:
    """The keys of all request files in quarantine."""
    return [key for folder in _folders(place, "quarantine") for key in folder.keys if is_request(name_of(key))]


def quarantined(place: InboxPlace, outgoing: Bucket) -> list[Quarantined]:
    """All requests in quarantine, sorted by id."""
    folders = _folders(place, "quarantine")
    return _items(place.bucket, outgoing, folders)


def cancelled(place: InboxPlace, outgoing: Bucket, ids: Collection[str]) -> list[Quarantined]:
    """Those of the given requests that were cancelled; they lie in the archive."""
    folders = [folder for folder in _folders(place, "archive") if folder.id in ids]
    found = _items(place.bucket, outgoing, folders)
    return [item for item in found if item.decided and item.decided.status == "cancelled"]


def name_of(key: str) -> str:
    """The file name a key ends with."""
    return key.rpartition("/")[2]


def _folders(place: InboxPlace, where: str) -> list[_Folder]:
    prefix = f"{place.state}{where}/"
    # what lies deeper came inside a folder that was no request file; nobody vouches for it
    keys = sorted(key for key in place.bucket.list(prefix, recursive=True) if key.count("/", len(prefix)) == 1)
    grouped = itertools.groupby(keys, lambda key: key[len(prefix) :].partition("/")[0])
    return [_Folder(id=name[:-_TAG_LENGTH], keys=tuple(files)) for name, files in grouped]


def _items(bucket: Bucket, outgoing: Bucket, folders: Sequence[_Folder]) -> list[Quarantined]:
    without: dict[str, list[str]] = {}
    for folder in folders:
        if folder.request is None:
            # put aside by a worker that was killed before it came to the request
            without.setdefault(folder.id, []).extend(folder.own)
    return [
        _item(bucket, outgoing, folder, folder.request, without.get(folder.id, []))
        for folder in folders
        if folder.request is not None
    ]


def _item(bucket: Bucket, outgoing: Bucket, folder: _Folder, request: str, more: Sequence[str]) -> Quarantined:
    digest = _digest(bucket, request)
    own = {name_of(key): key for key in [*more, *folder.own]}
    decided = _decided(outgoing, folder.id, digest)
    return Quarantined(id=folder.id, key=request, own=tuple(own.values()), digest=digest, decided=decided)


def _decided(outgoing: Bucket, identifier: str, digest: Digest | None) -> Summary | None:
    """The record of a conflict if these bytes came under an id that was used, else the result."""
    conflict = [f"{CONFLICTS}/{identifier}.{digest[:_SHORT]}.json"] if digest else []
    for key in [*conflict, result_key(identifier)]:
        try:
            return summary(outgoing, key)
        except KeyNotFound:
            continue
    return None


def _digest(bucket: Bucket, key: str) -> Digest | None:
    try:
        return Digest.of(bucket.get(key, MAX_BYTES))
    except (KeyNotFound, TooLarge, NotARegularFile):
        return None
