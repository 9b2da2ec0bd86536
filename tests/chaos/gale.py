"""The storm of signals: at random times a random worker is killed, or frozen for longer than its lease."""

import random
import time

from tests.chaos.crew import Crew


class Gale:
    """Blows at a mean interval, for so many seconds; a frozen worker is thawed after so many as freezes says."""

    def __init__(
        self, crew: Crew, *, interval: float, seconds: float, freezes: tuple[float, float], chance: random.Random
    ) -> None:
        self._crew = crew
        self._interval = interval
        self._freezes = freezes
        self._chance = chance
        self._next = time.monotonic() + interval
        self._last = time.monotonic() + seconds
        self._thaws: dict[int, float] = {}
        self.killed = self.frozen = 0

    def tick(self) -> None:
        """Blow if the time has come."""
        now = time.monotonic()
        for slot in [slot for slot, moment in self._thaws.items() if now >= moment]:
            del self._thaws[slot]
            self._crew.thaw(slot)
        if self._next <= now < self._last:
            self._next = now + self._chance.uniform(0.5, 1.5) * self._interval
            self._blow(now)

    def end(self) -> None:
        """Thaw whoever is still frozen."""
        for slot in self._thaws:
            self._crew.thaw(slot)
        self._thaws.clear()

    def _blow(self, now: float) -> None:
        awake = self._crew.awake()
        if not awake:
            return
        slot = self._chance.choice(awake)
        if self._chance.random() < 0.5:
            self._crew.kill(slot)
            self.killed += 1
        else:
            self._crew.freeze(slot)
            self._thaws[slot] = now + self._chance.uniform(*self._freezes)
            self.frozen += 1
