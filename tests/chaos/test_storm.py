"""A short storm with a fixed seed; the long one is make chaos."""

from pathlib import Path

import pytest

from tests.chaos.case import Case, Drop
from tests.chaos.ground import Ground
from tests.chaos.judge import faults
from tests.chaos.storm import Plan, blow
from tests.chaos.witness import Witness

SEED = 20261122
SHORT = Plan(
    requests=40,
    seconds=5.0,
    interval=1.0,
    freezes=(3.3, 4.5),
    workers=4,
    passings=2,
    fated=0.2,
    late=1.0,
    # tests/chaos/test_poison.py plays it; here it would only cost time
    poison=0,
    steps=10,
    calm=40.0,
    settings={
        "window": "4",
        "max_attempts": "8",
        "lease_seconds": "3",
        "scan_seconds": "0.3",
        "settle_seconds": "3",
        "reference_seconds": "6",
        "cancel_seconds": "6",
        "reserve_mib": "0",
    },
)


def test_a_short_storm_of_kills_freezes_and_crashes_breaks_no_promise(tmp_path: Path) -> None:
    outcome = blow(SHORT, SEED, Ground(tmp_path / "ground"))
    assert outcome.faults == (), outcome.figures


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    ground = Ground(tmp_path / "ground")
    ground.make()
    return ground


def test_the_judge_asks_for_a_request_that_was_lost(ground: Ground) -> None:
    case = Case(id="a", kind="plain", drops=(Drop(name="a.json", data=b"{}"),))
    with Witness(ground) as witness:
        pass
    assert faults(ground, [case], witness) == ["a has no manifest", "a is not in the archive"]


def test_the_witness_sees_a_manifest_that_was_replaced(ground: Ground) -> None:
    result = ground.result("a")
    result.parent.mkdir()
    result.write_bytes(b"first")
    with Witness(ground) as witness:
        pass
    other = result.with_suffix(".other")
    other.write_bytes(b"later")
    other.replace(result)
    assert witness.changed() == ["a.json"]
