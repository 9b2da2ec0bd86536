"""What only a bucket in a folder has to promise: to the disk, and against hostile files."""

import errno
import os
import socket
import stat
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from store.bucket import Bucket
from store.errors import (
    InvalidKey,
    KeyNotFound,
    NotARegularFile,
    ServiceError,
    StoreError,
    StoreFull,
    StoreUnavailable,
    TooLarge,
)
from store.folder import FolderBucket
from tests.fakes import CallFails, FileGrowsAfterStat, FolderSyncFails, LinkAnswerLost
from tests.store.samples import EVERY_USE_OF_A_KEY

LIMIT = 1000

Write = Callable[[FolderBucket, str, bytes], object]
WRITES: dict[str, Write] = {"create": FolderBucket.create, "put": FolderBucket.put}
every_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(path.name)


IRREGULAR: dict[str, Callable[[Path], object]] = {
    "fifo": os.mkfifo,
    "link to a file": lambda path: path.symlink_to(__file__),
    "link to nothing": lambda path: path.symlink_to("nowhere"),
    "link to a directory": lambda path: path.symlink_to("/"),
    "socket": make_socket,
    "directory": Path.mkdir,
}


@pytest.fixture
def folder(tmp_path: Path) -> FolderBucket:
    return FolderBucket(tmp_path)


@pytest.fixture(params=IRREGULAR.values(), ids=IRREGULAR)
def irregular(request: pytest.FixtureRequest, folder: FolderBucket, monkeypatch: pytest.MonkeyPatch) -> FolderBucket:
    """A folder with something under the key "odd" that is not a regular file."""
    monkeypatch.chdir(folder.root)  # a socket's path may have 107 bytes at most
    request.param(folder.root / "odd")
    return folder


@pytest.fixture
def unmounted(tmp_path: Path) -> FolderBucket:
    return FolderBucket(tmp_path / "unmounted")


def names_in(folder: FolderBucket) -> list[str]:
    """Every name on the disk, hidden and temporary ones too."""
    return sorted(str(path.relative_to(folder.root)) for path in folder.root.rglob("*"))


def next_descriptor() -> int:
    descriptor = os.open(os.devnull, os.O_RDONLY)
    os.close(descriptor)
    return descriptor


