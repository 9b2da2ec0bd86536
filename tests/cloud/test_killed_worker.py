"""A worker process that is killed in the middle of a drawing: its message comes again, and somebody else draws it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cloud.office import PATIENCE_SECONDS, Office, eventually, open_office
from tests.cloud.queues import count

_ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["ministack", "moto"])
def office(request: pytest.FixtureRequest) -> Office:
    return open_office(request.getfixturevalue(request.param))


@contextmanager
def worker_process(
    office: Office, folder: Path, name: str, *, lease: int = 3, visibility: int = 4, step_seconds: float = 0.02
) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.chaos.worker", "--diary", str(folder / "diary")]
    command += ["--step-seconds", str(step_seconds)]
    command += ["--inbox", office.lane.inbox, "--queue", office.queue, "--outbox", office.outbox]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("IMAGEGEN_", "AWS_"))}
    environment |= office.address.environment() | {
        "IMAGEGEN_SCAN_SECONDS": "off",
        "IMAGEGEN_LEASE_SECONDS": str(lease),
        "IMAGEGEN_VISIBILITY_SECONDS": str(visibility),
        "IMAGEGEN_WINDOW": "2",
        "PYTHONPATH": str(_ROOT),
    }
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.long
def test_the_message_of_a_killed_worker_comes_again_and_its_request_is_drawn_once(
    office: Office, tmp_path: Path
) -> None:
    with worker_process(office, tmp_path, "first", step_seconds=600) as first:
        office.request("long.json")
        eventually(lambda: bool(office.keys("in.imagegen/claims/")))
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert office.results() == {}
    assert count(office.address, office.queue) == 1
    with worker_process(office, tmp_path, "second") as second:
        office.request("short.json")
        eventually(lambda: len(office.results()) == 2 and office.is_idle(), office.statuses)
        second.send_signal(signal.SIGTERM)
        assert second.wait(PATIENCE_SECONDS) == 0
    results = office.results()
    assert {name: (found["status"], found["attempt"]) for name, found in results.items()} == {
        "long.json": ("succeeded", 2),
        "short.json": ("succeeded", 1),
    }
    assert "drawn alone" in (tmp_path / "second.log").read_text()
    assert office.keys("in.imagegen/claims/") == []


@pytest.mark.long
def test_two_workers_on_one_queue_draw_every_request_once(office: Office, tmp_path: Path) -> None:
    names = [f"r{number:02}.json" for number in range(20)]
    # so long that no busy machine makes one of them look dead
    calm = {"lease": 60, "visibility": 60}
    with worker_process(office, tmp_path, "first", **calm), worker_process(office, tmp_path, "second", **calm):
        for name in names:
            office.request(name, steps=5)
        eventually(lambda: len(office.results()) == len(names) and office.is_idle(), office.statuses)
    assert {found["attempt"] for found in office.results().values()} == {1}
    assert set(office.statuses().values()) == {"succeeded"}
