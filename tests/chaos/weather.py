"""What happens to requests and answers between workers and their cloud: a little of everything, at random."""

import random
import threading
from collections import Counter

from tests.cloud.proxy import Answered, Asked, Pass, conflict, lost_answer, slow_down


class Weather:
    """A fault for a proxy to play always; calm once it is told so."""

    def __init__(self, chance: random.Random, share: float) -> None:
        """share: how many of all requests meet with a fault, from 0 to 1."""
        self._chance = chance
        self._share = share
        self._lock = threading.Lock()
        self.played: Counter[str] = Counter()

    def calm_down(self) -> None:
        """Play nothing more."""
        self._share = 0.0

    def __call__(self, asked: Asked, go_on: Pass) -> Answered | None:
        fault = self._fault(asked)
        if fault == "cut":
            # the request never arrives
            return None
        if fault == "lost answer":
            return lost_answer(asked, go_on)
        if fault == "conflict":
            return conflict(asked, go_on)
        return slow_down(asked, go_on) if fault == "busy" else go_on(asked)

    def _fault(self, asked: Asked) -> str:
        with self._lock:
            if self._chance.random() >= self._share:
                return "none"
            conditional = "if-none-match" in asked.headers
            fault = self._chance.choice(["cut", "lost answer", "busy", *(["conflict", "lost answer"] * conditional)])
            self.played[fault] += 1
            return fault
