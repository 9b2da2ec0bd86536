"""A storm over a few workers: `python -m tests.chaos.storm`, or make chaos."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.crew import Crew
from tests.chaos.fates import Fates
from tests.chaos.figures import figures
from tests.chaos.gale import Gale
from tests.chaos.ground import Ground
from tests.chaos.judge import faults
from tests.chaos.postman import Postman
from tests.chaos.requests import SHARED, Maker, picture
from tests.chaos.telling import tell
from tests.chaos.witness import Witness

_TICK_SECONDS = 0.02
_GRACE_SECONDS = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How big a storm is: requests, over how many seconds they come, the mean seconds between two signals.

    freezes: seconds, longer than the lease and shorter than cancel_seconds.
    passings: a crash comes at latest at this passing of its point; fated: the share of workers that crash.
    late: how long the rest of a request may stay away; calm: how long the inbox may take to run empty.
    poison: how many of the requests kill whoever draws them; steps: of each drawing, 20 ms each.
    """

    requests: int = 330
    seconds: float = 80.0
    interval: float = 2.0
    freezes: tuple[float, float] = (3.3, 8.0)
    workers: int = 4
    passings: int = 8
    fated: float = 0.3
    late: float = 3.0
    poison: int = 3
    steps: int = 20
    calm: float = 90.0
    settings: Mapping[str, str] = field(
        default_factory=lambda: {
            "window": "4",
            "max_attempts": "8",
            "lease_seconds": "3",
            "scan_seconds": "0.5",
            "settle_seconds": "8",
            "reference_seconds": "15",
            "cancel_seconds": "10",
            "reserve_mib": "0",
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a storm came to: figures, what was left for a last worker to sweep, and everything that went wrong."""

    figures: Mapping[str, object]
    swept: tuple[str, ...]
    faults: tuple[str, ...]


def blow(plan: Plan, seed: int, ground: Ground) -> Outcome:
    """Let a storm rage, wait for the calm, and judge."""
    chance = random.Random(seed)
    ground.make()
    cases = Maker(chance, late=plan.late, steps=plan.steps).cases(plan.requests, poison=plan.poison)
    for name in SHARED:
        (ground.inbox / name).write_bytes(picture(name))
    fates = Fates(ground.diary, passings=plan.passings, share=plan.fated, chance=chance)
    crew = Crew(ground, plan.workers, plan.settings, fates)
    gale = Gale(crew, interval=plan.interval, seconds=plan.seconds, freezes=plan.freezes, chance=chance)
    try:
        with Witness(ground) as witness:
            _rage(crew, gale, Postman(ground, cases, plan.seconds, chance), fates, plan)
            swept = _calm_down(ground, crew, plan.calm)
    finally:
        crew.end()
    wrong = [*crew.faults, *faults(ground, cases, witness), *(f"nobody crashed {point}" for point in fates.missing())]
    return Outcome(figures=figures(ground, crew, gale), swept=swept, faults=tuple(wrong))


def _rage(crew: Crew, gale: Gale, postman: Postman, fates: Fates, plan: Plan) -> None:
    """Blow until everything has been delivered."""
    deadline = time.monotonic() + plan.seconds + plan.calm
    while not postman.is_done() and time.monotonic() < deadline:
        postman.tick()
        gale.tick()
        crew.tend()
        time.sleep(_TICK_SECONDS)
    fates.calm_down()
    gale.end()


def _calm_down(ground: Ground, crew: Crew, seconds: float) -> tuple[str, ...]:
    """Replace the dead until the inbox is empty, then end all; returns what the last one had to sweep."""
    deadline = time.monotonic() + seconds
    while ground.waiting() and time.monotonic() < deadline:
        crew.tend()
        time.sleep(_TICK_SECONDS)
    deadline = time.monotonic() + _GRACE_SECONDS
    while (ground.claims() or ground.progress()) and time.monotonic() < deadline:
        crew.tend()
        time.sleep(_TICK_SECONDS)
    crew.stop()
    left = (*ground.claims(), *ground.progress())
    if left:
        crew.sweep()
    return left


def main() -> None:
    """Blow one storm and tell of it."""

    def over(seed: int, folder: Path) -> tuple[Mapping[str, object], tuple[str, ...]]:
        outcome = blow(Plan(), seed, Ground(folder))
        return {**outcome.figures, "left to sweep": ", ".join(outcome.swept) or "nothing"}, outcome.faults

    tell("imagegen-chaos-", over)


if __name__ == "__main__":
    main()
