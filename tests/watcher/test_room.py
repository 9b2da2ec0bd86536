"""Below a reserve of free space nothing is claimed, and that is said once."""

from pathlib import Path

import pytest

from tests.watcher.house import build
from watcher.room import Room, free_bytes

MIB = 1024 * 1024


class Disk:
    """A disk whose free space a test sets."""

    def __init__(self, mib: int) -> None:
        self.mib = mib

    def __call__(self, folder: Path) -> int:
        return self.mib * MIB


def test_a_disk_with_room_lacks_nothing() -> None:
    assert Room([Path("outbox")], 256, Disk(256)).lacking() is None


def test_a_disk_below_the_reserve_is_named_with_what_is_kept() -> None:
    reason = Room([Path("outbox")], 256, Disk(255)).lacking()
    assert reason is not None
    assert "255 MiB" in reason
    assert "256 MiB" in reason
    assert "outbox" in reason


def test_low_and_back_are_each_said_once(caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk(1)
    room = Room([Path("inbox"), Path("outbox")], 256, disk)
    for _ in range(3):
        room.lacking()
    disk.mib = 1000
    for _ in range(3):
        room.lacking()
    assert [record.__dict__["action"] for record in caplog.records] == ["disk_low", "disk_back"]


def test_a_folder_that_is_away_is_no_full_disk(tmp_path: Path) -> None:
    assert Room([tmp_path / "away"], 256).lacking() is None


def test_the_space_of_a_real_disk_is_read(tmp_path: Path) -> None:
    assert free_bytes(tmp_path) > 0
    assert Room([tmp_path], 10**9).lacking() is not None


def test_on_a_low_disk_nothing_is_claimed_and_work_resumes_by_itself() -> None:
    disk = Disk(1)
    house = build(obstacle=Room([Path("outbox")], 256, disk).lacking)
    house.drop("a.json")
    (pending,) = house.rounds.drain().pending
    assert "MiB are free" in pending.reason
    assert house.claims.attempts("a").newest == 0
    disk.mib = 1000
    assert house.rounds.drain().pending == ()
    assert house.result("a").attempt == 1


def test_on_a_low_disk_what_is_decided_is_still_acknowledged() -> None:
    disk = Disk(1000)
    house = build(obstacle=Room([Path("outbox")], 256, disk).lacking)
    house.drop("a.json")
    house.rounds.drain()
    house.drop("a.json")
    disk.mib = 1
    assert house.rounds.drain().pending == ()
