"""Who works here: the mark a worker leaves on its claims, and whether such a worker still lives."""

import os
import platform
import uuid
from pathlib import Path
from typing import Self

import psutil
from pydantic import Field

from store.manifest import Document

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE = Path("/proc/self/ns/pid")
_SLACK = 2.0
# counted behind the state, which is the first field after the name
_STARTED_FIELD = 18
# killed, and not yet asked for by its parent
_ENDED = ("Z", "X")
_INIT = Path("/proc/1")


class Worker(Document):
    """One worker process, told apart from every other, also from a later one with the same pid."""

    name: str
    host: str
    boot: str = Field(description="Changes when the machine restarts.")
    pid_namespace: str = Field(description="Pids can only be compared inside one.")
    pid: int
    started: float = Field(description="When the process started: clock ticks since the boot, or seconds since 1970.")

    @classmethod
    def this_process(cls) -> Self:
        """The worker that this process is."""
        host = platform.node() or "localhost"
        return cls(
            name=f"{host}-{os.getpid()}-{uuid.uuid4().hex[:4]}",
            host=host,
            boot=_boot(),
            pid_namespace=_PID_NAMESPACE.readlink().name if _PID_NAMESPACE.is_symlink() else "",
            pid=os.getpid(),
            started=_started(os.getpid()),
        )

    def sees_dead(self, other: "Worker") -> bool:
        """Whether the other certainly lives no more; False where this cannot be known from here."""
        if (self.boot, self.pid_namespace) != (other.boot, other.pid_namespace):
            return False
        try:
            started = _started(other.pid)
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            # where others' processes are hidden, one that lives looks the same
            return not _are_hidden()
        except (psutil.AccessDenied, PermissionError):
            return False
        # a pid is used again one day; only the start time tells the two apart
        return abs(started - other.started) > _SLACK


def _started(pid: int) -> float:
    if _BOOT_ID.exists():
        # ticks since the boot; psutil adds the wall clock, and a step of that would make the living look dead
        stat = Path(f"/proc/{pid}/stat").read_text()
        state, *fields = stat.rpartition(")")[2].split()
        if state in _ENDED:
            raise ProcessLookupError(pid)
        return float(fields[_STARTED_FIELD])
    return psutil.Process(pid).create_time()


def _are_hidden() -> bool:
    # with hidepid even the first process cannot be seen
    return _BOOT_ID.exists() and not _INIT.exists()


def _boot() -> str:
    if _BOOT_ID.exists():
        return _BOOT_ID.read_text().strip()
    return str(int(psutil.boot_time()))
