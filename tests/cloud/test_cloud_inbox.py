"""Inbox and outbox in S3, or one of them: requests, references and commands behave as in folders."""

import hashlib
import json
import threading
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from store.errors import SettingsInvalid, StoreUnavailable
from store.location import open_bucket
from store.manifest import ResultManifest
from store.outbox import Outbox
from tests.chaos.diary import Diary
from tests.chaos.studio import SleepingStudio
from tests.cloud.buckets import s3_bucket
from tests.cloud.proxy import Proxy, ignores_conditions
from tests.cloud.servers import Address
from tests.watcher.house import picture
from watcher.cli import app
from watcher.conditions import require_conditions
from watcher.doctor import examine
from watcher.hall import Hall, configured_styles
from watcher.names import request_id
from watcher.settings import Settings, load_settings

SMALL: dict[str, Any] = {"prompt": "딸기 케이크", "style": "anime", "width": 64, "height": 64, "steps": 2}


class Ground:
    """An inbox and an outbox somewhere, and a worker that sleeps instead of drawing."""

    def __init__(self, inbox: str, outbox: str, folder: Path) -> None:
        self.inbox, self.outbox, self.folder = inbox, outbox, folder
        self.incoming = open_bucket(inbox, make=True, s3=load_settings().s3)
        self.outgoing = open_bucket(outbox, make=True, s3=load_settings().s3)

    def settings(self, **more: Any) -> Settings:
        return load_settings(inbox=self.inbox, outbox=self.outbox, **more)

    def hall(self, **more: Any) -> Hall:
        return Hall(self.settings(**more), self._open_studio)

    def drain(self, **more: Any) -> list[str]:
        """Draw what can be drawn; the names that stay."""
        hall = self.hall(**more)
        return [pending.name for pending in hall.lanes.drain().pending]

    def drop(self, identifier: str, **fields: Any) -> None:
        self.incoming.put(f"{identifier}.json", json.dumps(SMALL | fields).encode())

    def result(self, identifier: str) -> ResultManifest:
        return Outbox(self.outgoing).result(identifier)

    def command(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--inbox", self.inbox, "--outbox", self.outbox])

    def _open_studio(self, settings: Settings) -> SleepingStudio:
        return SleepingStudio(settings.drawing, configured_styles(settings), Diary(self.folder / "diary"), 0.06)


@pytest.fixture(params=[pytest.param("seaweed", marks=pytest.mark.long), "ministack"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Address:
    address: Address = request.getfixturevalue(request.param)
    for name, value in address.environment().items():
        monkeypatch.setenv(name, value)
    return address


@pytest.fixture
def ground(server: Address, tmp_path: Path) -> Ground:
    root = s3_bucket(server).address
    return Ground(f"{root}inbox", f"{root}outbox", tmp_path)


@pytest.fixture
def ministack_ground(ministack: Address, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ground:
    # SeaweedFS takes only 255 bytes between two slashes
    for name, value in ministack.environment().items():
        monkeypatch.setenv(name, value)
    root = s3_bucket(ministack).address
    return Ground(f"{root}inbox", f"{root}outbox", tmp_path)


@pytest.fixture(params=["folder to S3", "S3 to folder"])
def mixed(request: pytest.FixtureRequest, server: Address, tmp_path: Path) -> Ground:
    root = s3_bucket(server).address
    if request.param == "folder to S3":
        return Ground(str(tmp_path / "inbox"), f"{root}outbox", tmp_path)
    return Ground(f"{root}inbox", str(tmp_path / "outbox"), tmp_path)


def require_whole(ground: Ground, identifier: str) -> None:
    manifest = ground.result(identifier)
    assert manifest.status == "succeeded"
    for image in manifest.images:
        data = ground.outgoing.get(image.path, 10_000_000)
        assert hashlib.sha256(data).hexdigest() == image.sha256
        assert image.sha256 in image.path


def test_a_request_becomes_pictures_and_one_manifest_and_nothing_is_left_behind(ground: Ground) -> None:
    ground.drop("cake", num_images=2, seed=4)
    assert ground.drain() == []
    require_whole(ground, "cake")
    assert ground.incoming.list(recursive=True) == []
    assert ground.outgoing.list("progress/") == []
    state = open_bucket(f"{ground.inbox}.imagegen", s3=ground.settings().s3)
    assert [key.rpartition("/")[2] for key in state.list(recursive=True)] == ["cake.json"]


def test_the_state_of_an_inbox_lies_outside_of_what_is_announced(ground: Ground) -> None:
    ground.drop("cake")
    seen: set[str] = set()
    hall = ground.hall()
    hall.lanes.drain()
    seen.update(ground.incoming.list(recursive=True))
    assert seen == set()


@pytest.mark.parametrize("case", ["mixed"])
def test_one_of_the_two_may_be_a_folder(mixed: Ground, case: str) -> None:
    mixed.drop("cake", seed=4)
    assert mixed.drain() == []
    require_whole(mixed, "cake")


def test_a_reference_may_come_late_and_a_shared_one_stays(ground: Ground) -> None:
    for identifier in ("one", "two"):
        ground.drop(identifier, reference_image={"name": "함께.png", "sha256": hashlib.sha256(picture()).hexdigest()})
    assert sorted(ground.drain()) == ["one.json", "two.json"]
    ground.incoming.put("함께.png", picture())
    assert ground.drain() == []
    assert [ground.result(identifier).branch for identifier in ("one", "two")] == ["image2image"] * 2
    assert ground.incoming.list() == ["함께.png"]


def test_a_reference_that_never_comes_rejects_its_request(ground: Ground) -> None:
    ground.drop("cake", reference_image="nowhere.png")
    assert ground.drain(reference_seconds="0") == []
    error = ground.result("cake").error
    assert error is not None
    assert (error.code, error.field) == ("reference_missing", "reference_image")


def test_a_reference_outside_of_the_inbox_cannot_be_named(ground: Ground) -> None:
    ground.drop("cake", reference_image="../outbox/secret.png")
    assert ground.drain() == []
    error = ground.result("cake").error
    assert error is not None
    assert error.code == "invalid_field"


def test_another_file_than_the_request_describes_is_refused(ground: Ground) -> None:
    ground.incoming.put("cake.png", picture("blue"))
    ground.drop("cake", reference_image={"name": "cake.png", "sha256": hashlib.sha256(b"other").hexdigest()})
    assert ground.drain() == ["cake.json"]
    hall = ground.hall(settle_seconds="1")
    with _Served(hall):
        _wait_for(lambda: ground.outgoing.head("results/cake.json") is not None)
    error = ground.result("cake").error
    assert error is not None
    assert error.code == "reference_mismatch"


def test_a_reference_that_is_too_large_is_not_even_read(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEGEN_DRAWING__LIMITS__MAX_REFERENCE_BYTES", "2048")
    ground.incoming.put("cake.png", b"x" * 4096)
    ground.drop("cake", reference_image="cake.png")
    assert ground.drain() == []
    error = ground.result("cake").error
    assert error is not None
    assert error.code == "reference_too_large"


def test_a_reference_whose_name_came_decomposed_is_found(ground: Ground) -> None:
    ground.incoming.put(unicodedata.normalize("NFD", "딸기.png"), picture())
    named = {"name": unicodedata.normalize("NFC", "딸기.png"), "sha256": hashlib.sha256(picture()).hexdigest()}
    ground.drop("cake", reference_image=named)
    assert ground.drain() == []
    assert ground.result("cake").branch == "image2image"


@pytest.mark.parametrize(("steps", "where"), [(2, "archive/"), (0, "quarantine/")])
def test_a_name_that_fills_what_s3_takes_is_settled_like_any_other(
    ministack_ground: Ground, steps: int, where: str
) -> None:
    ground = ministack_ground
    _, _, prefix = ground.inbox.removeprefix("s3://").partition("/")
    stem = "x" * (1024 - len(f"{prefix}/.json"))
    ground.drop(stem, steps=steps)
    identifier = request_id(f"{stem}.json")
    assert ground.drain() == []
    assert ground.result(identifier).status == ("succeeded" if steps else "rejected")
    assert ground.incoming.list() == []
    state = open_bucket(f"{ground.inbox}.imagegen", s3=ground.settings().s3)
    assert [key.rpartition("/")[2] for key in state.list(where, recursive=True)] == [f"{identifier}.json"]


def test_a_submit_that_waits_shows_where_the_pictures_lie(ground: Ground) -> None:
    with _Served(ground.hall(scan_seconds="1")):
        submitted = ground.command("submit", "딸기", "--id", "cake", "--wait", "--timeout", "90")
    assert submitted.exit_code == 0, submitted.output
    path = ground.result("cake").images[0].path
    assert f"{ground.outbox}/{path}" in submitted.output.replace("\n", "")


@pytest.mark.long
def test_the_doctor_tries_conditional_writes_and_leaves_nothing(ground: Ground) -> None:
    found = {finding.subject: finding for finding in examine(ground.settings())}
    assert [found[subject].well for subject in ("places", "inbox", "outbox")] == [True, True, True]
    assert "conditional writes" in found["inbox"].found
    assert ground.incoming.list(recursive=True) == ground.outgoing.list(recursive=True) == []


def test_a_bucket_that_is_not_there_is_told_at_the_start(server: Address) -> None:
    s3_bucket(server)
    settings = load_settings(inbox="s3://nowhere-at-all/inbox", outbox="s3://pictures/outbox")
    with pytest.raises(StoreUnavailable, match="'nowhere-at-all' is not there; create it"):
        require_conditions(settings, workers=1)


def test_the_commands_speak_of_s3_as_of_folders(ground: Ground, tmp_path: Path) -> None:
    reference = tmp_path / "sketch.png"
    reference.write_bytes(picture())
    submitted = ground.command("submit", "딸기", "--id", "cake", "--reference", str(reference))
    assert submitted.exit_code == 0, submitted.output
    ground.drop("bad", steps=0)
    waiting = json.loads(ground.command("status", "--json").stdout)
    assert waiting["counts"]["pending"] == 2
    assert ground.drain() == []
    assert ground.result("cake").branch == "image2image"
    verified = CliRunner().invoke(app, ["verify", ground.outbox])
    assert (verified.exit_code, "0 faults" in verified.output) == (0, True)
    redriven = ground.command("redrive", "bad")
    assert redriven.stdout == "bad -> bad.r1\n"
    assert ground.drain() == []
    assert ground.result("bad.r1").redrive_of == "bad"
    pruned = ground.command("prune", "--older-than", "0h", "--json")
    assert pruned.exit_code == 0, pruned.output
    state = open_bucket(f"{ground.inbox}.imagegen", s3=ground.settings().s3)
    assert state.list("archive/", recursive=True) == []


def test_a_cancel_ends_a_drawing_that_is_under_way(ground: Ground) -> None:
    ground.drop("long", steps=150, num_images=8)
    hall = ground.hall()
    with _Served(hall):
        _wait_for(lambda: ground.outgoing.head("progress/long.json") is not None)
        assert ground.command("cancel", "long").exit_code == 0
        _wait_for(lambda: ground.outgoing.head("results/long.json") is not None)
    assert ground.result("long").status == "cancelled"


def test_a_damaged_picture_is_found(ground: Ground) -> None:
    ground.drop("cake")
    ground.drain()
    path = ground.result("cake").images[0].path
    ground.outgoing.put(path, b"damaged")
    verified = CliRunner().invoke(app, ["verify", ground.outbox])
    assert verified.exit_code == 1
    assert path in verified.output.replace("\n", "")


def test_inbox_and_outbox_must_lie_apart_in_one_bucket(server: Address) -> None:
    for inbox, outbox in [
        ("s3://b12/x", "s3://b12/x"),
        ("s3://b12/x", "s3://b12/x/out"),
        ("s3://b12/x", "s3://b12/x.imagegen/out"),
        ("s3://b12", "s3://b12/out"),
    ]:
        with pytest.raises(SettingsInvalid, match="must not lie within"):
            Hall(load_settings(inbox=inbox, outbox=outbox))


def test_several_workers_are_refused_where_conditions_are_ignored_and_one_is_warned(
    ministack: Address, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    root = s3_bucket(ministack).address
    with Proxy(ministack).running() as proxy:
        proxy.always = ignores_conditions
        for name, value in proxy.address.environment().items():
            monkeypatch.setenv(name, value)
        settings = load_settings(inbox=f"{root}inbox", outbox=f"{root}outbox")
        with pytest.raises(SettingsInvalid, match="ignores conditional writes"):
            require_conditions(settings, workers=2)
        require_conditions(settings, workers=1)
    assert "no second worker may ever work on it" in caplog.text


def test_a_request_costs_few_calls(ministack: Address, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with Proxy(ministack).running() as proxy:
        for name, value in proxy.address.environment().items():
            monkeypatch.setenv(name, value)
        root = s3_bucket(proxy.address).address
        ground = Ground(f"{root}inbox", f"{root}outbox", tmp_path)
        ground.drop("cake")
        proxy.seen.clear()
        ground.drain()
        written = [asked for asked in proxy.seen if asked.method == "PUT"]
        listed = [asked for asked in proxy.seen if "list-type=2" in asked.path]
    # claim, picture, manifest, archive, and what shows progress
    assert len(written) <= 12
    assert len(listed) <= 10
    assert len(proxy.seen) <= 70


def _wait_for(condition: Any) -> None:
    finished = threading.Event()
    for _ in range(1200):
        if condition():
            return
        finished.wait(0.05)
    raise AssertionError("it did not come to pass")


class _Served:
    """Serves in a thread for as long as the block runs."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._hall.stop()
        self._thread.join()

    def _serve(self) -> None:
        with self._hall.lanes.open():
            self._hall.lanes.serve()
