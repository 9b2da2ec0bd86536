"""An unmounted disk is told from an empty folder, and a folder that was made anew is reported."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from store.errors import StoreUnavailable
from store.folder import FolderBucket
from watcher.sentinel import Sentinel

KEY = ".imagegen/sentinel"


def posted(folder: Path) -> Sentinel:
    sentinel = Sentinel(folder, FolderBucket(folder), KEY)
    sentinel.check()
    return sentinel


_stat = Path.stat


def on_another_disk(path: Path, **options: Any) -> os.stat_result:
    """Stands for Path.stat of a folder whose mount went away: the disk below answers."""
    status = _stat(path, **options)
    return os.stat_result((*status[:2], status.st_dev + 1, *status[3:]))


def test_a_folder_that_stays_is_fine(tmp_path: Path) -> None:
    sentinel = posted(tmp_path)
    sentinel.check()
    assert (tmp_path / KEY).is_file()


def test_a_folder_that_is_away_is_unavailable(tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    sentinel = posted(folder)
    shutil.rmtree(folder)
    with pytest.raises(StoreUnavailable, match="create or mount"):
        sentinel.check()


def test_a_folder_made_anew_is_reported_once_and_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    sentinel = posted(folder)
    # moved, not removed: its inode must not be given to the new one
    folder.rename(tmp_path / "old")
    folder.mkdir()
    sentinel.check()
    sentinel.check()
    assert [record.__dict__["action"] for record in caplog.records] == ["folder_replaced"]
    assert (folder / KEY).is_file()


def test_another_disk_without_the_sentinel_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sentinel = posted(tmp_path)
    (tmp_path / KEY).unlink()
    monkeypatch.setattr(Path, "stat", on_another_disk)
    with pytest.raises(StoreUnavailable, match="another disk"):
        sentinel.check()


def test_the_same_disk_mounted_again_under_another_number_is_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentinel = posted(tmp_path)
    monkeypatch.setattr(Path, "stat", on_another_disk)
    sentinel.check()


def test_two_workers_share_one_sentinel(tmp_path: Path) -> None:
    first, second = posted(tmp_path), posted(tmp_path)
    first.check()
    second.check()
