"""A storm over workers on S3 and SQS: `python -m tests.chaos.cloud_storm`, or make chaos-cloud."""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from store.digest import Digest
from store.verify import verify
from tests.chaos.bad_postman import GARBAGE, BadPostman
from tests.chaos.case import Case
from tests.chaos.cloud_ground import CloudGround, make_ground
from tests.chaos.crew import Crew
from tests.chaos.gale import Gale
from tests.chaos.requests import SHARED, Maker, picture
from tests.chaos.telling import tell
from tests.chaos.weather import Weather
from tests.cloud import servers
from tests.cloud.proxy import Proxy

_TICK_SECONDS = 0.05
# what needs a file system, or a moment that only a folder shows
_FOLDER_ONLY = {"in pieces", "other bytes", "same bytes after the end", "cancelled during", "cancelled after"}
_NOT_IN_CLOUD = {*_FOLDER_ONLY, "cancel of nobody", "cancelled before"}
_BUGS = ("Traceback", '"action": "bug"', '"action": "left"')


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudPlan:
    """How big a storm is; faults: the share of calls that fail; receives: until a message is dead."""

    requests: int = 240
    seconds: float = 70.0
    interval: float = 2.5
    workers: int = 4
    faults: float = 0.02
    visibility: int = 4
    receives: int = 60
    poison: int = 2
    steps: int = 10
    calm: float = 180.0
    settings: Mapping[str, str] = field(
        default_factory=lambda: {
            "window": "4",
            "max_attempts": "8",
            "lease_seconds": "4",
            "scan_seconds": "5",
            "visibility_seconds": "4",
            "settle_seconds": "4",
            "reference_seconds": "15",
            "s3__addressing": "path",
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Figures, and every promise that was broken."""

    figures: Mapping[str, object]
    faults: tuple[str, ...]


def blow(plan: CloudPlan, seed: int, folder: Path) -> Outcome:
    """Let a storm rage over a server of its own, wait for the calm, and judge."""
    chance = random.Random(seed)
    server, address = servers.ministack(folder / "server")
    with server, Proxy(address).running() as proxy:
        ground = make_ground(folder, address, plan.visibility, plan.receives)
        weather = Weather(random.Random(seed + 1), plan.faults)
        proxy.always = weather
        cases = _cases(plan, chance)
        for name in SHARED:
            ground.bucket("inbox/").put(name, picture(name))
        os.environ.update(proxy.address.environment())
        crew = Crew(ground, plan.workers, plan.settings)
        gale = Gale(crew, interval=plan.interval, seconds=plan.seconds, freezes=(4.5, 8.0), chance=chance)
        postman = BadPostman(ground, cases, plan.seconds, chance)
        try:
            first = _rage(ground, crew, gale, postman, plan)
            weather.calm_down()
            _await_calm(ground, crew, plan.calm)
            crew.stop()
        finally:
            crew.end()
        figures = {
            "requests": len(cases),
            "kills": gale.killed,
            "freezes": gale.frozen,
            "workers that died": crew.deaths,
            "messages doubled": postman.doubled,
            "messages lost": postman.lost,
            "messages garbled": postman.garbled,
            "calls that failed": dict(weather.played),
            "calls": len(proxy.seen),
            "attempts": dict(sorted(Counter(one.attempt for one in ground.manifests().values()).items())),
        }
        return Outcome(figures=figures, faults=(*crew.faults, *_faults(ground, cases, first, postman)))


def _cases(plan: CloudPlan, chance: random.Random) -> list[Case]:
    found = Maker(chance, late=3.0, steps=plan.steps).cases(plan.requests * 2, poison=plan.poison * 2)
    poison = [case for case in found if case.kind == "poison"][: plan.poison]
    others = [case for case in found if case.kind not in {"poison", *_NOT_IN_CLOUD}]
    return [*others[: plan.requests - plan.poison], *poison]


def _rage(ground: CloudGround, crew: Crew, gale: Gale, postman: BadPostman, plan: CloudPlan) -> dict[str, Digest]:
    """Blow until everything has been delivered; the manifests as they looked first."""
    first: dict[str, Digest] = {}
    deadline = time.monotonic() + plan.seconds + plan.calm
    while not postman.is_done() and time.monotonic() < deadline:
        postman.tick()
        gale.tick()
        crew.tend()
        for name, data in ground.results().items():
            first.setdefault(name, Digest.of(data))
        time.sleep(_TICK_SECONDS)
    gale.end()
    return first


def _await_calm(ground: CloudGround, crew: Crew, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while (ground.waiting() or ground.count(ground.queue)) and time.monotonic() < deadline:
        crew.tend()
        time.sleep(0.5)


def _faults(
    ground: CloudGround, cases: Sequence[Case], first: Mapping[str, Digest], postman: BadPostman
) -> Iterator[str]:
    manifests = ground.manifests()
    expected = {case.id for case in cases}
    yield from (f"{name} has no manifest" for name in sorted(expected - manifests.keys()))
    yield from (f"{name} has a manifest out of nothing" for name in sorted(manifests.keys() - expected))
    for case in cases:
        found = manifests.get(case.id)
        if found is not None and found.status not in case.ends:
            code = found.error.code if found.error else None
            yield f"{case.id} ({case.kind}) ended {found.status} {code} at attempt {found.attempt}"
    now = {name: Digest.of(data) for name, data in ground.results().items()}
    yield from (f"the manifest of {name} changed" for name, digest in first.items() if now.get(name) != digest)
    yield from (f"{fault.key}: {fault.problem}" for fault in verify(ground.bucket("outbox/")).faults)
    yield from (f"{key} is still in the inbox" for key in ground.waiting())
    if left := ground.count(ground.queue):
        yield f"{left} messages are still in the queue"
    poison = {case.id for case in cases if case.kind == "poison"}
    for body in ground.dead_bodies():
        if not any(f"{name}.json" in body for name in poison):
            yield f"the dead-letter queue holds {body[:200]}"
    yield from _quarantine_faults(ground, postman)
    for log in sorted(ground.logs.glob("*.log")):
        text = log.read_text(errors="replace")
        yield from (f"{log.name} says {bug}" for bug in _BUGS if bug in text)


def _quarantine_faults(ground: CloudGround, postman: BadPostman) -> Iterator[str]:
    """Whether what could not be read was kept."""
    if not postman.garbled:
        return
    state = ground.bucket("inbox.imagegen/")
    kept = {state.get(key, 100_000) for key in state.list("quarantine/", recursive=True)}
    if not any(any(garbage in data for garbage in GARBAGE) for data in kept):
        yield "no message that could not be read was kept in quarantine"


def main() -> None:
    """Blow one storm and tell of it."""

    def over(seed: int, folder: Path) -> tuple[Mapping[str, object], tuple[str, ...]]:
        outcome = blow(CloudPlan(), seed, folder)
        return outcome.figures, outcome.faults

    tell("imagegen-chaos-cloud-", over)


if __name__ == "__main__":
    main()
