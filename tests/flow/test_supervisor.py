"""Real processes, killed and stopped for real."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.flow.program import SECONDS, Running, environment, imagegen, is_drawing, until

NEEDS_PROC = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads /proc")

# a drawing that never ends, the first time; its process goes on giving signs of life
HANGS_ONCE = """
import pathlib, threading
from pipeline.nodes.base import BaseNode, Done

class HangsOnce(BaseNode):
    name, needs, makes = "hangs", ("pictures",), ("pictures",)

    def run(self, state, progress):
        hung = pathlib.Path("hung")
        if not hung.exists():
            hung.touch()
            threading.Event().wait()
        return Done(state=state)
"""


def record(folder: Path, cache: Path) -> dict:
    """What `imagegen health --json` says, without starting Python again for each look."""
    for path in (cache / "run").glob("*.json"):
        heartbeat = json.loads(path.read_text() or "{}")
        if heartbeat.get("writer", {}).get("pid") == supervisor_pid(folder):
            return heartbeat
    return {"workers": []}


def supervisor_pid(folder: Path) -> int:
    return int((folder / "supervisor.pid").read_text())


@contextmanager
def supervised(folder: Path, cache: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`imagegen run --workers` in the background; leaving the block kills it and all its workers."""
    with Running(folder, cache, *arguments) as process:
        (folder / "supervisor.pid").write_text(str(process.pid))
        workers: list[psutil.Process] = []
        try:
            yield process
        finally:
            workers = children(psutil.Process(process.pid)) if process.poll() is None else []
            process.kill()
            for worker in workers:
                end(worker)


def running(folder: Path, cache: Path) -> list[int]:
    return [worker["pid"] for worker in record(folder, cache)["workers"] if worker["state"] == "running"]


def drop(folder: Path, name: str, **fields: object) -> None:
    document = {"prompt": "고양이", "width": 64, "height": 64, "steps": 1, **fields}
    temporary = folder / "inbox" / f".{name}.tmp"
    temporary.write_text(json.dumps(document, ensure_ascii=False))
    temporary.rename(folder / "inbox" / name)


def actions(ended: subprocess.Popen[str]) -> list[str]:
    """What the log of a process that has ended tells, line by line."""
    assert ended.stderr is not None
    return [json.loads(line)["action"] for line in ended.stderr]


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def children(supervisor: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return supervisor.children()
    return []


def end(worker: psutil.Process) -> None:
    """Kill a process that may end by itself at any moment."""
    with suppress(psutil.NoSuchProcess):
        worker.kill()


def test_a_killed_worker_is_replaced_and_a_signal_ends_all(folder: Path, builtin_cache: Path) -> None:
    with supervised(folder, builtin_cache, "--workers", "1") as process:
        until(lambda: running(folder, builtin_cache))
        (first,) = running(folder, builtin_cache)
        assert psutil.Process(first).ppid() == process.pid
        assert imagegen("health", folder=folder, cache=builtin_cache).returncode == 0
        os.kill(first, signal.SIGKILL)
        until(lambda: running(folder, builtin_cache) not in ([], [first]))
        (second,) = running(folder, builtin_cache)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
        assert is_gone(second)
        assert actions(process).count("worker_started") == 2
    ill = imagegen("health", folder=folder, cache=builtin_cache)
    assert ill.returncode == 1
    assert f"process {process.pid} has ended" in ill.stdout


@pytest.mark.long
def test_a_frozen_worker_is_killed_and_replaced(folder: Path, builtin_cache: Path) -> None:
    (folder / "imagegen.toml").write_text("heartbeat_seconds = 5\n")
    with supervised(folder, builtin_cache, "--workers", "1") as process:
        until(lambda: running(folder, builtin_cache))
        (frozen,) = running(folder, builtin_cache)
        os.kill(frozen, signal.SIGSTOP)
        until(lambda: running(folder, builtin_cache) not in ([], [frozen]))
        assert is_gone(frozen)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
        assert actions(process).count("worker_killed") == 1


@pytest.mark.long
@NEEDS_PROC
def test_workers_that_lose_their_supervisor_end_by_themselves(folder: Path, builtin_cache: Path) -> None:
    with supervised(folder, builtin_cache, "--workers", "1") as process:
        until(lambda: running(folder, builtin_cache))
        (worker,) = running(folder, builtin_cache)
        assert "libtorch" not in Path(f"/proc/{process.pid}/maps").read_text()
        process.kill()
        until(lambda: is_gone(worker))


def test_a_configuration_that_cannot_be_used_ends_all_at_once(folder: Path, builtin_cache: Path) -> None:
    (folder / "models").mkdir()
    arguments = ("run", "--workers", "1", "--models", "models")
    process = imagegen(*arguments, folder=folder, cache=builtin_cache)
    assert process.returncode == 2
    assert "checkpoint_missing" in process.stderr
    assert process.stderr.count('"worker_started"') == 1
    assert '"gave_up"' in process.stderr


def test_once_and_workers_do_not_go_together(folder: Path, builtin_cache: Path) -> None:
    process = imagegen("run", "--once", "--workers", "2", folder=folder, cache=builtin_cache)
    assert process.returncode == 2
    assert "--once ends with one worker" in process.stderr


def test_health_without_a_service_says_so(folder: Path, builtin_cache: Path) -> None:
    process = imagegen("health", "--json", folder=folder, cache=builtin_cache)
    assert process.returncode == 1
    said = json.loads(process.stdout)
    assert (said["healthy"], said["heartbeat"]) == (False, None)
    assert "is `imagegen run` up on this inbox and outbox?" in said["reason"]


def test_health_never_answers_with_the_code_that_docker_reserves(folder: Path, builtin_cache: Path) -> None:
    process = imagegen("health", "--config", "missing.toml", folder=folder, cache=builtin_cache)
    assert process.returncode == 1
    assert "missing.toml does not exist" in process.stdout


def test_health_needs_no_torch(folder: Path, builtin_cache: Path) -> None:
    script = (
        "import sys; sys.argv = ['imagegen', 'health']\n"
        "from watcher.cli import app\n"
        "app(standalone_mode=False)\n"
        "sys.exit('torch' in sys.modules)"
    )
    process = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment(builtin_cache), capture_output=True, check=False
    )
    assert process.returncode == 0, process.stderr


