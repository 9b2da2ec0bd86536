"""Puts decided requests aside: into the archive or into quarantine, with the files that belong to them."""

import bisect
import uuid
from dataclasses import dataclass
from typing import Literal

from store.errors import KeyNotFound
from watcher.cancel import CANCEL_SUFFIX, cancel_names
from watcher.names import SUFFIX, belongs_to, kept_name, request_id
from watcher.place import InboxPlace
from watcher.redriven import RedriveNotes, beginning_of_all_alike, others_wait

Where = Literal["archive", "quarantine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PutAside:
    """A request file that was put aside: its name, and the key it lies under now."""

    name: str
    key: str


class Aside:
    """Moves by renaming; every method may be repeated without harm."""

    def __init__(self, place: InboxPlace) -> None:
        self._place = place
        self._redrives = RedriveNotes(place.bucket, place.state)

    def put(self, where: Where, name: str) -> PutAside | None:
        """Move a request file with its own files and its cancel; None if somebody else has moved it."""
        identifier = request_id(name)
        folder = self._folder(where, identifier)
        # the request goes last: a crash before that is mended by the next look, which finds it decided
        for own in [*self._files_of(name, identifier), *cancel_names(name)]:
            self._move(self._place.incoming + own, folder + kept_name(own))
        moved = PutAside(name=name, key=folder + kept_name(name))
        if self._move(self._place.incoming + name, moved.key):
            return moved
        # whoever comes second leaves no empty folder
        self._place.bucket.delete(moved.key)
        return None

    def put_alone(self, where: Where, name: str, identifier: str) -> None:
        """Move one file that belongs to an id."""
        self._move(self._place.incoming + name, self._folder(where, identifier) + kept_name(name))

    def quarantine(self, aside: PutAside) -> None:
        """Move a request that was archived into quarantine."""
        self._move(aside.key, self._folder("quarantine", request_id(aside.name)) + kept_name(aside.name))
        self._place.bucket.delete(aside.key)

    def _folder(self, where: Where, identifier: str) -> str:
        return f"{self._place.state}{where}/{identifier}.{uuid.uuid4().hex[:8]}/"

    def _files_of(self, name: str, identifier: str) -> list[str]:
        """The own files of a request, and of the id it first came under; none that another of that id may need."""
        owners = [owner for owner in (identifier, self._redrives.root_of(identifier)) if owner is not None]
        found: list[str] = []
        for owner in owners:
            names = self._names_that_matter(owner)
            found += [] if others_wait(names, name, owner) else _own_files(owner, names)
        return found

    def _names_that_matter(self, owner: str) -> list[str]:
        # listed anew: a file may have come since the last scan
        beginning, start = beginning_of_all_alike(owner), len(self._place.incoming)
        return sorted(key[start:] for key in self._place.bucket.list(self._place.incoming, beginning=beginning))

    def _move(self, source: str, target: str) -> bool:
        try:
            self._place.bucket.move(source, target)
        except KeyNotFound:
            # another worker, or an earlier try, has moved it
            return False
        return True


def _own_files(identifier: str, names: list[str]) -> list[str]:
    """Files named `<id>.<anything>`, unless a request with a longer id may own them."""
    own: list[str] = []
    for name in names[bisect.bisect_left(names, f"{identifier}.") :]:
        if not name.startswith(f"{identifier}."):
            break
        is_own = belongs_to(name, identifier) and not name.endswith(CANCEL_SUFFIX)
        if is_own and not _has_longer_owner(name, identifier, names):
            own.append(name)
    return own


def _has_longer_owner(name: str, identifier: str, names: list[str]) -> bool:
    parts = name[len(identifier) + 1 :].split(".")
    longer = (".".join([identifier, *parts[:count]]) + SUFFIX for count in range(1, len(parts)))
    return any(owner in names[bisect.bisect_left(names, owner) :][:1] for owner in longer)