class DiskLog:
    """Records what is made durable and what is named, in order, while the real calls are made."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines: list[str] = []
        self._root = root
        self._fsync = os.fsync
        monkeypatch.setattr(os, "fsync", self._sync)
        for name in ("link", "replace", "rename"):
            monkeypatch.setattr(os, name, self._logged(name, getattr(os, name)))

    def _sync(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        what = self._name_of(status) if stat.S_ISDIR(status.st_mode) else f"{status.st_size} bytes"
        self.lines.append(f"sync {what}")
        self._fsync(descriptor)

    def _logged(self, name: str, call: Callable[[str, str], None]) -> Callable[[str, str], None]:
        def logged(source: str, target: str) -> None:
            self.lines.append(f"{name} to {Path(target).relative_to(self._root)}")
            call(source, target)

        return logged

    def _name_of(self, status: os.stat_result) -> str:
        folders = [self._root, *(path for path in self._root.rglob("*") if path.is_dir())]
        return next(f"{path.relative_to(self._root)}/" for path in folders if path.stat().st_ino == status.st_ino)


@pytest.fixture
def log(folder: FolderBucket, monkeypatch: pytest.MonkeyPatch) -> DiskLog:
    (folder.root / "a").mkdir()
    return DiskLog(folder.root, monkeypatch)


def test_create_makes_the_content_durable_then_names_it_then_makes_the_name_durable(
    folder: FolderBucket, log: DiskLog
) -> None:
    folder.create("a/b", b"12345")
    assert log.lines == ["sync 5 bytes", "link to a/b", "sync a/"]


def test_put_makes_the_content_durable_then_names_it_then_makes_the_name_durable(
    folder: FolderBucket, log: DiskLog
) -> None:
    folder.put("a/b", b"12345")
    assert log.lines == ["sync 5 bytes", "replace to a/b", "sync a/"]


def test_put_that_need_not_be_durable_waits_for_no_disk(folder: FolderBucket, log: DiskLog) -> None:
    folder.put("a/b", b"12345", durable=False)
    assert log.lines == ["replace to a/b"]


def test_move_makes_both_folders_durable(folder: FolderBucket, log: DiskLog) -> None:
    folder.put("b", b"12345", durable=False)
    log.lines.clear()
    folder.move("b", "a/b")
    assert log.lines == ["rename to a/b", "sync a/", "sync ./"]


@every_write
def test_a_folder_made_for_a_key_is_durable_in_the_folder_above(
    folder: FolderBucket, log: DiskLog, write: Write
) -> None:
    write(folder, "a/new/newer/b", b"12345")
    assert {"sync a/new/newer/", "sync a/new/", "sync a/"} <= set(log.lines)


def test_a_folder_made_for_a_move_is_durable_in_the_folder_above(folder: FolderBucket, log: DiskLog) -> None:
    folder.put("b", b"12345", durable=False)
    folder.move("b", "a/new/newer/b")
    assert {"sync a/new/newer/", "sync a/new/", "sync a/"} <= set(log.lines)


def test_whoever_looks_while_a_key_is_created_sees_nothing(
    folder: FolderBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    link = os.link

    def look_then_link(source: Path, target: Path) -> None:
        seen.append((folder.head("a/b"), folder.list("a/"), folder.list(recursive=True)))
        link(source, target)

    monkeypatch.setattr(os, "link", look_then_link)
    folder.create("a/b", b"whole")
    assert seen == [(None, [], [])]


def test_whoever_looks_while_a_key_is_overwritten_sees_the_old_content(
    folder: FolderBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.put("a", b"old")
    seen: list[object] = []
    replace = os.replace

    def look_then_replace(source: Path, target: Path) -> None:
        seen.append((folder.get("a", LIMIT), folder.list()))
        replace(source, target)

    monkeypatch.setattr(os, "replace", look_then_replace)
    folder.put("a", b"the new one")
    assert seen == [(b"old", ["a"])]
    assert folder.get("a", LIMIT) == b"the new one"


def test_no_temporary_file_remains(folder: FolderBucket) -> None:
    folder.create("a/b", b"first")
    folder.create("a/b", b"second")
    folder.put("a/b", b"third")
    folder.put("a/b", b"fourth", durable=False)
    assert names_in(folder) == ["a", "a/b"]


def test_a_temporary_file_left_by_a_crash_is_not_listed(folder: FolderBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as crash:
        crash.setattr(os, "link", CallFails(errno.EIO))
        crash.setattr(os, "unlink", CallFails(errno.EIO))
        with pytest.raises(StoreUnavailable):
            folder.create("a/b", b"whole")
    assert len(names_in(folder)) == 2
    assert folder.list("a/") == []
    assert folder.list(recursive=True) == []


FAILURES = [
    pytest.param(errno.ENOSPC, StoreFull, id="ENOSPC"),
    pytest.param(errno.EDQUOT, StoreFull, id="EDQUOT"),
    pytest.param(errno.EIO, StoreUnavailable, id="EIO"),
    pytest.param(errno.ESTALE, StoreUnavailable, id="ESTALE"),
    pytest.param(errno.EROFS, StoreUnavailable, id="EROFS"),
]


@pytest.mark.parametrize("call", ["open", "fsync", "link"])
@pytest.mark.parametrize(("code", "error"), FAILURES)
def test_a_create_that_fails_says_why_and_leaves_nothing(
    folder: FolderBucket, monkeypatch: pytest.MonkeyPatch, call: str, code: int, error: type[StoreError]
) -> None:
    with monkeypatch.context() as failing:
        failing.setattr(os, call, CallFails(code))
        with pytest.raises(error):
            folder.create("a", b"whole")
    assert names_in(folder) == []


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
@pytest.mark.parametrize(("code", "error"), FAILURES)
def test_a_put_that_fails_says_why_and_leaves_the_old_content(
    folder: FolderBucket, monkeypatch: pytest.MonkeyPatch, call: str, code: int, error: type[StoreError]
) -> None:
    folder.put("a", b"old")
    with monkeypatch.context() as failing:
        failing.setattr(os, call, CallFails(code))
        with pytest.raises(error):
            folder.put("a", b"new")
    assert names_in(folder) == ["a"]
    assert folder.get("a", LIMIT) == b"old"


def test_a_full_disk_is_reported_when_not_even_a_folder_can_be_made(
    folder: FolderBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "mkdir", CallFails(errno.ENOSPC))
    with pytest.raises(StoreFull, match="free some"):
        folder.create("a/b", b"whole")


@every_write
def test_a_name_that_was_not_made_durable_is_not_a_success(
    folder: FolderBucket, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    monkeypatch.setattr(os, "fsync", FolderSyncFails())
    with pytest.raises(StoreUnavailable):
        write(folder, "a", b"whole")


@pytest.mark.parametrize("code", [errno.EEXIST, errno.ESTALE, errno.EIO])
def test_a_link_that_worked_though_its_answer_was_lost_counts_as_created(
    folder: FolderBucket, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(os, "link", LinkAnswerLost(code))
    assert folder.create("a", b"whole") is True
    assert folder.get("a", LIMIT) == b"whole"
    assert names_in(folder) == ["a"]


@pytest.mark.timeout(10)
@pytest.mark.parametrize("use", ["get", "head"])
def test_what_is_not_a_regular_file_is_refused_without_blocking(irregular: FolderBucket, use: str) -> None:
    with pytest.raises(NotARegularFile, match="odd"):
        EVERY_USE_OF_A_KEY[use](irregular, "odd")


@pytest.mark.timeout(10)
def test_refusing_what_is_not_a_regular_file_leaves_no_descriptor_open(irregular: FolderBucket) -> None:
    before = next_descriptor()
    with pytest.raises(NotARegularFile):
        irregular.get("odd", LIMIT)
    assert next_descriptor() == before


@pytest.mark.timeout(10)
def test_a_listing_survives_what_is_not_a_regular_file(irregular: FolderBucket) -> None:
    irregular.put("plain", b"x")
    assert set(irregular.list(recursive=True)) - {"odd"} == {"plain"}


def test_a_link_is_replaced_and_never_written_through(
    folder: FolderBucket, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "file"
    outside.write_bytes(b"not ours")
    (folder.root / "a").symlink_to(outside)
    folder.put("a", b"ours")
    assert outside.read_bytes() == b"not ours"
    assert folder.get("a", LIMIT) == b"ours"


def test_a_link_is_deleted_and_never_what_it_points_to(folder: FolderBucket) -> None:
    folder.put("target", b"x")
    (folder.root / "a").symlink_to("target")
    folder.delete("a")
    assert names_in(folder) == ["target"]


def test_a_link_is_touched_and_never_what_it_points_to(folder: FolderBucket) -> None:
    folder.put("target", b"x")
    before = folder.head("target")
    (folder.root / "a").symlink_to("target")
    os.utime(folder.root / "a", (0, 0), follow_symlinks=False)
    folder.touch("a")
    assert folder.head("target") == before
    assert (folder.root / "a").lstat().st_mtime > 0


def test_a_move_of_an_absent_key_makes_no_folder(folder: FolderBucket) -> None:
    with pytest.raises(KeyNotFound):
        folder.move("a", "new/b")
    assert names_in(folder) == []


@pytest.mark.parametrize("use", EVERY_USE_OF_A_KEY.values(), ids=EVERY_USE_OF_A_KEY)
def test_a_missing_root_is_reported_and_never_made(
    unmounted: FolderBucket, use: Callable[[Bucket, str], object]
) -> None:
    for key in ("a", "a/b"):
        with pytest.raises(StoreUnavailable, match="create or mount it"):
            use(unmounted, key)
    assert not unmounted.root.exists()


@pytest.mark.parametrize("prefix", ["", "a/"])
def test_a_missing_root_is_not_an_empty_listing(unmounted: FolderBucket, prefix: str) -> None:
    with pytest.raises(StoreUnavailable, match="create or mount it"):
        unmounted.list(prefix)
    assert not unmounted.root.exists()


@pytest.mark.parametrize("key", ["n" * 256, "가" * 86, "a/" + "n" * 256, "n" * 256 + "/a"], ids=len)
@every_write
def test_a_name_too_long_for_the_file_system_is_an_invalid_key(folder: FolderBucket, write: Write, key: str) -> None:
    with pytest.raises(InvalidKey, match="too long"):
        write(folder, key, b"x")
    assert folder.list(recursive=True) == []


def test_the_longest_name_the_file_system_takes_is_a_key(folder: FolderBucket) -> None:
    assert folder.create("n" * 255, b"x") is True
    assert folder.list() == ["n" * 255]


@pytest.mark.parametrize("use", EVERY_USE_OF_A_KEY.values(), ids=EVERY_USE_OF_A_KEY)
def test_a_name_that_cannot_be_encoded_is_an_invalid_key(
    folder: FolderBucket, use: Callable[[Bucket, str], object]
) -> None:
    with pytest.raises(InvalidKey):
        use(folder, "lone \ud800 surrogate")


def test_a_file_whose_name_is_not_utf8_is_listed_and_read(folder: FolderBucket) -> None:
    raw = os.path.join(os.fsencode(folder.root), b"\xb5\xfe.json")  # noqa: PTH118 - a Path holds no bytes
    descriptor = os.open(raw, os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(descriptor, b"x")
    os.close(descriptor)
    [key] = folder.list()
    assert folder.get(key, LIMIT) == b"x"
    folder.move(key, "quarantine")
    assert folder.list() == ["quarantine"]


def test_a_huge_file_is_refused_without_reading_it(folder: FolderBucket) -> None:
    (folder.root / "huge").touch()
    os.truncate(folder.root / "huge", 5 * 1024**3)
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge, match=str(5 * 1024**3)):
            folder.get("huge", 64 * 1024**2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1024**2


def test_a_file_that_grows_while_it_is_read_is_still_held_to_the_limit(
    folder: FolderBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.put("a", b"12345")
    monkeypatch.setattr(os, "fstat", FileGrowsAfterStat(folder.root / "a", b"6789"))
    with pytest.raises(TooLarge):
        folder.get("a", 8)


def test_the_version_changes_when_somebody_else_writes_into_the_file(folder: FolderBucket) -> None:
    folder.put("a", b"12345")
    before = folder.head("a")
    (folder.root / "a").write_bytes(b"123456")
    assert folder.head("a") != before


def test_the_version_tells_two_writes_within_one_tick_of_the_clock_apart(folder: FolderBucket) -> None:
    folder.put("a", b"12345")
    os.utime(folder.root / "a", (0, 0))
    before = folder.head("a")
    folder.put("a", b"67890")
    os.utime(folder.root / "a", (0, 0))
    assert folder.head("a") != before


def test_a_folder_that_vanishes_while_it_is_listed_counts_as_empty(
    folder: FolderBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.put("top", b"x")
    folder.put("a/b", b"x")
    scandir = os.scandir

    def vanish_then_scan(path: str) -> object:
        if path.endswith("/a"):
            (Path(path) / "b").unlink()
            Path(path).rmdir()
        return scandir(path)

    monkeypatch.setattr(os, "scandir", vanish_then_scan)
    assert folder.list(recursive=True) == ["top"]


def test_every_error_keeps_what_the_operating_system_said(folder: FolderBucket) -> None:
    with pytest.raises(KeyNotFound) as caught:
        folder.get("a", LIMIT)
    assert isinstance(caught.value, ServiceError)
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_a_folder_under_the_name_of_a_document_is_listed_and_other_folders_are_not(folder: FolderBucket) -> None:
    for name in ("x.json", "photos", ".imagegen", "a/y.json"):
        (folder.root / name).mkdir(parents=True)
    assert folder.list() == ["x.json"]
    assert folder.list("a/") == ["a/y.json"]
    assert folder.list(recursive=True) == []


def test_a_folder_is_moved_with_all_it_holds(folder: FolderBucket) -> None:
    folder.put("x.json/deep/file", b"x")
    folder.move("x.json", "aside/x.json")
    assert folder.list() == []
    assert folder.get("aside/x.json/deep/file", LIMIT) == b"x"


@pytest.mark.parametrize("code", [errno.EBUSY, errno.EACCES, errno.EXDEV])
def test_a_folder_that_cannot_be_moved_is_a_fault_of_the_store(
    folder: FolderBucket, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    (folder.root / "x.json").mkdir()
    monkeypatch.setattr(os, "rename", CallFails(code))
    with pytest.raises(StoreUnavailable, match=r"x\.json"):
        folder.move("x.json", "aside/x.json")


@pytest.mark.timeout(10)
@pytest.mark.parametrize("use", ["get", "head"])
def test_what_is_not_a_regular_file_is_not_even_opened(
    irregular: FolderBucket, monkeypatch: pytest.MonkeyPatch, use: str
) -> None:
    monkeypatch.setattr(os, "open", lambda *arguments: pytest.fail("it was opened"))
    with pytest.raises(NotARegularFile):
        EVERY_USE_OF_A_KEY[use](irregular, "odd")


@pytest.mark.timeout(10)
def test_a_pipe_that_takes_the_place_of_a_file_just_seen_does_not_block(
    folder: FolderBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.put("a", b"x")
    seen = os.lstat(folder.root / "a")
    (folder.root / "a").unlink()
    os.mkfifo(folder.root / "a")
    monkeypatch.setattr(os, "lstat", lambda path: seen)
    with pytest.raises(NotARegularFile):
        folder.get("a", LIMIT)


def test_what_is_not_a_regular_file_is_moved_without_being_opened(irregular: FolderBucket) -> None:
    kind = stat.S_IFMT((irregular.root / "odd").lstat().st_mode)
    irregular.move("odd", "aside/odd")
    assert stat.S_IFMT((irregular.root / "aside" / "odd").lstat().st_mode) == kind


@pytest.mark.parametrize("seconds", [2**40, 0, -(2**33)])
def test_a_file_from_a_time_that_no_calendar_has_is_looked_at_like_any_other(tmp_path: Path, seconds: int) -> None:
    bucket = FolderBucket(tmp_path)
    bucket.put("a", b"1")
    try:
        os.utime(tmp_path / "a", (seconds, seconds))
    except OverflowError:
        pytest.skip("this file system does not keep such a time")
    head = bucket.head("a")
    assert head is not None
    assert head.size == 1
