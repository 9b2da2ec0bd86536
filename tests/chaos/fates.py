"""Decides where each worker of a storm crashes."""

import random

from tests.chaos.crashes import POINTS, Fate
from tests.chaos.diary import Diary


class Fates:
    """At every point once, as long as one is missing; later at random points, or nowhere."""

    def __init__(self, diary: Diary, *, passings: int, share: float, chance: random.Random) -> None:
        """passings: a crash comes at latest at this passing of its point; share: of the workers that crash."""
        self._diary = diary
        self._passings = passings
        self._share = share
        self._chance = chance
        self._given = 0
        self._is_calm = False

    def __call__(self) -> Fate | None:
        """The fate of the next worker."""
        missing = self.missing()
        if self._is_calm or (not missing and self._chance.random() >= self._share):
            return None
        points = missing or POINTS
        self._given += 1
        return Fate(point=points[self._given % len(points)], passing=self._chance.randint(1, self._passings))

    def calm_down(self) -> None:
        """From now on nobody is doomed."""
        self._is_calm = True

    def missing(self) -> tuple[str, ...]:
        """The points at which nobody has died yet."""
        return tuple(point for point in POINTS if not self._diary.count(point))
