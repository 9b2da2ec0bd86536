import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from store.digest import Digest
from store.folder import FolderBucket
from store.outbox import Outbox
from tests.store.samples import bare_manifest
from watcher.cli import app

QUARANTINE = ".imagegen/quarantine/{}.00000000/{}.json"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A failed request, a rejected one, other bytes under the first one's id, and a cancelled one."""
    monkeypatch.chdir(tmp_path)
    for name in ("inbox", "outbox"):
        (tmp_path / name).mkdir()
    inbox, outbox = FolderBucket(tmp_path / "inbox"), Outbox(FolderBucket(tmp_path / "outbox"))
    for identifier, status in (("cake", "failed"), ("bad", "rejected"), ("late", "cancelled")):
        where = QUARANTINE if status != "cancelled" else QUARANTINE.replace("quarantine", "archive")
        inbox.put(where.format(identifier, identifier), identifier.encode())
        outbox.publish(bare_manifest(id=identifier, status=status))
    inbox.put(".imagegen/quarantine/cake.11111111/cake.json", b"other bytes")
    outbox.publish_conflict(bare_manifest(id="cake", status="rejected"), Digest.of(b"other bytes"))
    inbox.put(".imagegen/quarantine/lone.00000000/lone.json", b"its manifest was pruned")
    return tmp_path


def redrive(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["redrive", *arguments])


def came_back(places: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (places / "inbox").glob("*.json")}


def test_all_takes_the_failed_ones_only(places: Path) -> None:
    result = redrive("--all")
    assert (result.exit_code, result.stdout) == (0, "cake -> cake.r1\n")
    assert came_back(places) == {"cake.r1.json": b"cake"}


def test_all_with_rejected_takes_the_rejected_ones_too(places: Path) -> None:
    result = redrive("--all", "--rejected")
    assert result.stdout.splitlines() == ["bad -> bad.r1", "cake -> cake.r1", "cake -> cake.r2"]
    assert came_back(places) == {"bad.r1.json": b"bad", "cake.r1.json": b"cake", "cake.r2.json": b"other bytes"}


def test_an_id_takes_everything_under_it(places: Path) -> None:
    result = redrive("cake", "late", "lone", "cake")
    assert result.exit_code == 0
    assert sorted(result.stdout.splitlines()) == [
        "cake -> cake.r1",
        "cake -> cake.r2",
        "late -> late.r1",
        "lone -> lone.r1",
    ]
    assert len(came_back(places)) == 4


def test_what_is_not_there_is_named_and_the_rest_is_done(places: Path) -> None:
    result = redrive("bad", "unknown", "cake.r1")
    assert result.exit_code == 1
    assert result.stdout == "bad -> bad.r1\n"
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == ["unknown", "cake.r1"]


def test_json_is_one_list_and_nothing_else(places: Path) -> None:
    result = redrive("bad", "unknown", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == [
        {"old": "bad", "new": "bad.r1", "problem": None},
        {"old": "unknown", "new": None, "problem": "no such request lies in quarantine"},
    ]


def test_nothing_to_redrive_is_no_error(places: Path) -> None:
    redrive("--all")
    result = redrive("--all")
    assert (result.exit_code, result.stdout) == (0, "")
