"""Clears away what decided requests leave behind, while workers go on."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from store.bucket import Bucket
from store.catalogue import decided_ids, result_keys, summary
from store.errors import NotARegularFile, RequestRejected, TooLarge
from store.leftovers import leftovers
from store.outbox import PROGRESS
from store.prune import Bound, Removed, prune_results, sweep
from watcher.names import SUFFIX, is_request, request_id
from watcher.place import InboxPlace
from watcher.redriven import FOLDER as REDRIVEN
from watcher.upkeep.running import claim_files
from watcher.upkeep.shared import shared_files, unneeded, without


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was removed, kind by kind, and what a person should know."""

    removed: tuple[Removed, ...]
    remarks: tuple[str, ...]


class Prune:
    """One clearing of an inbox and an outbox; may be interrupted and repeated."""

    def __init__(self, place: InboxPlace, outgoing: Bucket, now: Callable[[], datetime]) -> None:
        """now: the wall clock, in UTC."""
        self._place = place
        self._bucket = place.bucket
        self._outgoing = outgoing
        self._now = now

    def prune(self, older_than: timedelta, *, results: bool, dry_run: bool) -> Pruned:
        """Remove what is older; results and images only if asked to.  Requests in the inbox always stay."""
        bound = Bound.of(self._now(), older_than, dry_run=dry_run)
        pending = frozenset(request_id(name) for name in self._names() if is_request(name))
        removed = [*self._put_aside(bound), *self._notes(decided_ids(self._outgoing) - pending, bound)]
        removed += self._temporaries(bound)
        shared, remarks = self._shared(bound)
        removed.append(shared)
        if results:
            more, about_images = prune_results(self._outgoing, bound, pending, self._now())
            removed, remarks = [*removed, *more], [*remarks, *about_images]
        return Pruned(removed=tuple(removed), remarks=tuple(remarks))

    def _put_aside(self, bound: Bound) -> Iterator[Removed]:
        for kind in ("archive", "quarantine"):
            keys = self._bucket.list(f"{self._place.state}{kind}/", recursive=True)
            yield sweep(self._bucket, kind, keys, bound)

    def _notes(self, settled: Collection[str], bound: Bound) -> Iterator[Removed]:
        """What is kept about requests that are decided and no longer in the inbox."""
        files = claim_files(self._place)
        claims = [file.key for identifier in files.keys() & set(settled) for file in files[identifier]]
        yield sweep(self._bucket, "claims", claims, bound)
        for kind, bucket, prefix in (
            ("seen", self._bucket, f"{self._place.state}seen/"),
            ("redriven", self._bucket, f"{self._place.state}{REDRIVEN}"),
            ("progress", self._outgoing, f"{PROGRESS}/"),
        ):
            keys = (key for key in bucket.list(prefix) if key[len(prefix) :].removesuffix(SUFFIX) in settled)
            yield sweep(bucket, kind, keys, bound)

    def _temporaries(self, bound: Bound) -> Iterator[Removed]:
        finished = bound.of_finished(self._now())
        parts = [sweep(bucket, "temporaries", leftovers(bucket), finished) for bucket in (self._bucket, self._outgoing)]
        yield Removed(
            kind="temporaries", count=sum(part.count for part in parts), bytes=sum(part.bytes for part in parts)
        )

    def _names(self) -> list[str]:
        return [key[len(self._place.incoming) :] for key in self._bucket.list(self._place.incoming)]

    def _shared(self, bound: Bound) -> tuple[Removed, list[str]]:
        old = [name for name in shared_files(self._names()) if self._is_old(name, bound)]
        old = without(old, self._lately_used(bound)) if old else []
        remarks: list[str] = []
        try:
            # no request is read where there is nothing to decide; listed anew, for those that came meanwhile
            keys = [self._place.incoming + name for name in unneeded(self._place, self._names(), old)] if old else []
        except (RequestRejected, TooLarge) as error:
            keys, remarks = [], [f"all shared references stay, because a request cannot be read: {error.message}"]
        return sweep(self._bucket, "shared references", keys, bound), remarks

    def _lately_used(self, bound: Bound) -> set[str]:
        """The references that requests named whose results are young."""
        found = (summary(self._outgoing, key) for key in result_keys(self._outgoing))
        return {one.reference for one in found if one and one.reference and one.created_at >= bound.before}

    def _is_old(self, name: str, bound: Bound) -> bool:
        try:
            return bound.is_old(self._bucket.head(self._place.incoming + name))
        except NotARegularFile:
            return False
