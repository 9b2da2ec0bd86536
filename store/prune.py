"""Removes what is past its time: old results, and the images that no other result names."""

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from store.blobs import FOLDER
from store.bucket import Bucket, Head
from store.catalogue import conflict_keys, id_of, result_keys, summary
from store.errors import KeyNotFound, NotARegularFile
from store.hints import FINGERPRINTS

# what is younger may be in the making: an image before its manifest, a temporary file before its name
_IN_THE_MAKING = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """How many files of a kind were removed, and how many bytes they had."""

    kind: str
    count: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What was last touched before `before` is old; with dry_run it is counted and stays."""

    before: datetime
    dry_run: bool

    @classmethod
    def of(cls, now: datetime, older_than: timedelta, *, dry_run: bool) -> "Bound":
        """The bound for an age."""
        return cls(before=now - older_than, dry_run=dry_run)

    def of_finished(self, now: datetime) -> "Bound":
        """The same, but at least an hour before now: for what somebody may be making."""
        return Bound(before=min(self.before, now - _IN_THE_MAKING), dry_run=self.dry_run)

    def is_old(self, head: Head | None) -> bool:
        """Whether something exists and is old."""
        return head is not None and head.modified < self.before


def sweep(bucket: Bucket, kind: str, keys: Iterable[str], bound: Bound) -> Removed:
    """Remove those of the keys that are old; what is no regular file stays."""
    count = size = 0
    for key in keys:
        with suppress(NotARegularFile):
            # asked at the last moment: a worker may have touched it just now
            head = bucket.head(key)
            if head is None or not bound.is_old(head):
                continue
            if not bound.dry_run:
                bucket.delete(key)
            count, size = count + 1, size + head.size
    return Removed(kind=kind, count=count, bytes=size)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Results:
    old: tuple[str, ...]
    named: frozenset[str]
    unreadable: tuple[str, ...]


def prune_results(
    bucket: Bucket, bound: Bound, keep: Collection[str], now: datetime
) -> tuple[list[Removed], list[str]]:
    """Remove old results, records of conflicts and hints, then the images that no remaining result names.

    keep: ids whose results stay.  Returns what was removed and remarks for a person.  While a result
    cannot be read, it and all images stay.
    """
    found = _results(bucket, bound, keep)
    removed = [sweep(bucket, "results", found.old, bound)]
    # a hint whose images go first only makes an equal request be drawn again
    removed.append(sweep(bucket, "fingerprints", bucket.list(f"{FINGERPRINTS}/", recursive=True), bound))
    if found.unreadable:
        return removed, [f"all images stay: {key} cannot be read" for key in found.unreadable]
    images = (key for key in bucket.list(f"{FOLDER}/", recursive=True) if key not in found.named)
    return [*removed, sweep(bucket, "images", images, bound.of_finished(now))], []


def _results(bucket: Bucket, bound: Bound, keep: Collection[str]) -> _Results:
    old: list[str] = []
    named: set[str] = set()
    unreadable: list[str] = []
    for key in [*result_keys(bucket), *conflict_keys(bucket)]:
        try:
            manifest = summary(bucket, key)
            if manifest is None:
                unreadable.append(key)
            elif manifest.created_at < bound.before and bound.is_old(bucket.head(key)) and id_of(key) not in keep:
                old.append(key)
            else:
                named.update(manifest.images)
        except KeyNotFound:
            continue
    return _Results(old=tuple(old), named=frozenset(named), unreadable=tuple(unreadable))
