"""The production turnstile under a clock that jumps: what it does at sizes and loads nobody wants to wait for.

A discrete-event simulation that asks `pipeline.turn_policy` itself whose turn it is, beside two others: first in,
first out, and the loaded checkpoint first unless somebody has waited for more than a minute.  One drawing takes 6 s,
as on an L4.

    drain     300 requests that are there at the start: share of the speed without swaps
    load      requests that come by chance, at a share of what the workers could draw without swaps: waiting, swaps
    fleet     the same with many workers, each request going to whoever has the shortest queue, or, with routing, to
              those that have its checkpoint loaded before the others

    python benchmarks/fleet.py [--requests 2000] [--workers 1 4 16 100 1000] [--json FILE]
"""

import argparse
import heapq
import itertools
import math
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from arms import Figures, machine, write

from pipeline.costs import Costs
from pipeline.turn_policy import Choice, TurnPolicy, Waiting

CHECKPOINTS = ("a", "b", "c")
DRAWING, SWAPS, LOADS = 6.0, (0.4, 2.0, 8.0, 45.0), (0.5, 0.7, 0.9, 0.95)
_DRAIN, _WINDOW = 300, 64
_OLD = 60.0
_SEED = 20261126


class Policy(Protocol):
    """Who draws next."""

    def choose(self, waiting: Sequence[Waiting], now: float) -> Choice:
        """One of those that wait, in the order they came."""

    def passed(self, choice: Choice) -> None:
        """The choice was followed."""


class FirstInFirstOut:
    """Takes them as they come."""

    def choose(self, waiting: Sequence[Waiting], now: float) -> Choice:
        """The first."""
        return Choice(waiting=waiting[0], reason="alone", run=0, quantum=0)

    def passed(self, choice: Choice) -> None:
        """Nothing to remember."""


class AgeBound:
    """The loaded checkpoint first, unless somebody has waited for too long."""

    def __init__(self) -> None:
        self._loaded: str | None = None

    def choose(self, waiting: Sequence[Waiting], now: float) -> Choice:
        """The first of the loaded checkpoint, or the first of all where that one is old."""
        same = [one for one in waiting if one.checkpoint == self._loaded]
        is_old = now - waiting[0].since > _OLD
        return Choice(waiting=waiting[0] if is_old or not same else same[0], reason="alone", run=0, quantum=0)

    def passed(self, choice: Choice) -> None:
        """Its checkpoint is loaded now."""
        self._loaded = choice.waiting.checkpoint


@dataclass(slots=True)
class Worker:
    """One device: what waits before it, what is loaded, and the costs it has measured."""

    policy: Policy
    costs: Costs
    loaded: str | None = None
    busy: bool = False
    swaps: int = 0
    waiting: list[Waiting] = field(default_factory=list)


def ours() -> Worker:
    """A worker with the production policy over costs it measures itself."""
    costs = Costs()
    return Worker(policy=TurnPolicy(costs.quantum), costs=costs)


POLICIES: dict[str, Callable[[], Worker]] = {
    "fifo": lambda: Worker(policy=FirstInFirstOut(), costs=Costs()),
    "age bound": lambda: Worker(policy=AgeBound(), costs=Costs()),
    "ours": ours,
}


def simulate(
    workers: Sequence[Worker], arrivals: Sequence[tuple[float, str]], swap: float, *, routing: bool
) -> Figures:
    """Draw everything; how long each waited, how often was swapped, and when the last one was done."""
    order = itertools.count()
    events: list[tuple[float, int, Any]] = [(at, next(order), checkpoint) for at, checkpoint in arrivals]
    heapq.heapify(events)
    waits, end = [], 0.0
    while events:
        now, _, what = heapq.heappop(events)
        if isinstance(what, Worker):
            what.busy = False
            worker = what
        else:
            worker = _routed(workers, what) if routing else _shortest(workers)
            worker.waiting.append(Waiting(checkpoint=what, since=now))
        if worker.waiting and not worker.busy:
            began, done = _draw(worker, now, swap)
            waits.append(began)
            end = max(end, done)
            heapq.heappush(events, (done, next(order), worker))
    waits.sort()
    return {
        "requests": len(waits),
        "seconds": end,
        "wait_p50": statistics.median(waits),
        "wait_p99": waits[math.ceil(0.99 * len(waits)) - 1],
        "swaps_per_image": sum(worker.swaps for worker in workers) / len(waits),
    }


