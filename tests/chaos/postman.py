"""Brings the files of all cases into the inbox, each when its moment has come."""

import random
import time
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.case import Case, Drop
from tests.chaos.ground import Ground


class Postman:
    """Begins the cases one after the other over so many seconds; `tick` delivers what is due."""

    def __init__(self, ground: Ground, cases: Sequence[Case], seconds: float, chance: random.Random) -> None:
        self._ground = ground
        start = time.monotonic()
        moments = sorted(start + chance.uniform(0, seconds) for _ in cases)
        self._rounds = [_Round(case, moment) for case, moment in zip(cases, moments, strict=True)]

    def tick(self) -> None:
        """Deliver everything whose moment has come."""
        now = time.monotonic()
        for each in self._rounds:
            each.go_on(self._ground, now)
        self._rounds = [each for each in self._rounds if each.left]

    def is_done(self) -> bool:
        """Whether everything has been delivered."""
        return not self._rounds


class _Round:
    def __init__(self, case: Case, begins: float) -> None:
        self._case = case
        self.left = list(case.drops)
        self._since: float | None = None
        self._begins = begins

    def go_on(self, ground: Ground, now: float) -> None:
        while self.left and now >= self._begins and _has_come(self.left[0], self._case, ground):
            if self._since is None:
                self._since = now
            if now < self._since + self.left[0].seconds:
                return
            _deliver(ground.inbox, self.left.pop(0))
            self._since = None


def _has_come(drop: Drop, case: Case, ground: Ground) -> bool:
    decided = ground.result(case.id).exists()
    match drop.when:
        case "working":
            return decided or f"{case.id}.json" in ground.progress()
        case "decided":
            return decided
        case "put aside":
            return decided and not (ground.inbox / drop.name).exists()
    return True


def _deliver(inbox: Path, drop: Drop) -> None:
    if drop.piece:
        with (inbox / drop.name).open("ab") as file:
            file.write(drop.data)
        return
    temporary = inbox / f".{drop.name}.part"
    temporary.write_bytes(drop.data)
    temporary.rename(inbox / drop.name)
