"""One poison request in a window of innocent ones: who pays for the deaths of the worker?"""

import json
import time
from collections.abc import Callable
from pathlib import Path

from store.manifest import ResultManifest
from tests.chaos.crew import Crew
from tests.chaos.ground import Ground
from tests.chaos.studio import POISON

WINDOW, MAX_ATTEMPTS = 4, 3
INNOCENT = tuple(f"innocent-{number}" for number in range(6))
SECONDS = 60


def drop(ground: Ground, identifier: str, **fields: object) -> None:
    document = {"prompt": "고양이", "width": 64, "height": 64, "steps": 10, **fields}
    (ground.inbox / f"{identifier}.json").write_text(json.dumps(document))


def tend_until(crew: Crew, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the workers did not get there in time"
        crew.tend()
        time.sleep(0.02)


def result(ground: Ground, identifier: str) -> ResultManifest:
    return ResultManifest.model_validate_json(ground.result(identifier).read_bytes())


def test_a_poison_request_fails_after_three_deaths_and_costs_each_innocent_one_attempt_at_most(tmp_path: Path) -> None:
    ground = Ground(tmp_path / "ground")
    ground.make()
    for identifier in INNOCENT:
        drop(ground, identifier)
    # by its name in the first window, behind two innocent ones
    drop(ground, "innocent-1-poison", metadata={POISON: "innocent-1-poison"})
    crew = Crew(ground, 1, {"window": str(WINDOW), "lease_seconds": "3", "scan_seconds": "0.3", "reserve_mib": "0"})
    try:
        tend_until(crew, lambda: not ground.waiting())
        crew.stop()
    finally:
        crew.end()
    assert crew.faults == []
    assert ground.diary.count(POISON) == crew.deaths == MAX_ATTEMPTS
    poison = result(ground, "innocent-1-poison")
    assert poison.error is not None
    assert (poison.status, poison.error.code) == ("failed", "attempts_exhausted")
    ends = {identifier: result(ground, identifier) for identifier in INNOCENT}
    assert {end.status for end in ends.values()} == {"succeeded"}
    assert max(end.attempt for end in ends.values()) == 2
    assert set(ground.put_aside("quarantine")) == {"innocent-1-poison"}
