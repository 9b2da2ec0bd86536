"""The promises of every bucket, kept alike by all of them."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.bucket import Bucket, Head
from store.errors import InvalidKey, KeyNotFound, TooLarge
from store.folder import FolderBucket
from store.memory import MemoryBucket
from tests.cloud.buckets import s3_bucket
from tests.store.samples import EVERY_USE_OF_A_KEY

KINDS: dict[str, Callable[[Path], Bucket]] = {
    "folder": FolderBucket,
    "memory": lambda folder: MemoryBucket(),
}
SERVERS = ("seaweed", "ministack")

RACERS = 8
LIMIT = 1000

BAD_KEYS = ["", ".", "..", "/", "/a", "a/", "a//b", "a/./b", "a/../b", "../a", "a\0b"]
BAD_PREFIXES = ["a", "/", "//", "a//", "./", "../", "a/../", "a\0/"]
UNUSUAL_KEYS = [
    "딸기.json",
    "두 단어/그림 1.png",
    "a+b%20c&d=e#f?.png",
    "%2e%2e",
    "...",
    "-",
    "a\\b",
    "a\nb",
    ".hidden",
]

names = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=40).filter(
    lambda name: name not in (".", "..") and len(name.encode()) <= 200 and not name.startswith(".imagegen-")
)
valid_keys = st.lists(names, min_size=1, max_size=4).map("/".join)


@pytest.fixture(params=[*KINDS, *SERVERS])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Bucket:
    if request.param in KINDS:
        return KINDS[request.param](tmp_path)
    return s3_bucket(request.getfixturevalue(request.param))


def head_of(bucket: Bucket, key: str) -> Head:
    head = bucket.head(key)
    assert head is not None
    return head


def make_older(bucket: Bucket, key: str) -> None:
    """Two touches within one tick of a file system's clock would look alike."""
    if isinstance(bucket, FolderBucket):
        os.utime(bucket.root / key, (0, 0))


def test_create_says_that_it_wrote(bucket: Bucket) -> None:
    assert bucket.create("a/b", b"first") is True
    assert bucket.get("a/b", LIMIT) == b"first"


def test_create_says_that_the_key_was_taken(bucket: Bucket) -> None:
    bucket.create("a", b"first")
    assert bucket.create("a", b"second") is False


def test_create_never_overwrites_what_is_there(bucket: Bucket) -> None:
    bucket.put("a", b"first")
    before = bucket.head("a")
    bucket.create("a", b"second")
    assert bucket.get("a", LIMIT) == b"first"
    assert bucket.head("a") == before


def test_create_may_follow_a_delete(bucket: Bucket) -> None:
    bucket.create("a", b"first")
    bucket.delete("a")
    assert bucket.create("a", b"second") is True
    assert bucket.get("a", LIMIT) == b"second"


def test_of_many_who_create_one_key_at_once_exactly_one_wins_and_its_bytes_are_there(bucket: Bucket) -> None:
    start = Barrier(RACERS)
    contents = [bytes([racer]) * 5000 for racer in range(RACERS)]

    def race(data: bytes) -> bool:
        start.wait()
        return bucket.create("race/prize", data)

    with ThreadPoolExecutor(RACERS) as racers:
        won = list(racers.map(race, contents))
    assert won.count(True) == 1
    assert bucket.get("race/prize", 5000) == contents[won.index(True)]
    assert bucket.list(recursive=True) == ["race/prize"]


@pytest.mark.parametrize("durable", [True, False])
def test_put_writes_what_was_absent(bucket: Bucket, durable: bool) -> None:
    bucket.put("a/b/c", b"first", durable=durable)
    assert bucket.get("a/b/c", LIMIT) == b"first"


@pytest.mark.parametrize("durable", [True, False])
def test_put_overwrites(bucket: Bucket, durable: bool) -> None:
    bucket.put("a", b"a longer first content")
    bucket.put("a", b"second", durable=durable)
    assert bucket.get("a", LIMIT) == b"second"


def test_an_empty_content_is_a_content(bucket: Bucket) -> None:
    assert bucket.create("a", b"") is True
    assert bucket.get("a", 0) == b""
    assert head_of(bucket, "a").size == 0


def test_get_reads_a_content_that_is_exactly_as_large_as_allowed(bucket: Bucket) -> None:
    bucket.put("a", b"12345")
    assert bucket.get("a", 5) == b"12345"


def test_get_refuses_a_content_one_byte_larger_than_allowed(bucket: Bucket) -> None:
    bucket.put("a", b"12345")
    with pytest.raises(TooLarge, match="at most 4"):
        bucket.get("a", 4)


def test_get_of_an_absent_key_names_it(bucket: Bucket) -> None:
    with pytest.raises(KeyNotFound, match="a/nowhere"):
        bucket.get("a/nowhere", LIMIT)


