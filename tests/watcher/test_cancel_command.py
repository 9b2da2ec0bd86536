from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from store.errors import Cancelled, InvalidField, NodeFailed, NotUtf8, ServiceError, SettingsInvalid
from store.folder import FolderBucket
from store.outbox import Outbox
from tests.clock import FakeClock
from tests.store.samples import bare_manifest
from watcher.claim import Claim
from watcher.cli import app
from watcher.report import Reporter


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("inbox", "outbox"):
        (tmp_path / name).mkdir()
    return tmp_path


def cancel(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["cancel", *arguments])


def decide(places: Path, identifier: str, status: str) -> None:
    Outbox(FolderBucket(places / "outbox")).publish(bare_manifest(id=identifier, status=status))


def test_a_cancel_is_an_empty_file_in_the_inbox(places: Path) -> None:
    result = cancel("a", "b.c", "딸기")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "a: asked to cancel",
        "b.c: asked to cancel",
        "n-d0bddce5152373f4: asked to cancel",
    ]
    assert {path.name: path.read_bytes() for path in (places / "inbox").iterdir()} == {
        "a.cancel": b"",
        "b.c.cancel": b"",
        "딸기.cancel": b"",
    }


def test_a_request_with_a_result_is_told_and_the_others_are_cancelled(places: Path) -> None:
    decide(places, "a", "succeeded")
    result = cancel("a", "b")
    assert result.exit_code == 1
    assert "a: has a result already: succeeded" in result.stderr
    assert [path.name for path in (places / "inbox").iterdir()] == ["b.cancel"]


@pytest.mark.parametrize(("status", "code"), [("cancelled", 0), ("succeeded", 1)])
def test_waiting_ends_with_the_status_of_the_manifest(
    places: Path, monkeypatch: pytest.MonkeyPatch, status: str, code: int
) -> None:
    monkeypatch.setattr("watcher.commands.cancel.time.sleep", lambda seconds: decide(places, "a", status))
    result = cancel("a", "--wait")
    assert result.stdout.splitlines()[-1] == f"a: {status}"
    assert result.exit_code == code


def test_waiting_gives_up_when_the_time_is_over(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watcher.commands.cancel.time.sleep", lambda seconds: None)
    result = cancel("a", "--wait", "--timeout", "1")
    assert result.exit_code == 3
    assert "no result yet" in result.stderr


@pytest.mark.parametrize("identifier", ["", ".a", "../a", "a/b"])
def test_what_cannot_be_the_name_of_a_request_is_refused(places: Path, identifier: str) -> None:
    result = cancel("fine", identifier)
    assert isinstance(result.exception, InvalidField)
    assert list((places / "inbox").iterdir()) == []


def test_a_missing_inbox_is_an_error_and_is_not_made(places: Path) -> None:
    (places / "inbox").rmdir()
    assert isinstance(cancel("a").exception, SettingsInvalid)
    assert not (places / "inbox").exists()


@pytest.mark.parametrize(
    ("error", "status"), [(Cancelled(), "cancelled"), (NotUtf8(), "rejected"), (NodeFailed(), "failed")]
)
def test_the_manifest_says_how_a_request_ended(error: ServiceError, status: str) -> None:
    claim = Claim(name="a.json", id="a", attempt=1, queued=0.0)
    manifest = Reporter("w", {}, FakeClock()).ended(claim, error, (), 1.0)
    assert manifest.status == status
    assert manifest.error is not None
    assert manifest.error.code == error.code
