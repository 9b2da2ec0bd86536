import errno
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from watcher import doorbell
from watcher.doorbell import Doorbell

LONG = 20.0


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def bell(inbox: Path) -> Iterator[Doorbell]:
    bell = Doorbell(inbox)
    bell.start()
    yield bell
    bell.stop()


def rings_soon(bell: Doorbell) -> bool:
    started = time.monotonic()
    bell.wait(LONG)
    return time.monotonic() - started < LONG / 2


def test_a_file_renamed_into_place_rings(bell: Doorbell, inbox: Path) -> None:
    (inbox.parent / "a.json").write_text("{}")
    (inbox.parent / "a.json").rename(inbox / "a.json")
    assert rings_soon(bell)


def test_a_file_written_in_place_rings(bell: Doorbell, inbox: Path) -> None:
    (inbox / "a.json").write_text("{}")
    assert rings_soon(bell)


def test_reading_the_inbox_does_not_ring(bell: Doorbell, inbox: Path) -> None:
    (inbox / "a.json").write_text("{}")
    assert rings_soon(bell)
    while bell._rung.wait(0.2):
        bell._rung.clear()
    (inbox / "a.json").read_text()
    assert not bell._rung.wait(0.2)


def test_ringing_by_hand_wakes(bell: Doorbell) -> None:
    bell.ring()
    assert rings_soon(bell)


def test_without_events_the_clock_rings(inbox: Path) -> None:
    silent = Doorbell(inbox)
    silent.wait(0.01)


class NoWatchesLeft:
    """The kernel's limit of watches is reached."""

    def schedule(self, *arguments: Any, **options: Any) -> None:
        pass

    def start(self) -> None:
        raise OSError(errno.ENOSPC, "inotify watch limit reached")

    def stop(self) -> None:
        pass


def test_an_observer_that_cannot_start_leaves_the_clock(
    inbox: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(doorbell, "arrival_observer", NoWatchesLeft)
    bell = Doorbell(inbox)
    bell.start()
    bell.wait(0.01)
    bell.stop()
    assert "found by scanning only" in caplog.text


def test_a_folder_that_is_removed_and_made_again_is_listened_to_anew(bell: Doorbell, inbox: Path) -> None:
    shutil.rmtree(inbox)
    observer = bell._observer
    assert observer is not None
    for emitter in observer.emitters:
        emitter.stop()
        emitter.join()
    bell.wait(0.01)
    inbox.mkdir()
    bell.wait(0.01)
    (inbox / "a.json").write_text("{}")
    assert rings_soon(bell)


def test_a_request_that_is_archived_does_not_hold_up_the_news_of_the_next(bell: Doorbell, inbox: Path) -> None:
    (inbox / ".imagegen").mkdir()
    (inbox / "a.json").write_text("{}")
    while bell._rung.wait(0.2):
        bell._rung.clear()
    for number in range(5):
        (inbox / f"{number}.json").write_text("{}")
        bell._rung.clear()
        (inbox / f"{number}.json").rename(inbox / ".imagegen" / f"{number}.json")
        (inbox / "next.tmp").write_text("{}")
        # watchdog pairs the halves of a rename, and holds back whatever follows for half a second
        assert bell._rung.wait(0.4)


def test_a_folder_that_was_renamed_and_made_again_is_listened_to(bell: Doorbell, inbox: Path) -> None:
    inbox.rename(inbox.parent / "old")
    inbox.mkdir()
    bell.wait(0)
    while bell._rung.wait(0.2):
        bell._rung.clear()
    (inbox / "a.json").write_text("{}")
    assert rings_soon(bell)


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_where_watches_have_run_out_each_try_gives_back_what_it_took(
    inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_watch_left(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "inotify watch limit reached")

    monkeypatch.setattr("watchdog.observers.inotify_c.InotifyFD.add_callback", no_watch_left)
    bell = Doorbell(inbox)
    bell.start()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        bell.wait(0)
    bell.stop()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