def test_head_gives_the_size(bucket: Bucket) -> None:
    bucket.put("a", b"12345")
    assert head_of(bucket, "a").size == 5


def test_head_of_an_absent_key_is_none(bucket: Bucket) -> None:
    assert bucket.head("a/nowhere") is None


def test_the_version_stays_while_nobody_writes(bucket: Bucket) -> None:
    bucket.put("a", b"12345")
    before = bucket.head("a")
    bucket.get("a", LIMIT)
    bucket.put("b", b"other")
    assert bucket.head("a") == before


def test_the_version_changes_with_every_put_even_of_equal_bytes(bucket: Bucket) -> None:
    bucket.put("a", b"12345")
    before = head_of(bucket, "a")
    bucket.put("a", b"12345")
    assert head_of(bucket, "a").version != before.version


def test_touch_changes_the_version_and_not_the_content(bucket: Bucket) -> None:
    bucket.put("a", b"12345")
    make_older(bucket, "a")
    before = head_of(bucket, "a")
    bucket.touch("a")
    assert head_of(bucket, "a").version != before.version
    assert bucket.get("a", LIMIT) == b"12345"


def test_touch_of_an_absent_key_raises_and_makes_nothing(bucket: Bucket) -> None:
    with pytest.raises(KeyNotFound):
        bucket.touch("a")
    assert bucket.head("a") is None


def require_just_now(bucket: Bucket, key: str, since: datetime) -> None:
    # a file system's clock ticks more slowly than Python's
    assert since - timedelta(seconds=1) <= head_of(bucket, key).modified <= datetime.now(UTC) + timedelta(seconds=1)


def test_modified_is_when_the_key_was_written_in_utc(bucket: Bucket) -> None:
    since = datetime.now(UTC)
    bucket.put("a/b", b"x")
    require_just_now(bucket, "a/b", since)
    assert head_of(bucket, "a/b").modified.tzinfo is UTC


@pytest.mark.parametrize("change", [lambda bucket: bucket.move("a", "b"), lambda bucket: bucket.touch("b")])
def test_modified_is_when_the_key_was_moved_or_touched_however_old_the_content(
    change: Callable[[Bucket], None],
) -> None:
    time = datetime(2026, 1, 1, tzinfo=UTC)
    bucket = MemoryBucket(lambda: time)
    for key in ("a", "b"):
        bucket.put(key, b"x")
    time += timedelta(days=1)
    change(bucket)
    assert head_of(bucket, "b").modified == time


def test_a_folder_says_when_a_file_came_there_not_when_it_was_written(tmp_path: Path) -> None:
    bucket, since = FolderBucket(tmp_path), datetime.now(UTC)
    bucket.put("a", b"x")
    make_older(bucket, "a")
    bucket.move("a", "b/c")
    require_just_now(bucket, "b/c", since)


