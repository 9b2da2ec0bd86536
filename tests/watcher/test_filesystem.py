"""On which file systems file events are not even tried."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from watcher.doorbell import Doorbell
from watcher.filesystem import remote_kind


@dataclass(frozen=True, kw_only=True)
class Line:
    mountpoint: str
    fstype: str


ROOT = Line(mountpoint="/", fstype="ext4")


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "fuse.sshfs", "fuse.s3fs", "9p", "virtiofs"])
def test_network_and_fuse_mounts_are_told(kind: str) -> None:
    assert remote_kind(Path("/srv/inbox"), [ROOT, Line(mountpoint="/srv", fstype=kind)]) == kind


@pytest.mark.parametrize("kind", ["ext4", "xfs", "overlay", "tmpfs", "apfs", "btrfs"])
def test_local_mounts_are_not(kind: str) -> None:
    assert remote_kind(Path("/srv/inbox"), [ROOT, Line(mountpoint="/srv", fstype=kind)]) is None


def test_the_deepest_mount_counts() -> None:
    mounts = [ROOT, Line(mountpoint="/srv", fstype="nfs"), Line(mountpoint="/srv/inbox", fstype="xfs")]
    assert remote_kind(Path("/srv/inbox"), mounts) is None
    assert remote_kind(Path("/srv/inbox2"), mounts) == "nfs"


def test_of_two_mounts_on_one_folder_the_later_hides_the_earlier() -> None:
    mounts = [ROOT, Line(mountpoint="/srv", fstype="nfs"), Line(mountpoint="/srv", fstype="ext4")]
    assert remote_kind(Path("/srv/inbox"), mounts) is None


def test_the_real_table_of_mounts_can_be_read(tmp_path: Path) -> None:
    assert remote_kind(tmp_path) in (None, "9p", "virtiofs")


def test_on_a_network_mount_events_are_not_tried_and_the_clock_still_rings(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bell = Doorbell(tmp_path, kind=lambda folder: "nfs4")
    bell.start()
    try:
        bell.wait(0.01)
        assert [record.__dict__["action"] for record in caplog.records] == ["doorbell_off"]
        assert "nfs4" in caplog.text
    finally:
        bell.stop()