@pytest.mark.long
def test_a_worker_without_supervisor_writes_its_own_heartbeat(folder: Path, builtin_cache: Path) -> None:
    with Running(folder, builtin_cache) as process:
        (folder / "supervisor.pid").write_text(str(process.pid))
        until(lambda: running(folder, builtin_cache) == [process.pid])
        well = imagegen("health", folder=folder, cache=builtin_cache)
    assert well.returncode == 0
    assert well.stdout == "healthy: 1 of 1 workers live, 0 requests in hand\n"


@pytest.mark.long
def test_a_worker_whose_drawing_hangs_is_killed_and_the_request_drawn_by_the_next(
    folder: Path, builtin_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = folder / "plugin" / "hangs-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: hangs\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[imagegen.nodes]\nhangs = hangs:HangsOnce\n")
    (folder / "plugin" / "hangs.py").write_text(HANGS_ONCE)
    monkeypatch.setenv("PYTHONPATH", str(folder / "plugin"), prepend=os.pathsep)
    (folder / "imagegen.toml").write_text('stall_seconds = 10\n[drawing]\nextra_nodes = ["hangs after text2image"]\n')
    drop(folder, "a.json")
    with supervised(folder, builtin_cache, "--workers", "1") as process:
        result = folder / "outbox" / "results" / "a.json"
        until(result.is_file)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
        assert actions(process).count("worker_killed") == 1
    drawn = json.loads(result.read_text())
    assert (drawn["status"], drawn["attempt"]) == ("succeeded", 2)


@pytest.mark.long
def test_two_workers_share_an_inbox_and_one_that_is_killed_loses_nothing(folder: Path, builtin_cache: Path) -> None:
    names = {f"r{index}" for index in range(8)}
    with supervised(folder, builtin_cache, "--workers", "2") as process:
        until(lambda: len(running(folder, builtin_cache)) == 2)
        for name in names:
            drop(folder, f"{name}.json", width=256, height=256, steps=60)
        until(lambda: is_drawing(folder))
        os.kill(running(folder, builtin_cache)[0], signal.SIGKILL)
        until(lambda: len(list((folder / "outbox").glob("results/*.json"))) == len(names))
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0
    results = [json.loads(path.read_text()) for path in (folder / "outbox").glob("results/*.json")]
    assert {result["id"] for result in results} == names
    assert {result["status"] for result in results} == {"succeeded"}


@pytest.mark.long
def test_a_stop_waits_for_the_drawing_and_a_second_one_does_not(folder: Path, builtin_cache: Path) -> None:
    with supervised(folder, builtin_cache, "--workers", "1") as process:
        drop(folder, "long.json", width=256, height=256, steps=150, num_images=8)
        until(lambda: is_drawing(folder))
        (worker,) = running(folder, builtin_cache)
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        # its supervisor passed the first one on; a second one to the worker itself changes nothing
        os.kill(worker, signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 1
    assert is_gone(worker)
    assert (folder / "inbox" / "long.json").exists()


@pytest.mark.long
def test_a_worker_that_dies_at_once_again_and_again_ends_the_service(folder: Path, builtin_cache: Path) -> None:
    with supervised(folder, builtin_cache, "--workers", "1") as process:
        supervisor = psutil.Process(process.pid)
        while process.poll() is None:
            for worker in children(supervisor):
                end(worker)
        assert process.returncode == 1
        assert actions(process).count("worker_ended") == 4
