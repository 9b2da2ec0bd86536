import logging
import os
from pathlib import Path

import pytest

from store.errors import KeyNotFound
from watcher.fleet.health import STALE_SECONDS, judge
from watcher.fleet.heartbeat import SIZE, Heartbeat, HeartbeatFile, Vitals, heartbeat_path
from watcher.settings import Settings
from watcher.worker import Worker

NOW = 5000.0
ME = Worker.this_process()
WELL = Vitals(pid=4711, state="running", heard=0.5, in_hand=2, silence=3.0)


def heartbeat(*workers: Vitals, writer: Worker = ME, problem: str | None = None) -> Heartbeat:
    return Heartbeat.of(writer, NOW, Settings(), workers, problem)


def vitals(**changes: object) -> Vitals:
    return WELL.model_copy(update=changes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "service.json"


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.getLogger("imagegen"), "propagate", True)
    return caplog


def test_what_is_written_is_read_again(path: Path) -> None:
    file = HeartbeatFile(path)
    file.write(heartbeat(WELL, problem="the disk is low"))
    assert file.read() == heartbeat(WELL, problem="the disk is low")


def test_a_shorter_heartbeat_leaves_nothing_of_a_longer_one(path: Path) -> None:
    file = HeartbeatFile(path)
    file.write(heartbeat(*[WELL] * 16))
    inode = path.stat().st_ino
    file.write(heartbeat(WELL))
    assert file.read() == heartbeat(WELL)
    assert (path.stat().st_size, path.stat().st_ino) == (SIZE, inode)


def test_sixteen_workers_and_the_longest_problem_fit(path: Path) -> None:
    worst = Vitals(pid=2**22, state="starting", restarts=10**6, heard=10**7 + 0.5, in_hand=64, silence=10**7 + 0.5)
    writer = ME.model_copy(update={"name": "h" * 64 + "-4194304-abcd", "host": "h" * 64})
    file = HeartbeatFile(path)
    file.write(heartbeat(*[worst] * 16, writer=writer, problem="디" * 10_000))
    assert path.stat().st_size == SIZE
    assert len(file.read().workers) == 16


def test_a_file_that_was_swept_away_comes_back(path: Path) -> None:
    file = HeartbeatFile(path)
    file.write(heartbeat(WELL))
    path.unlink()
    path.parent.rmdir()
    file.write(heartbeat(WELL))
    assert file.read() == heartbeat(WELL)


def test_a_link_is_not_followed(path: Path, tmp_path: Path, warnings: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path.symlink_to(victim)
    HeartbeatFile(path).write(heartbeat(WELL))
    assert victim.read_text() == "precious"
    assert "cannot be written" in warnings.text


def test_a_pipe_under_the_name_blocks_nobody(path: Path, warnings: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    os.mkfifo(path)
    HeartbeatFile(path).write(heartbeat(WELL))
    with pytest.raises(KeyNotFound):
        HeartbeatFile(path).read()
    assert "cannot be written" in warnings.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_that_somebody_else_made_first_is_not_used(path: Path, warnings: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    os.chown(path.parent, 12345, 12345)
    HeartbeatFile(path).write(heartbeat(WELL))
    assert not path.exists()
    assert "belongs to user 12345" in warnings.text


def test_a_failure_is_logged_once_and_passes(path: Path, warnings: pytest.LogCaptureFixture) -> None:
    file = HeartbeatFile(path)
    path.parent.write_text("in the way")
    file.write(heartbeat(WELL))
    file.write(heartbeat(WELL))
    assert [record.__dict__["action"] for record in warnings.records] == ["heartbeat_failed"]
    path.parent.unlink()
    file.write(heartbeat(WELL))
    assert file.read() == heartbeat(WELL)


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": "0.0.1"}', b"\xff" * SIZE])
def test_what_is_no_heartbeat_is_said_to_be_none(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(KeyNotFound, match="holds no heartbeat of this version"):
        HeartbeatFile(path).read()


def test_a_missing_file_is_said_to_be_missing(path: Path) -> None:
    with pytest.raises(KeyNotFound, match="there is no heartbeat at"):
        HeartbeatFile(path).read()


def test_each_pair_of_inbox_and_outbox_has_its_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def named(inbox: str, outbox: str) -> Path:
        return heartbeat_path(Settings(inbox=inbox, outbox=outbox, run_dir=tmp_path))

    assert named("inbox", "outbox") == named(f"{tmp_path}/inbox/", f"{tmp_path}/x/../outbox")
    assert named("s3://bucket/in/", "outbox") == named("s3://bucket/in", "outbox")
    others = {named("inbox", "outbox"), named("inbox", "outbox2"), named("inbox2", "outbox"), named("outbox", "inbox")}
    assert len(others) == 4


def test_the_file_lies_where_a_probe_of_the_same_user_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.delenv("IMAGEGEN_RUN_DIR", raising=False)
    assert Settings().run_dir == Path(f"/tmp/imagegen-{os.geteuid()}")


def test_a_fresh_heartbeat_with_a_worker_is_healthy() -> None:
    verdict = judge(heartbeat(WELL, vitals(pid=None, state="waiting", in_hand=0)), ME, NOW + 1)
    assert verdict.healthy
    assert verdict.reason == "1 of 2 workers live, 2 requests in hand"


def test_a_problem_is_told_and_does_not_make_it_ill() -> None:
    verdict = judge(heartbeat(WELL, problem="the disk is low"), ME, NOW)
    assert verdict.healthy
    assert verdict.reason.endswith("; the disk is low")


def test_a_worker_that_still_loads_is_healthy() -> None:
    assert judge(heartbeat(vitals(state="starting", heard=50.0)), ME, NOW).healthy


@pytest.mark.parametrize(
    ("workers", "seconds", "reason"),
    [
        ([WELL], STALE_SECONDS + 1, "gave its last heartbeat 16 s ago"),
        ([], 1.0, "no worker lives"),
        ([vitals(pid=None, state="waiting")], 1.0, "no worker lives"),
        ([vitals(state="killed")], 1.0, "no worker lives"),
        ([WELL, vitals(heard=61.0)], 0.0, "worker 4711 was last heard 61 s ago, 60 are allowed"),
        ([WELL, vitals(heard=50.0)], 11.0, "worker 4711 was last heard 50 s ago"),
        ([WELL, vitals(silence=301.0)], 0.0, "worker 4711 has drawn nothing for 301 s, 300 are allowed"),
    ],
)
def test_what_is_wrong_is_told(workers: list[Vitals], seconds: float, reason: str) -> None:
    verdict = judge(heartbeat(*workers), ME, NOW + seconds)
    assert not verdict.healthy
    assert reason in verdict.reason


def test_a_writer_that_has_ended_is_told_however_fresh_its_heartbeat_is() -> None:
    dead = ME.model_copy(update={"started": ME.started - 1000})
    verdict = judge(heartbeat(WELL, writer=dead), ME, NOW)
    assert not verdict.healthy
    assert "has ended; start `imagegen run`" in verdict.reason


def test_a_heartbeat_from_before_a_restart_of_the_machine_does_not_count() -> None:
    elsewhere = ME.model_copy(update={"boot": "another"})
    verdict = judge(heartbeat(WELL, writer=elsewhere), ME, NOW)
    assert not verdict.healthy
    assert "the machine was restarted" in verdict.reason
