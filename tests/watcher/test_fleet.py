import os
import signal
import sys
from pathlib import Path

import pytest

from watcher.fleet.process import PROGRAM, Fleet, WorkerProcess
from watcher.fleet.pulse import Beat

PIPE = "import json, os, signal, sys; pipe = int(sys.argv[-1]);"
TELLS_OLD_AND_NEW = PIPE + r'os.write(pipe, b"{\"silence\":1}\n{\"silence\":2}\nnoise\nhalf")'
TELLS_ITS_GPU = PIPE + 'os.write(pipe, json.dumps({"in_hand": [os.environ["CUDA_VISIBLE_DEVICES"]]}).encode() + b"\\n")'
TELLS_ITS_OPTIONS = PIPE + 'os.write(pipe, json.dumps({"in_hand": sys.argv[1:-1]}).encode() + b"\\n")'
WAITS = "import signal; signal.pause()"


def program(script: str) -> tuple[str, ...]:
    return (sys.executable, "-c", script)


def last_words(worker: WorkerProcess) -> Beat | None:
    worker._process.wait(30)
    return worker.heard()


def test_only_whole_lines_are_heard_and_the_newest_counts() -> None:
    worker = WorkerProcess(program(TELLS_OLD_AND_NEW), {})
    assert last_words(worker) == Beat(silence=2.0)
    assert worker.heard() is None
    assert worker.ended() == 0
    assert worker.heard() is None


def test_each_worker_sees_its_own_gpu() -> None:
    fleet = Fleet(options=(), gpus=("4", "GPU-7"), program=program(TELLS_ITS_GPU))
    seen = [last_words(fleet.start(number)) for number in range(3)]
    assert seen == [Beat(in_hand=(name,)) for name in ("4", "GPU-7", "4")]


def test_a_worker_gets_the_options_and_its_pipe() -> None:
    fleet = Fleet(options=("--inbox=a b", "--models=m"), gpus=(), program=program(TELLS_ITS_OPTIONS))
    assert last_words(fleet.start(0)) == Beat(in_hand=("--inbox=a b", "--models=m", "--pulse"))


def test_a_worker_has_a_session_of_its_own_so_that_ctrl_c_reaches_it_once() -> None:
    worker = WorkerProcess(program(WAITS), {})
    session = os.getsid(worker.pid)
    worker.kill()
    worker._process.wait(30)
    assert session == worker.pid != os.getsid(0)
    assert worker.ended() == -signal.SIGKILL


def test_asking_a_worker_to_stop_is_sigterm() -> None:
    worker = WorkerProcess(program(WAITS), {})
    worker.stop()
    worker._process.wait(30)
    assert worker.ended() == -signal.SIGTERM


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors in /proc")
def test_descriptors_are_given_back_by_a_worker_that_ended_and_one_that_never_started() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    worker = WorkerProcess(program(""), {})
    worker._process.wait(30)
    worker.ended()
    with pytest.raises(OSError, match="No such file"):
        WorkerProcess(["/nowhere/python"], {})
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_folder_named_like_a_package_of_ours_is_not_imported() -> None:
    assert PROGRAM[1:3] == ("-P", "-m")
