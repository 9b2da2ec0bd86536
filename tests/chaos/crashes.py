"""Crashes at the named points: buckets that end their process at a given write."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from store.folder import FolderBucket
from tests.chaos.diary import Diary

POINTS = ("after-claim", "after-blobs", "after-manifest", "before-ack")
_CREATES = {
    ".imagegen/claims/": "after-claim",
    "generated_images/": "after-blobs",
    "results/": "after-manifest",
}
_ARCHIVE = ".imagegen/archive/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """At which point a worker dies, and at the how manieth time it gets there, counted from 1."""

    point: str
    passing: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "POINT:N"."""
        point, _, passing = text.partition(":")
        if point not in POINTS:
            raise ValueError(f"found {point!r}; allowed: {', '.join(POINTS)}")
        return cls(point=point, passing=int(passing))

    def __str__(self) -> str:
        return f"{self.point}:{self.passing}"


class Doom:
    """Counts how often its point is passed, over all buckets and threads of a worker."""

    def __init__(self, fate: Fate, diary: Diary) -> None:
        self._fate = fate
        self._diary = diary
        self._lock = threading.Lock()
        self._passed = 0

    def meet(self, point: str, key: str) -> None:
        """The worker is at a point; this is where it may end."""
        with self._lock:
            self._passed += point == self._fate.point
            if point == self._fate.point and self._passed >= self._fate.passing:
                self._diary.die(point, key)


class DoomedBucket(FolderBucket):
    """A folder whose user dies right after some creates, or right before a request is archived."""

    def __init__(self, root: Path, doom: Doom) -> None:
        super().__init__(root)
        self._doom = doom

    def create(self, key: str, data: bytes) -> bool:
        created = super().create(key, data)
        for prefix, point in _CREATES.items():
            if key.startswith(prefix):
                self._doom.meet(point, key)
        return created

    def move(self, source: str, target: str) -> None:
        if target.startswith(_ARCHIVE):
            self._doom.meet("before-ack", source)
        super().move(source, target)
