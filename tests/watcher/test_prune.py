import json
import os
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from store.bucket import Bucket
from store.errors import InvalidField
from store.folder import FolderBucket
from store.memory import MemoryBucket
from tests.watcher.house import request_bytes
from watcher.commands.prune import parse_age
from watcher.place import InboxPlace
from watcher.redriven import RedriveNote, RedriveNotes
from watcher.upkeep.prune import Prune, Pruned

START = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
BOUND = 30 * DAY


class Premises:
    """An inbox and an outbox in memory, and a clock that both see."""

    def __init__(self) -> None:
        self.time = START
        self.inbox = MemoryBucket(lambda: self.time)
        self.outbox = MemoryBucket(lambda: self.time)

    def prune(self, *, results: bool = False, dry_run: bool = False) -> Pruned:
        return prune(self.inbox, self.outbox, lambda: self.time, results=results, dry_run=dry_run)

    def decide(self, identifier: str, *images: str, key: str = "results/{}.json") -> None:
        manifest = {
            "status": "succeeded",
            "created_at": self.time.isoformat(),
            "images": [{"path": image} for image in images],
        }
        self.outbox.put(key.format(identifier), json.dumps(manifest).encode())

    def keys(self) -> list[str]:
        return sorted([*self.inbox.list(recursive=True), *self.outbox.list(recursive=True)])


def prune(
    inbox: Bucket, outbox: Bucket, now: Callable[[], datetime], *, results: bool = False, dry_run: bool = False
) -> Pruned:
    return Prune(InboxPlace(bucket=inbox), outbox, now).prune(BOUND, results=results, dry_run=dry_run)


def counts(pruned: Pruned) -> dict[str, int]:
    return {removed.kind: removed.count for removed in pruned.removed if removed.count}


LEFT_BY_A_DECIDED_REQUEST = {
    ".imagegen/archive/a.00000000/a.json": "archive",
    ".imagegen/quarantine/a.00000000/a.png": "quarantine",
    ".imagegen/claims/a.1": "claims",
    ".imagegen/claims/a.2.released": "claims",
    ".imagegen/claims/a.3.spent": "claims",
    ".imagegen/seen/a.json": "seen",
    ".imagegen/redriven/a.json": "redriven",
    "logo.png": "shared references",
}


@pytest.mark.parametrize(("key", "kind"), LEFT_BY_A_DECIDED_REQUEST.items())
def test_what_a_decided_request_leaves_goes_when_it_is_old(key: str, kind: str) -> None:
    premises = Premises()
    premises.decide("a")
    premises.inbox.put(key, b"12345")
    premises.time += BOUND
    assert counts(premises.prune()) == {}
    premises.time += timedelta(seconds=1)
    pruned = premises.prune()
    assert counts(pruned) == {kind: 1}
    assert sum(removed.bytes for removed in pruned.removed) == 5
    assert premises.keys() == ["results/a.json"]


def test_the_progress_of_a_decided_request_goes() -> None:
    premises = Premises()
    premises.decide("a")
    premises.outbox.put("progress/a.json", b"{}")
    premises.time += 31 * DAY
    assert counts(premises.prune()) == {"progress": 1}


@pytest.mark.parametrize("prefix", [".imagegen/claims/a.1", ".imagegen/seen/a.json", ".imagegen/redriven/a.json"])
@pytest.mark.parametrize("waits", [True, False])
def test_what_belongs_to_an_undecided_or_waiting_request_stays(prefix: str, waits: bool) -> None:
    premises = Premises()
    premises.inbox.put(prefix, b"x")
    if waits:
        premises.decide("a")
        premises.inbox.put("a.json", request_bytes())
    premises.time += 31 * DAY
    before = premises.keys()
    assert counts(premises.prune()) == {}
    assert premises.keys() == before


def test_a_dry_run_counts_the_same_and_removes_nothing() -> None:
    premises = Premises()
    premises.decide("a", "generated_images/ab/abc.png")
    premises.outbox.put("generated_images/ab/abc.png", b"pixels")
    for key in LEFT_BY_A_DECIDED_REQUEST:
        premises.inbox.put(key, b"12345")
    premises.time += 31 * DAY
    before = premises.keys()
    tried = premises.prune(results=True, dry_run=True)
    assert premises.keys() == before
    assert premises.prune(results=True) == tried
    assert premises.keys() == []


def test_a_request_that_was_moved_into_the_archive_today_is_as_old_as_the_move() -> None:
    premises = Premises()
    premises.inbox.put("a.json", request_bytes())
    premises.time += 31 * DAY
    premises.inbox.move("a.json", ".imagegen/archive/a.00000000/a.json")
    assert counts(premises.prune()) == {}


