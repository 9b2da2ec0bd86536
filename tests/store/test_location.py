"""A place named by the user becomes a bucket, or a sentence that says why not."""

from pathlib import Path

import pytest

from store.bucket import Bucket
from store.errors import SettingsInvalid
from store.folder import FolderBucket
from store.location import open_bucket, s3_place


def root_of(bucket: Bucket) -> Path:
    assert isinstance(bucket, FolderBucket)
    return bucket.root


def test_a_folder_is_opened_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    assert open_bucket(str(tmp_path)).get("a", 10) == b"x"


def test_a_missing_folder_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="is not a folder"):
        open_bucket(str(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_a_missing_folder_is_made_when_asked_for(tmp_path: Path) -> None:
    bucket = open_bucket(str(tmp_path / "new" / "outbox"), make=True)
    assert bucket.create("a", b"x") is True
    assert (tmp_path / "new" / "outbox" / "a").read_bytes() == b"x"


def test_making_a_folder_that_is_there_keeps_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    assert open_bucket(str(tmp_path), make=True).list() == ["a"]


@pytest.mark.parametrize("make", [True, False])
@pytest.mark.parametrize("below", ["file", "file/below"])
def test_a_file_is_not_a_place(tmp_path: Path, below: str, make: bool) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(SettingsInvalid, match="file"):
        open_bucket(str(tmp_path / below), make=make)
    assert (tmp_path / "file").read_bytes() == b"x"


@pytest.mark.parametrize("location", ["gs://bucket/prefix", "https://example.org/outbox"])
@pytest.mark.parametrize("make", [True, False])
def test_an_unknown_kind_of_place_is_refused_and_no_folder_is_made_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str, make: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsInvalid, match="not supported"):
        open_bucket(location, make=make)
    assert list(tmp_path.iterdir()) == []


def test_the_home_folder_may_be_written_as_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert root_of(open_bucket("~")) == tmp_path.resolve()


def test_a_relative_place_stays_where_it_was_when_the_program_moves_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outbox").mkdir()
    monkeypatch.chdir(tmp_path)
    bucket = open_bucket("outbox")
    monkeypatch.chdir("/")
    bucket.put("a", b"x")
    assert (tmp_path / "outbox" / "a").read_bytes() == b"x"


def test_the_place_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert root_of(open_bucket(str(tmp_path / "link"))) == (tmp_path / "real").resolve()


def test_a_prefix_that_leaves_no_room_for_names_below_it_is_refused() -> None:
    assert s3_place("s3://pictures/" + "x" * 499) is not None
    with pytest.raises(SettingsInvalid, match="at most 500 leave room"):
        s3_place("s3://pictures/" + "딸" * 167)
