"""Looks at the styles of requests that wait, so that those of one checkpoint are claimed one behind the other."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
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
    """Orders the oldest 64 requests that may be claimed as the turnstile would; the window is too small to show it.

    The bound of TurnPolicy holds here in claims: a request among the 64 is passed over by at most twice the quantum of
    every other checkpoint.  What no style is named for fits every run, and goes when it is the oldest.
    """

    def __init__(self, peek: Peek, quantum: Callable[[], int], clock: Clock) -> None:
        """peek: which checkpoint a request asks for by its style, None if that is open.

        Asked once for each as long as it may be claimed; raises KeyNotFound where the request is gone.
        """
        self._peek = peek
        self._clock = clock
        self._policy = TurnPolicy(quantum)
        self._seen: dict[str, Waiting] = {}
        self._skipped: set[str] = set()

    def arrange(self, names: Iterable[str]) -> Iterator[str]:
        """The names in the order in which they should be claimed, given those seen first before the others.

        Only those that may be claimed now are to be given; no more of them are asked for than are looked at, and one
        more for each that is skipped.
        """
        left, gone = iter(names), list[str]()
        known, self._seen, self._skipped = self._seen, {}, set()
        near = list(self._look_at(itertools.islice(left, _FAR), known, gone))
        policy, now = self._policy.fork(), self._clock.monotonic()
        while near:
            choice = policy.choose([seen.waiting for seen in near], now)
            chosen = next(seen for seen in near if seen.waiting is choice.waiting)
            near.remove(chosen)
            yield chosen.name
            if chosen.name in self._skipped:
                near += self._look_at(itertools.islice(left, 1), known, gone)
            else:
                policy.passed(choice)
        yield from gone
        yield from left

    def started(self, name: str) -> None:
        """Its request was claimed."""
        waiting = self._seen.pop(name, None)
        if waiting is not None:
            among = [waiting, *self._seen.values()]
            alone = len({one.checkpoint for one in among}) == 1
            self._policy.passed(Choice(waiting=waiting, reason="alone" if alone else "loaded", run=0, quantum=0))

    def skipped(self, name: str) -> None:
        """Its request could not be claimed after all; should it come again, it waits from then on."""
        self._seen.pop(name, None)
        self._skipped.add(name)

    def _look_at(self, names: Iterable[str], known: Mapping[str, Waiting], gone: list[str]) -> Iterator[_Seen]:
        for name in names:
            try:
                waiting = known.get(name) or Waiting(checkpoint=self._peek(name), since=self._clock.monotonic())
            except KeyNotFound:
                # settled since the scan; it counts in nobody's run
                gone.append(name)
            else:
                self._seen[name] = waiting
                yield _Seen(name=name, waiting=waiting)
