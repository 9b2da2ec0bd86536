"""Takes requests out of quarantine and submits the same bytes again, under a new id."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.clock import Clock
from store.bucket import Bucket
from store.catalogue import result_key
from store.errors import KeyNotFound, NotARegularFile, TooLarge
from watcher.names import request_id, shown
from watcher.place import InboxPlace
from watcher.redriven import RedriveNote, RedriveNotes, redrive_name
from watcher.upkeep.quarantine import Quarantined, name_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Redriven:
    """What became of a request: its new id, or the problem that keeps it in quarantine."""

    old: str
    new: str | None = None
    problem: str | None = None


class Redrive:
    """Moves requests from quarantine to the inbox; may be interrupted and run again."""

    def __init__(self, place: InboxPlace, outgoing: Bucket, clock: Clock) -> None:
        self._place = place
        self._bucket = place.bucket
        self._outgoing = outgoing
        self._clock = clock
        self._notes = RedriveNotes(place.bucket, place.state)

    def again(self, items: Iterable[Quarantined]) -> list[Redriven]:
        """Submit them under new ids; equal bytes of one id are submitted once."""
        alike: dict[tuple[str, str], list[Quarantined]] = {}
        for item in items:
            alike.setdefault((item.id, item.digest or item.key), []).append(item)
        return [outcome for group in alike.values() for outcome in self._again(group)]

    def _again(self, group: Sequence[Quarantined]) -> list[Redriven]:
        """Own files first, requests last, so that a crash half way leaves what redrive finds again."""
        outcomes: list[Redriven] = []
        brought: list[Quarantined] = []
        name = ""
        for item in group:
            problem = self._in_the_way(item)
            if problem is not None:
                outcomes.append(Redriven(old=item.id, problem=problem))
                continue
            name = name or self._take_name(item)
            for key in item.own:
                self._move_if_there(key, self._place.incoming + name_of(key))
            brought.append(item)
        for item in brought:
            self._move_if_there(item.key, self._place.incoming + name)
            # nothing lies there any more; this clears away the empty folder
            self._bucket.delete(item.key)
        return [*outcomes, *([Redriven(old=group[0].id, new=request_id(name))] if brought else [])]

    def _in_the_way(self, item: Quarantined) -> str | None:
        for key in item.own:
            if not self._may_replace(self._place.incoming + name_of(key), key):
                return (
                    f"{shown(name_of(key))} in the inbox is another file; redrive again when no request needs that one"
                )
        return None

    def _may_replace(self, there: str, key: str) -> bool:
        try:
            old, new = self._bucket.head(there), self._bucket.head(key)
            if old is None or new is None:
                return True
            return old.size == new.size and self._bucket.get(there, old.size) == self._bucket.get(key, new.size)
        except (KeyNotFound, TooLarge, NotARegularFile):
            return False

    def _take_name(self, item: Quarantined) -> str:
        """The first free name: one whose note is ours to make, or was made for these bytes and not used yet."""
        note = RedriveNote(
            redrive_of=self._root(item),
            request_file=shown(name_of(item.key)),
            request_sha256=item.digest,
            at=self._clock.now(),
        )
        names = (redrive_name(note.redrive_of, number) for number in itertools.count(1))
        return next(name for name in names if not self._is_used(name) and self._is_taken(name, note))

    def _root(self, item: Quarantined) -> str:
        named = item.decided.redrive_of if item.decided else None
        return self._notes.root_of(item.id) or named or item.id

    def _is_used(self, name: str) -> bool:
        if self._outgoing.head(result_key(request_id(name))) is not None:
            return True
        try:
            return self._bucket.head(self._place.incoming + name) is not None
        except NotARegularFile:
            return True

    def _is_taken(self, name: str, note: RedriveNote) -> bool:
        if self._notes.create(request_id(name), note):
            return True
        found = self._notes.read(request_id(name))
        return found is not None and (found.redrive_of, found.request_sha256) == (note.redrive_of, note.request_sha256)

    def _move_if_there(self, source: str, target: str) -> None:
        try:
            self._bucket.move(source, target)
        except KeyNotFound:
            # another redrive was faster
            return
