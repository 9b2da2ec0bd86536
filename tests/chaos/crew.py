"""The workers of a storm: always as many as wanted; a dead one is replaced."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from tests.chaos.crashes import Fate
from tests.chaos.diary import Diary


class Place(Protocol):
    """Where workers work: two locations, perhaps a queue, and where they write down what happens to them."""

    @property
    def inbox(self) -> object:
        """A folder, or a location in S3."""

    @property
    def outbox(self) -> object:
        """A folder, or a location in S3."""

    @property
    def queue(self) -> str | None:
        """The queue that announces the inbox."""

    @property
    def logs(self) -> Path:
        """The folder of the logs."""

    @property
    def diary(self) -> Diary:
        """What processes write down as they die."""


_ROOT = Path(__file__).parents[2]
_STOP_SECONDS = 30


class Crew:
    """Starts workers, signals them, and remembers how they ended."""

    def __init__(
        self, ground: Place, size: int, settings: Mapping[str, str], fate: Callable[[], Fate | None] = lambda: None
    ) -> None:
        """settings: as IMAGEGEN_… variables, without the prefix; fate: where the next worker to start dies."""
        self._ground = ground
        self._settings = settings
        self._fate = fate
        self._started = 0
        self._frozen: set[int] = set()
        self._logs: dict[int, Path] = {}
        self.faults: list[str] = []
        self.deaths = 0
        self._workers = [self._start() for _ in range(size)]

    def tend(self) -> None:
        """Replace the dead."""
        for slot, worker in enumerate(self._workers):
            if worker.poll() is None:
                continue
            self.deaths += 1
            self._frozen.discard(slot)
            if worker.returncode != -signal.SIGKILL:
                self.faults.append(f"a worker ended by itself with exit code {worker.returncode}")
            self._workers[slot] = self._start()

    def awake(self) -> list[int]:
        """The workers that can be killed or frozen."""
        return [slot for slot in range(len(self._workers)) if slot not in self._frozen]

    def kill(self, slot: int) -> None:
        self._workers[slot].kill()

    def freeze(self, slot: int) -> None:
        self._frozen.add(slot)
        self._workers[slot].send_signal(signal.SIGSTOP)

    def thaw(self, slot: int) -> None:
        self._frozen.discard(slot)
        self._workers[slot].send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End all as an operator does; whoever does not obey is a fault."""
        for slot, worker in enumerate(self._workers):
            self.thaw(slot)
            self._await_started(worker)
            worker.terminate()
        for worker in self._workers:
            try:
                code = worker.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.faults.append(f"a worker did not stop within {_STOP_SECONDS} s of SIGTERM")
                continue
            if code != 0:
                self.faults.append(f"a worker ended with exit code {code} on SIGTERM")

    def _await_started(self, worker: subprocess.Popen[bytes]) -> None:
        # before that, it does not know yet what SIGTERM means
        deadline = time.monotonic() + _STOP_SECONDS
        while worker.poll() is None and not self._logs[worker.pid].stat().st_size:
            if time.monotonic() > deadline:
                self.faults.append(f"a worker did not start within {_STOP_SECONDS} s")
                return
            time.sleep(0.02)

    def end(self) -> None:
        """Leave no process behind, whatever happened."""
        for worker in self._workers:
            if worker.poll() is None:
                worker.kill()
                worker.wait()

    def sweep(self) -> None:
        """Let one more worker start, look at everything and end."""
        last = self._start("--once")
        self._workers.append(last)
        code = last.wait(_STOP_SECONDS)
        if code != 0:
            self.faults.append(f"the last worker ended with exit code {code}")

    def _start(self, *more: str) -> subprocess.Popen[bytes]:
        ground, fate = self._ground, None if more else self._fate()
        command = [sys.executable, "-m", "tests.chaos.worker", *more, "--diary", str(ground.diary.path)]
        command += ["--inbox", str(ground.inbox), "--outbox", str(ground.outbox)]
        command += [] if ground.queue is None else ["--queue", ground.queue]
        command += [] if fate is None else ["--fate", str(fate)]
        self._started += 1
        log = ground.logs / f"worker-{self._started:03}.log"
        with log.open("wb") as stream:
            worker = subprocess.Popen(command, cwd=_ROOT, env=self._environment(), stdout=stream, stderr=stream)
        self._logs[worker.pid] = log
        return worker

    def _environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("IMAGEGEN_")}
        own = {f"IMAGEGEN_{name.upper()}": value for name, value in self._settings.items()}
        return {**clean, **own, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(_ROOT)}
