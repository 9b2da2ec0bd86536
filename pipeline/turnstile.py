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

_LOOK_AGAIN_SECONDS = 1.0


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
    """Lets one thread through at a time, as a policy chooses, and tells what its turn cost."""

    def __init__(self, clock: Clock, costs: Costs) -> None:
        self._clock = clock
        self._costs = costs
        self._policy = TurnPolicy(costs.quantum)
        self._changed = threading.Condition()
        self._waiting: list[Waiting] = []
        self._busy = False
        self._closed = False

    @contextmanager
    def turn(self, checkpoint: str) -> Iterator[Turn]:
        """Wait for the turn of a drawing with this checkpoint and hold it; raises ShuttingDown once closed."""
        turn = self._wait(Waiting(checkpoint=checkpoint, since=self._clock.monotonic()))
        started = self._clock.monotonic()
        self._costs.begin_turn()
        try:
            yield turn
            self._costs.end_turn(self._clock.monotonic() - started)
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def close(self) -> None:
        """Send everybody away who has not passed yet; who is drawing finishes."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _wait(self, me: Waiting) -> Turn:
        with self._changed:
            self._waiting.append(me)
            try:
                choice = self._chosen(me)
            finally:
                # also when the wait is interrupted: nobody may wait for somebody who is gone
                self._waiting.remove(me)
                self._changed.notify_all()
            self._busy = True
            self._policy.passed(choice)
            return Turn(choice=choice, waited=self._clock.monotonic() - me.since)

    def _chosen(self, me: Waiting) -> Choice:
        while not self._closed:
            if not self._busy:
                choice = self._policy.choose(self._waiting, self._clock.monotonic())
                if choice.waiting is me:
                    return choice
            # two who look at different times may each leave the turn to the other, and then nobody calls
            self._changed.wait(_LOOK_AGAIN_SECONDS)
        raise ShuttingDown