def test_a_time_in_a_files_future_is_told_as_it_is(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    bucket.put("a", b"x")
    os.utime(tmp_path / "a", (4102444800, 4102444800))
    assert head_of(bucket, "a").modified == datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def tree(bucket: Bucket) -> Bucket:
    for key in ["top", "a/one", "a/two", "a/deep/three", "ab/four"]:
        bucket.put(key, b"x")
    return bucket


@pytest.mark.parametrize(
    ("prefix", "keys"),
    [("", ["top"]), ("a/", ["a/one", "a/two"]), ("a/deep/", ["a/deep/three"]), ("nowhere/", []), ("a/nowhere/", [])],
)
def test_list_gives_one_level(tree: Bucket, prefix: str, keys: list[str]) -> None:
    assert sorted(tree.list(prefix)) == keys


@pytest.mark.parametrize(
    ("prefix", "keys"),
    [
        ("", ["a/deep/three", "a/one", "a/two", "ab/four", "top"]),
        ("a/", ["a/deep/three", "a/one", "a/two"]),
        ("nowhere/", []),
    ],
)
def test_list_recursive_gives_all_levels(tree: Bucket, prefix: str, keys: list[str]) -> None:
    assert sorted(tree.list(prefix, recursive=True)) == keys


def test_a_new_bucket_is_empty(bucket: Bucket) -> None:
    assert bucket.list() == []
    assert bucket.list(recursive=True) == []


def test_move_takes_the_content_along_and_leaves_nothing(bucket: Bucket) -> None:
    bucket.put("a", b"moved")
    bucket.move("a", "new/place/b")
    assert bucket.list(recursive=True) == ["new/place/b"]
    assert bucket.get("new/place/b", LIMIT) == b"moved"


def test_move_replaces_the_target(bucket: Bucket) -> None:
    bucket.put("a", b"moved")
    bucket.put("b", b"was here before")
    bucket.move("a", "b")
    assert bucket.get("b", LIMIT) == b"moved"
    assert bucket.head("a") is None


def test_move_onto_itself_loses_nothing(bucket: Bucket) -> None:
    bucket.put("a", b"same")
    bucket.move("a", "a")
    assert bucket.get("a", LIMIT) == b"same"


@pytest.mark.parametrize("target", ["b", "new/b"])
def test_move_of_an_absent_key_raises_and_leaves_the_target_alone(bucket: Bucket, target: str) -> None:
    bucket.put("b", b"was here before")
    with pytest.raises(KeyNotFound):
        bucket.move("a", target)
    assert bucket.list(recursive=True) == ["b"]
    assert bucket.get("b", LIMIT) == b"was here before"


def test_move_to_a_bad_key_raises_and_leaves_the_source_alone(bucket: Bucket) -> None:
    bucket.put("a", b"kept")
    with pytest.raises(InvalidKey):
        bucket.move("a", "../a")
    assert bucket.get("a", LIMIT) == b"kept"


def test_delete_removes_the_key(bucket: Bucket) -> None:
    bucket.put("a/b", b"x")
    bucket.delete("a/b")
    assert bucket.head("a/b") is None
    assert bucket.list(recursive=True) == []


def test_delete_of_an_absent_key_is_fine_and_touches_no_other(bucket: Bucket) -> None:
    bucket.put("a/b", b"x")
    bucket.delete("a/c")
    bucket.delete("nowhere/c")
    assert bucket.list(recursive=True) == ["a/b"]


@pytest.mark.parametrize(("key", "left"), [("a/b/c/file", ["a", "a/b"]), ("a/b/file", ["a", "a/b"]), ("a/file", ["a"])])
def test_a_delete_removes_an_emptied_folder_three_levels_down_and_none_above(
    tmp_path: Path, key: str, left: list[str]
) -> None:
    bucket = FolderBucket(tmp_path)
    bucket.put(key, b"x")
    bucket.delete(key)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == left


def test_a_delete_leaves_a_folder_that_is_not_empty(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    for name in ("one", "two"):
        bucket.put(f"a/b/c/{name}", b"x")
    bucket.delete("a/b/c/one")
    assert bucket.get("a/b/c/two", LIMIT) == b"x"


def test_a_delete_of_a_key_that_was_moved_away_removes_its_emptied_folder(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    bucket.put("a/b/c/file", b"x")
    bucket.move("a/b/c/file", "file")
    bucket.delete("a/b/c/file")
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("use", EVERY_USE_OF_A_KEY.values(), ids=EVERY_USE_OF_A_KEY)
@pytest.mark.parametrize("key", BAD_KEYS)
def test_no_method_takes_a_bad_key(bucket: Bucket, use: Callable[[Bucket, str], object], key: str) -> None:
    with pytest.raises(InvalidKey, match="is not a key"):
        use(bucket, key)


@pytest.mark.parametrize("recursive", [True, False])
@pytest.mark.parametrize("prefix", BAD_PREFIXES)
def test_list_takes_no_bad_prefix(bucket: Bucket, prefix: str, recursive: bool) -> None:
    with pytest.raises(InvalidKey):
        bucket.list(prefix, recursive=recursive)


def require_round_trip(bucket: Bucket, key: str) -> None:
    assert bucket.create(key, key.encode()) is True
    assert bucket.get(key, 4 * LIMIT) == key.encode()
    assert bucket.list(recursive=True) == [key]


@pytest.mark.parametrize("key", UNUSUAL_KEYS)
def test_unusual_keys_are_kept_to_the_letter(bucket: Bucket, key: str, request: pytest.FixtureRequest) -> None:
    if "seaweed" in request.node.name and "\\" in key:
        pytest.skip("SeaweedFS keeps a backslash as a slash")
    require_round_trip(bucket, key)


@pytest.mark.parametrize("open_kind", KINDS.values(), ids=KINDS)
@settings(max_examples=40, deadline=None)
@given(key=valid_keys)
def test_any_valid_key_is_kept_to_the_letter(
    open_kind: Callable[[Path], Bucket], tmp_path_factory: pytest.TempPathFactory, key: str
) -> None:
    require_round_trip(open_kind(tmp_path_factory.mktemp("bucket")), key)


@pytest.mark.parametrize("keys", [("é", "e\u0301"), ("a", "a "), ("가", "\u1100\u1161")], ids=ascii)
def test_keys_that_look_alike_stay_apart(bucket: Bucket, keys: tuple[str, str]) -> None:
    assert [bucket.create(key, key.encode()) for key in keys] == [True, True]
    assert [bucket.get(key, LIMIT) for key in keys] == [key.encode() for key in keys]
