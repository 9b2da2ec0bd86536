"""Who draws next: few swaps, and a bound on everybody's waiting."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self

Reason = Literal["alone", "loaded", "not_loaded", "run_over", "overdue"]

# a run may be twice as long as is worth a swap, as long as nobody has waited for too long
_LONGEST: Final = 2


@dataclass(eq=False, frozen=True, slots=True, kw_only=True)
class Waiting:
    """A request that waits since a time, monotonic seconds; checkpoint None: whichever is loaded will do."""

    checkpoint: str | None
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Who is next, and why.

    alone: only requests of one checkpoint wait.  loaded: its checkpoint had the last turn, so it should be on the
    device.  not_loaded: nobody waits for the one that should.  run_over: that one has been drawn with as often in a row
    as others may be made to wait for.  overdue: somebody has waited for too long.
    """

    waiting: Waiting
    reason: Reason
    run: int
    quantum: int


class TurnPolicy:
    """Prefers the checkpoint that is loaded, for a run of bounded length.

    While others wait, a run lasts at least `quantum` drawings and at most twice as many; in its second half it ends
    as soon as somebody has waited for longer than `patience_seconds`.  Then comes the checkpoint whose last turn is
    longest ago, and in it whoever came first.  An age bound alone would, once everybody is old, swap at each
    drawing.  So with N checkpoints, a drawing of g and a swap of s seconds, whoever is the k-th of its checkpoint
    waits at most  v x ((N - 1) x (2 x quantum x g + s) + s) + k x g  with  v = k / quantum, rounded up, and for what is
    being drawn when it comes.

    What is loaded is a guess: the checkpoint of the last turn, though that may have failed or been cancelled before its
    checkpoint was there.  The order of turns, and so how many others pass before somebody, depends on no failure; each
    turn that failed costs at most one swap more than if it had not.

    Not safe to use from several threads; no clock, no threads of its own.
    """

    def __init__(self, quantum: Callable[[], int], patience_seconds: float = 60.0) -> None:
        """quantum: how many drawings in a row a swap is worth, asked anew each time."""
        self._quantum = quantum
        self._patience = patience_seconds
        self._loaded: str | None = None
        self._run = 0
        self._tick = 0
        self._last_turns: dict[str, int] = {}

    def choose(self, waiting: Sequence[Waiting], now: float) -> Choice:
        """Who of these, the first come first, is next; `passed` must be told before it is asked again."""
        quantum, loaded = self._quantum(), self._loaded
        same = [one for one in waiting if one.checkpoint in (None, loaded)]
        others = [one for one in waiting if one.checkpoint not in (None, loaded)]
        if not others or len({one.checkpoint for one in waiting}) == 1:
            return Choice(waiting=waiting[0], reason="alone", run=self._run, quantum=quantum)
        if loaded is None:
            return Choice(waiting=waiting[0], reason="not_loaded", run=0, quantum=quantum)
        reason = self._why_others(same, others, quantum, now)
        chosen = same[0] if reason == "loaded" else min(others, key=self._last_turn)
        return Choice(waiting=chosen, reason=reason, run=self._run, quantum=quantum)

    def passed(self, choice: Choice) -> None:
        """The choice was followed."""
        self._tick += 1
        checkpoint = choice.waiting.checkpoint or self._loaded
        # turns that nobody else waited for count against nobody
        is_new_run = checkpoint != self._loaded or choice.reason == "alone"
        self._run = 1 if is_new_run else self._run + 1
        self._loaded = checkpoint
        if checkpoint is not None:
            self._last_turns[checkpoint] = self._tick

    def fork(self) -> Self:
        """A policy in the same state, to look ahead with."""
        twin = copy.copy(self)
        twin._last_turns = dict(self._last_turns)
        return twin

    def _why_others(
        self, same: Sequence[Waiting], others: Sequence[Waiting], quantum: int, now: float
    ) -> Literal["loaded", "not_loaded", "run_over", "overdue"]:
        if not same:
            return "not_loaded"
        if self._run < quantum:
            return "loaded"
        if self._run >= _LONGEST * quantum:
            return "run_over"
        return "overdue" if any(now - one.since > self._patience for one in others) else "loaded"

    def _last_turn(self, one: Waiting) -> int:
        return self._last_turns.get(one.checkpoint or "", 0)
