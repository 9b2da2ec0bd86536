"""`imagegen run --workers`: a process that draws nothing itself and looks after those that do."""

import logging
import os
import signal
import time
from collections.abc import Callable
from types import FrameType

from pipeline.clock import Clock, SystemClock
from store.errors import SettingsInvalid
from watcher.conditions import require_conditions
from watcher.fleet.gpus import gpus
from watcher.fleet.heartbeat import WRITE_SECONDS, Heartbeat, HeartbeatFile, heartbeat_path
from watcher.fleet.post import Bounds
from watcher.fleet.process import Fleet
from watcher.fleet.supervisor import Supervisor
from watcher.settings import Settings
from watcher.worker import Worker

AUTO = "auto"
_MOST_WORKERS = 16
_TICK_SECONDS = 0.2
_log = logging.getLogger("imagegen.supervise")


def supervise(settings: Settings, workers: str, options: tuple[str, ...]) -> int:
    """Keep workers running until a signal asks to stop; the exit code.

    `options` are those of the command line, for the workers.  Raises SettingsInvalid if `workers` is
    neither "auto" nor a number from 1 to 16.
    """
    supervisor = build_supervisor(settings, workers, options)
    require_conditions(settings, len(supervisor.workers()))
    asked = _Asked()
    _log.info("workers to look after: %d", len(supervisor.workers()), extra={"action": "started"})
    code = _watch(supervisor, asked, _heartbeat(supervisor, settings), SystemClock())
    _log.info("all workers have ended", extra={"action": "stopped"})
    return code


def build_supervisor(settings: Settings, workers: str, options: tuple[str, ...]) -> Supervisor:
    """The supervisor of so many workers, one a GPU for "auto"; raises SettingsInvalid for other words."""
    shared_out = gpus(settings.drawing.device, os.environ)
    fleet = Fleet(options=options, gpus=shared_out)
    bounds = Bounds(heartbeat=settings.heartbeat_seconds, stall=settings.stall_seconds)
    return Supervisor(fleet.start, SystemClock(), bounds, _count(workers, len(shared_out)))


def _count(workers: str, gpu_count: int) -> int:
    if workers == AUTO:
        return min(_MOST_WORKERS, max(1, gpu_count))
    if not workers.isdecimal() or not 1 <= int(workers) <= _MOST_WORKERS:
        raise SettingsInvalid(
            f"--workers: found {workers!r}; allowed: {AUTO}, or a number from 1 to {_MOST_WORKERS}", field="workers"
        )
    return int(workers)


class _Asked:
    """How often a signal has asked this process to end."""

    def __init__(self) -> None:
        self.times = 0
        signal.signal(signal.SIGINT, self._count)
        signal.signal(signal.SIGTERM, self._count)

    def _count(self, number: int, frame: FrameType | None) -> None:
        # no lock and no wait here: the loop sees it at its next tick
        self.times += 1


def _watch(supervisor: Supervisor, asked: _Asked, write: Callable[[], None], clock: Clock) -> int:
    next_write = 0.0
    while (code := supervisor.tick()) is None:
        if asked.times > 1:
            supervisor.kill()
        elif asked.times:
            supervisor.stop()
        if clock.monotonic() >= next_write:
            write()
            next_write = clock.monotonic() + WRITE_SECONDS
        time.sleep(_TICK_SECONDS)
    return code


def _heartbeat(supervisor: Supervisor, settings: Settings) -> Callable[[], None]:
    file, writer = HeartbeatFile(heartbeat_path(settings)), Worker.this_process()

    def write() -> None:
        workers, problem = supervisor.workers(), supervisor.problem()
        file.write(Heartbeat.of(writer, time.monotonic(), settings, workers, problem))

    return write