@pytest.mark.parametrize(
    ("request_name", "reference", "kept"),
    [
        ("a.json", "logo.png", "logo.png"),
        ("a.json", {"name": "logo.png"}, "logo.png"),
        ("a.json", unicodedata.normalize("NFC", "컵.png"), unicodedata.normalize("NFD", "컵.png")),
        ("a.json", None, "a.png"),
        ("a.b.json", None, "a.b.mask.png"),
        ("딸기.json", None, "n-d0bddce5152373f4.png"),
        ("a.json", "other.png", "a.cancel"),
        ("a.json", "other.png", ".cup.png"),
    ],
)
def test_a_file_that_a_pending_request_may_need_stays(request_name: str, reference: Any, kept: str) -> None:
    premises = Premises()
    premises.inbox.put(request_name, request_bytes(reference_image=reference))
    premises.inbox.put(kept, b"x")
    premises.inbox.put("unneeded.png", b"x")
    premises.time += 31 * DAY
    assert counts(premises.prune()) == {"shared references": 1}
    assert premises.keys() == sorted([request_name, kept])


def test_the_files_of_the_first_id_stay_while_its_redrive_waits() -> None:
    premises = Premises()
    note = RedriveNote(redrive_of="cake", request_file="cake.json", request_sha256=None, at=START)
    RedriveNotes(premises.inbox, ".imagegen/").create("cake.r1", note)
    premises.inbox.put("cake.r1.json", request_bytes())
    premises.inbox.put("cake.txt", b"x")
    premises.time += 31 * DAY
    assert counts(premises.prune()) == {}


@pytest.mark.parametrize("content", [b'{"reference_image": "lo', b"\xff\xfe", b"[]", b" " * 300_000])
def test_while_a_request_cannot_be_read_all_shared_references_stay(content: bytes) -> None:
    premises = Premises()
    premises.inbox.put("a.json", content)
    premises.inbox.put("logo.png", b"x")
    premises.time += 31 * DAY
    pruned = premises.prune()
    assert counts(pruned) == {}
    assert "all shared references stay" in pruned.remarks[0]


def test_results_and_images_stay_unless_they_are_asked_for() -> None:
    premises = Premises()
    premises.decide("a", "generated_images/ab/abc.png")
    premises.outbox.put("generated_images/ab/abc.png", b"x")
    premises.time += 31 * DAY
    assert counts(premises.prune()) == {}
    assert counts(premises.prune(results=True)) == {"results": 1, "images": 1}
    assert premises.keys() == []


def test_an_image_that_a_younger_result_names_stays() -> None:
    premises = Premises()
    premises.decide("old", "generated_images/ab/abc.png", "generated_images/cd/cde.png")
    for image in ("generated_images/ab/abc.png", "generated_images/cd/cde.png"):
        premises.outbox.put(image, b"x")
    premises.time += 20 * DAY
    premises.decide("young", "generated_images/ab/abc.png")
    premises.time += 11 * DAY
    premises.prune(results=True)
    assert premises.keys() == ["generated_images/ab/abc.png", "results/young.json"]


def test_an_image_younger_than_the_bound_stays_though_nothing_names_it() -> None:
    premises = Premises()
    premises.outbox.put("generated_images/ab/abc.png", b"x")
    premises.time += BOUND
    assert counts(premises.prune(results=True)) == {}


def test_whatever_the_bound_an_image_of_the_last_hour_may_wait_for_its_result() -> None:
    premises = Premises()
    premises.outbox.put("generated_images/ab/abc.png", b"x")
    premises.time += timedelta(minutes=59)
    prune_all = Prune(InboxPlace(bucket=premises.inbox), premises.outbox, lambda: premises.time)
    assert counts(prune_all.prune(timedelta(), results=True, dry_run=False)) == {}
    premises.time += timedelta(minutes=2)
    assert counts(prune_all.prune(timedelta(), results=True, dry_run=False)) == {"images": 1}


def test_the_result_of_a_request_that_lies_in_the_inbox_stays_or_it_would_be_drawn_again() -> None:
    premises = Premises()
    premises.decide("a")
    premises.inbox.put("a.json", request_bytes())
    premises.time += 31 * DAY
    assert counts(premises.prune(results=True)) == {}


def test_records_of_conflicts_go_with_the_results() -> None:
    premises = Premises()
    premises.decide("a.12345678", key="results/conflicts/{}.json")
    premises.time += 31 * DAY
    assert counts(premises.prune()) == {}
    assert counts(premises.prune(results=True)) == {"results": 1}


def test_while_a_result_cannot_be_read_it_and_all_images_stay() -> None:
    premises = Premises()
    premises.outbox.put("results/a.json", b"{")
    premises.outbox.put("generated_images/ab/abc.png", b"x")
    premises.time += 31 * DAY
    pruned = premises.prune(results=True)
    assert counts(pruned) == {}
    assert "results/a.json cannot be read" in pruned.remarks[0]


def later(days: int) -> Callable[[], datetime]:
    return lambda: datetime.now(UTC) + days * DAY


