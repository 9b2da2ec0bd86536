"""Whose turn it is on the GPU: one drawing at a time, and few checkpoint swaps."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import JsonValue

from pipeline.clock import Clock
from pipeline.costs import Costs
from pipeline.turn_policy import Choice, TurnPolicy, Waiting
from store.errors import ShuttingDown


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The turn of one drawing: why it was next, how long it waited, and how many were drawn in a row before it."""

    choice: Choice
    waited: float

    def detail(self) -> dict[str, JsonValue]:
        """As the node that draws records it."""
        return {
            "reason": self.choice.reason,
            "waited_seconds": round(self.waited, 6),
            "run": self.choice.run,
            "quantum": self.choice.quantum,
        }


class Turnstile:
    """Lets one thread through at a time, as a policy chooses, and tells what its turn cost.

    Whoever finds the turn free has the policy choose, once; the turn is the chosen one's until it ends or is left, so
    no two waiters can come to different answers.
    """

    def __init__(self, clock: Clock, costs: Costs) -> None:
        self._clock = clock
        self._costs = costs
        self._policy = TurnPolicy(costs.quantum)
        self._changed = threading.Condition()
        self._waiting: list[Waiting] = []
        self._chosen: Choice | None = None
        self._closed = False

    @contextmanager
    def turn(self, checkpoint: str) -> Iterator[Turn]:
        """Wait for the turn of a drawing with this checkpoint and hold it; raises ShuttingDown once closed."""
        turn = self._wait(Waiting(checkpoint=checkpoint, since=self._clock.monotonic()))
        try:
            started = self._clock.monotonic()
            self._costs.begin_turn()
            yield turn
            self._costs.end_turn(self._clock.monotonic() - started)
        finally:
            with self._changed:
                self._hand_on()

    def close(self) -> None:
        """Send everybody away who has not passed yet; who is drawing finishes."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _wait(self, me: Waiting) -> Turn:
        with self._changed:
            self._waiting.append(me)
            try:
                choice = self._chosen_for(me)
            except BaseException:
                self._leave(me)
                raise
            self._waiting.remove(me)
            self._policy.passed(choice)
            return Turn(choice=choice, waited=self._clock.monotonic() - me.since)

    def _chosen_for(self, me: Waiting) -> Choice:
        self._choose()
        while not self._closed:
            choice = self._chosen
            if choice is not None and choice.waiting is me:
                return choice
            self._changed.wait()
        raise ShuttingDown

    def _leave(self, me: Waiting) -> None:
        """Nobody may wait for somebody who is gone."""
        self._waiting.remove(me)
        if self._chosen is not None and self._chosen.waiting is me:
            self._hand_on()

    def _hand_on(self) -> None:
        self._chosen = None
        self._choose()

    def _choose(self) -> None:
        """Say whose turn it is, where it is nobody's and somebody waits."""
        if self._chosen is None and self._waiting:
            self._chosen = self._policy.choose(self._waiting, self._clock.monotonic())
            self._changed.notify_all()