def _draw(worker: Worker, now: float, swap: float) -> tuple[float, float]:
    """How long the chosen one waited until its drawing began, and when it is done."""
    # as many as the look-ahead shows the turnstile
    choice = worker.policy.choose(worker.waiting[:_WINDOW], now)
    worker.policy.passed(choice)
    worker.waiting.remove(choice.waiting)
    worker.busy = True
    took = 0.0 if choice.waiting.checkpoint == worker.loaded else swap
    worker.swaps += choice.waiting.checkpoint != worker.loaded
    worker.loaded = choice.waiting.checkpoint
    worker.costs.begin_turn()
    if took:
        worker.costs.swapped(took)
    worker.costs.end_turn(took + DRAWING)
    return now + took - choice.waiting.since, now + took + DRAWING


def _shortest(workers: Sequence[Worker]) -> Worker:
    return min(workers, key=lambda worker: len(worker.waiting) + worker.busy)


def _routed(workers: Sequence[Worker], checkpoint: str) -> Worker:
    """The shortest queue, where a worker with another checkpoint counts as one request longer."""
    return min(
        workers, key=lambda worker: len(worker.waiting) + worker.busy + (worker.loaded not in (checkpoint, None))
    )


def drain(policy: str, swap: float) -> float:
    """The share of the speed without swaps at which a backlog is drawn."""
    chance = random.Random(_SEED)
    backlog = [(0.0, chance.choice(CHECKPOINTS)) for _ in range(_DRAIN)]
    return _DRAIN * DRAWING / float(simulate([POLICIES[policy]()], backlog, swap, routing=False)["seconds"])


def loaded(policy: str, swap: float, load: float, workers: int, requests: int, *, routing: bool) -> Figures:
    """Requests that come by chance."""
    chance, at = random.Random(_SEED), 0.0
    arrivals = []
    for _ in range(requests):
        at += chance.expovariate(load * workers / DRAWING)
        arrivals.append((at, chance.choice(CHECKPOINTS)))
    return simulate([POLICIES[policy]() for _ in range(workers)], arrivals, swap, routing=routing)


def main() -> None:
    arguments = _arguments()
    figures: Figures = {"drain": {}, "load": [], "fleet": []}
    print(f"{machine()}; simulated: {DRAWING:g} s a drawing, {len(CHECKPOINTS)} checkpoints, equally often")
    _report_drain(figures)
    _report_load(figures, arguments)
    _report_fleet(figures, arguments)
    write(arguments.json, figures)


def _report_drain(figures: Figures) -> None:
    print(
        f"\ndrain of {_DRAIN}, share of the speed without swaps\n{'swap s':>7}", *(f"{name:>10}" for name in POLICIES)
    )
    for swap in SWAPS:
        shares = {name: drain(name, swap) for name in POLICIES}
        figures["drain"][swap] = shares
        print(f"{swap:7g}", *(f"{share:10.3f}" for share in shares.values()))


def _report_load(figures: Figures, arguments: argparse.Namespace) -> None:
    print("\none worker, waiting in seconds p50/p99 and swaps an image")
    print(f"{'swap s':>7} {'load':>5}", *(f"{name:>24}" for name in POLICIES))
    for swap, load in itertools.product(SWAPS, LOADS):
        found = {name: loaded(name, swap, load, 1, arguments.requests, routing=False) for name in POLICIES}
        figures["load"].append({"swap": swap, "load": load, **found})
        print(f"{swap:7g} {load:5g}", *(f"{_told(one):>24}" for one in found.values()))


def _report_fleet(figures: Figures, arguments: argparse.Namespace) -> None:
    print("\nours, load 0.9, waiting in seconds p50/p99 and swaps an image")
    print(f"{'swap s':>7} {'workers':>8} {'shortest queue':>24} {'with routing':>24}")
    for swap, workers in itertools.product(SWAPS, arguments.workers):
        count = max(arguments.requests, 20 * workers)
        found = {routing: loaded("ours", swap, 0.9, workers, count, routing=routing) for routing in (False, True)}
        figures["fleet"].append({"swap": swap, "workers": workers, "shortest": found[False], "routing": found[True]})
        print(f"{swap:7g} {workers:8}", *(f"{_told(one):>24}" for one in found.values()))


def _told(found: Figures) -> str:
    return f"{found['wait_p50']:.0f}/{found['wait_p99']:.0f} {found['swaps_per_image']:.2f}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4, 16, 100, 1000])
    parser.add_argument("--json", type=Path, help="also write the figures here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
