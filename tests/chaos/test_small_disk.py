"""A real disk of one mebibyte, full and with room again."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.folder import FolderBucket
from store.manifest import ResultManifest
from store.verify import verify
from tests.chaos.crew import Crew
from tests.chaos.ground import Ground
from tests.chaos.logs import actions
from tests.chaos.test_poison import tend_until

REQUESTS = tuple(f"r{number:02}" for number in range(30))
SPARED = 96 * 1024
SETTINGS = {"window": "4", "lease_seconds": "3", "scan_seconds": "0.3"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 1 MiB; it is unmounted whatever happens."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a tmpfs may not be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def ground(tmp_path: Path, disk: Path) -> Ground:
    """Inbox and outbox on the small disk, the logs elsewhere."""
    ground = Ground(tmp_path / "ground")
    ground.folder.mkdir()
    for folder in (disk / "inbox", disk / "outbox", ground.logs):
        folder.mkdir()
    for folder in (ground.inbox, ground.outbox):
        folder.symlink_to(disk / folder.name)
    for identifier in REQUESTS:
        document = {"prompt": "고양이", "width": 64, "height": 64, "steps": 3}
        (ground.inbox / f"{identifier}.json").write_text(json.dumps(document))
    return ground


def test_work_on_a_disk_that_fills_up_goes_on_when_there_is_room_again(ground: Ground, disk: Path) -> None:
    ballast = disk / "ballast"
    fill(ballast, leaving=SPARED)
    crew = Crew(ground, 2, {**SETTINGS, "reserve_mib": "0"})
    try:
        tend_until(crew, lambda: actions(ground)["released"] + actions(ground)["look_failed"] >= 3)
        assert len(ground.waiting()) + len(ground.results()) >= len(REQUESTS)
        assert len(ground.results()) < len(REQUESTS)
        ballast.unlink()
        tend_until(crew, lambda: not ground.waiting())
        crew.stop()
    finally:
        crew.end()
    assert (crew.faults, crew.deaths) == ([], 0)
    results = {path.stem: ResultManifest.model_validate_json(path.read_bytes()) for path in ground.results()}
    assert {identifier: result.status for identifier, result in results.items()} == dict.fromkeys(REQUESTS, "succeeded")
    assert verify(FolderBucket(ground.outbox)).faults == ()
    assert ground.put_aside("quarantine") == {}
    assert ground.claims() == ground.progress() == []
    assert ground.temporaries() == 0


def test_nothing_is_claimed_on_a_disk_with_less_room_than_the_reserve(ground: Ground) -> None:
    crew = Crew(ground, 1, {**SETTINGS, "reserve_mib": "1"})
    try:
        tend_until(crew, lambda: actions(ground)["disk_low"] > 0)
        # three scans more
        time.sleep(1.0)
        crew.stop()
    finally:
        crew.end()
    assert crew.faults == []
    assert len(ground.waiting()) == len(REQUESTS)
    assert ground.claims() == ground.results() == []
    assert (actions(ground)["disk_low"], actions(ground)["claimed"]) == (1, 0)


def fill(ballast: Path, *, leaving: int) -> None:
    """Write until so many bytes are free."""
    with ballast.open("wb", buffering=0) as file:
        while shutil.disk_usage(ballast.parent).free > leaving:
            file.write(bytes(4096))
