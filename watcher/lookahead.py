"""Looks at the styles of requests that wait, so that those of one checkpoint are claimed one behind the other."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.clock import Clock
from pipeline.turn_policy import Choice, TurnPolicy, Waiting
from store.errors import KeyNotFound

_FAR = 64

Peek = Callable[[str], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    name: str
    waiting: Waiting


class Lookahead:
    """Orders the oldest 64 requests as the turnstile would, because the window is too small to show it what comes.

    The bound of TurnPolicy holds here in claims: a request among the 64 is passed over by at most twice the quantum of
    every other checkpoint.  What no style is named for fits every run, and goes when it is the oldest.
    """

    def __init__(self, peek: Peek, quantum: Callable[[], int], clock: Clock) -> None:
        """peek: which checkpoint a request asks for by its style, None if that is open.

        Asked once for each; raises KeyNotFound where the request is gone.
        """
        self._peek = peek
        self._clock = clock
        self._policy = TurnPolicy(quantum)
        self._seen: dict[str, Waiting] = {}

    def arrange(self, names: Sequence[str]) -> Iterator[str]:
        """The names in the order in which they should be claimed, given those seen first before the others."""
        near = [seen for seen in map(self._look_at, names[:_FAR]) if seen is not None]
        gone = set(names[:_FAR]) - {seen.name for seen in near}
        self._seen = {seen.name: seen.waiting for seen in near}
        policy, now = self._policy.fork(), self._clock.monotonic()
        while near:
            choice = policy.choose([seen.waiting for seen in near], now)
            policy.passed(choice)
            chosen = next(seen for seen in near if seen.waiting is choice.waiting)
            near.remove(chosen)
            yield chosen.name
        yield from (name for name in names[:_FAR] if name in gone)
        yield from itertools.islice(names, _FAR, None)

    def started(self, name: str) -> None:
        """Its request was claimed."""
        waiting = self._seen.pop(name, None)
        if waiting is not None:
            among = [waiting, *self._seen.values()]
            alone = len({one.checkpoint for one in among}) == 1
            self._policy.passed(Choice(waiting=waiting, reason="alone" if alone else "loaded", run=0, quantum=0))

    def _look_at(self, name: str) -> _Seen | None:
        known = self._seen.get(name)
        if known is None:
            try:
                known = Waiting(checkpoint=self._peek(name), since=self._clock.monotonic())
            except KeyNotFound:
                # settled since the scan; it counts in nobody's run
                return None
        return _Seen(name=name, waiting=known)