@pytest.fixture
def folders(tmp_path: Path) -> tuple[FolderBucket, FolderBucket]:
    for name in ("inbox", "outbox"):
        (tmp_path / name).mkdir()
    return FolderBucket(tmp_path / "inbox"), FolderBucket(tmp_path / "outbox")


def test_the_emptied_folders_of_the_archive_go_and_the_archive_stays(
    folders: tuple[FolderBucket, FolderBucket],
) -> None:
    inbox, outbox = folders
    for name in ("a.json", "a.png"):
        inbox.put(f".imagegen/archive/a.00000000/{name}", b"x")
    assert counts(prune(inbox, outbox, later(31))) == {"archive": 2}
    assert list((inbox.root / ".imagegen" / "archive").iterdir()) == []


def test_temporary_files_of_killed_writers_go_in_both_places(folders: tuple[FolderBucket, FolderBucket]) -> None:
    inbox, outbox = folders
    left = [inbox.root / f".imagegen-{'0' * 32}", outbox.root / "generated_images" / "ab" / f".imagegen-{'f' * 32}"]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    others = [inbox.root / ".imagegen-notes", inbox.root / ".upload"]
    for path in others:
        path.write_bytes(b"somebody else's")
    assert counts(prune(inbox, outbox, later(29))) == {}
    assert counts(prune(inbox, outbox, later(31))) == {"temporaries": 2}
    assert [path.exists() for path in [*left, *others]] == [False, False, True, True]


def test_whatever_the_bound_a_temporary_file_of_the_last_hour_may_be_in_the_making(
    folders: tuple[FolderBucket, FolderBucket],
) -> None:
    inbox, outbox = folders
    (inbox.root / f".imagegen-{'0' * 32}").write_bytes(b"half")
    for minutes, removed in ((59, {}), (61, {"temporaries": 1})):
        now = datetime.now(UTC) + timedelta(minutes=minutes)
        pruning = Prune(InboxPlace(bucket=inbox), outbox, lambda now=now: now)
        assert counts(pruning.prune(timedelta(), results=False, dry_run=False)) == removed


def test_a_file_moved_into_the_inbox_today_is_not_old_though_its_content_is(
    folders: tuple[FolderBucket, FolderBucket], tmp_path: Path
) -> None:
    inbox, outbox = folders
    (tmp_path / "photo.png").write_bytes(b"x")
    os.utime(tmp_path / "photo.png", (0, 0))
    (tmp_path / "photo.png").rename(inbox.root / "photo.png")
    assert counts(prune(inbox, outbox, later(0))) == {}
    assert counts(prune(inbox, outbox, later(31))) == {"shared references": 1}


def test_what_is_no_regular_file_stays(folders: tuple[FolderBucket, FolderBucket]) -> None:
    inbox, outbox = folders
    (inbox.root / "link.png").symlink_to("nowhere")
    assert counts(prune(inbox, outbox, later(31))) == {}
    assert (inbox.root / "link.png").is_symlink()


@pytest.mark.parametrize(("text", "hours"), [("12h", 12), ("30d", 720), ("4w", 672), ("0d", 0)])
def test_an_age_is_a_number_of_hours_days_or_weeks(text: str, hours: int) -> None:
    assert parse_age(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5d", "30 d", "30D", "3m", "999999w", "٣d"])
def test_any_other_age_is_refused(text: str) -> None:
    with pytest.raises(InvalidField, match="12h, 30d or 4w"):
        parse_age(text)


def test_a_shared_reference_that_a_young_result_used_stays_though_nothing_waits() -> None:
    premises = Premises()
    premises.inbox.put("logo.png", b"logo")
    premises.inbox.put("old.png", b"old")
    premises.time += 40 * DAY
    manifest = {
        "status": "succeeded",
        "created_at": premises.time.isoformat(),
        "images": [],
        "request": {"prompt": "a cake", "reference_image": {"name": "logo.png"}},
    }
    premises.outbox.put("results/a.json", json.dumps(manifest).encode())
    premises.prune()
    assert premises.inbox.list() == ["logo.png"]


class RequestComesMeanwhile(MemoryBucket):
    """A backend drops a request that names a shared reference while the archives are swept."""

    def list(self, prefix: str = "", *, recursive: bool = False) -> list[str]:
        if prefix.endswith("quarantine/"):
            self.put("a.json", request_bytes(reference_image="logo.png"))
        return super().list(prefix, recursive=recursive)


def test_a_shared_reference_named_by_a_request_that_comes_meanwhile_stays() -> None:
    premises = Premises()
    inbox = RequestComesMeanwhile(lambda: premises.time)
    inbox.put("logo.png", b"logo")
    premises.time += 40 * DAY
    prune(inbox, premises.outbox, lambda: premises.time)
    assert sorted(inbox.list()) == ["a.json", "logo.png"]
