"""The service's heartbeat: a small record in a file, from which others tell how it is."""

import logging
import os
import stat
from importlib.metadata import version
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError

from store.digest import Digest
from store.errors import KeyNotFound
from store.location import folder_of
from store.manifest import Document
from watcher.settings import Settings
from watcher.worker import Worker

WRITE_SECONDS = 2.0
SIZE = 4096
_LONGEST_PROBLEM = 200
_READS = 3
# somebody may have put a link or a pipe under the name
_SAFELY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_log = logging.getLogger("imagegen.heartbeat")


class Vitals(Document):
    """How one worker was when the record was written."""

    pid: int | None = Field(description="None while no process runs.")
    state: Literal["starting", "running", "killed", "waiting"] = Field(description="waiting: for its next start.")
    restarts: int = Field(default=0, ge=0)
    heard: float = Field(default=0.0, description="Seconds since its last sign of life.")
    in_hand: int = Field(default=0, ge=0, description="Requests in hand.")
    silence: float = Field(default=0.0, description="Seconds since the most silent of them got further.")


class Heartbeat(Document):
    """The service at one moment; fits the file with 16 workers."""

    version: str
    writer: Worker = Field(description="The supervisor, or the one worker where there is none.")
    written: float = Field(description="Seconds on the machine's monotonic clock.")
    heartbeat_seconds: float = Field(description="A worker unheard for longer is past its limit.")
    stall_seconds: float = Field(description="A request in hand that is silent for longer is past its limit.")
    workers: tuple[Vitals, ...]
    problem: str | None = Field(default=None, description="What an operator should see to, in a sentence.")

    @classmethod
    def of(
        cls, writer: Worker, now: float, settings: Settings, workers: tuple[Vitals, ...], problem: str | None
    ) -> Self:
        """The heartbeat of a service with these settings; now is the monotonic clock's."""
        return cls(
            version=version("imagegen"),
            writer=writer,
            written=now,
            heartbeat_seconds=settings.heartbeat_seconds,
            stall_seconds=settings.stall_seconds,
            workers=workers,
            problem=None if problem is None else problem[:_LONGEST_PROBLEM],
        )


def heartbeat_path(settings: Settings) -> Path:
    """Where the service of this inbox and outbox keeps its heartbeat."""
    places = "\n".join(_resolved(location) for location in (settings.inbox, settings.outbox))
    return settings.run_dir.expanduser() / f"{Digest.of(places.encode())[:16]}.json"


class HeartbeatFile:
    """Always as large as it was made, and written in place: a disk that gets full does not stop it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._failed = False

    def write(self, heartbeat: Heartbeat) -> None:
        """Replace what the file says; a failure is logged once, the next write tries again."""
        try:
            self._write(heartbeat.model_dump_json().encode().ljust(SIZE - 1) + b"\n")
        except OSError as error:
            if not self._failed:
                _log.warning(
                    "the heartbeat %s cannot be written, so `imagegen health` fails: %s; make room or correct run_dir",
                    self._path,
                    error.strerror,
                    extra={"action": "heartbeat_failed"},
                )
            self._failed = True
        else:
            self._failed = False

    def read(self) -> Heartbeat:
        """What the file says; raises KeyNotFound where there is none that can be read."""
        for _ in range(_READS):
            try:
                return Heartbeat.model_validate_json(self._read())
            except OSError as error:
                raise KeyNotFound(f"there is no heartbeat at {self._path} ({error.strerror})") from error
            except ValidationError:
                # read while it was written
                continue
        raise KeyNotFound(f"{self._path} holds no heartbeat of this version")

    def _read(self) -> bytes:
        descriptor = os.open(self._path, os.O_RDONLY | _SAFELY)
        try:
            return os.read(descriptor, SIZE)
        finally:
            os.close(descriptor)

    def _write(self, data: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        owner = self._path.parent.stat().st_uid
        if owner not in (0, os.geteuid()):
            # in a shared /tmp somebody may have made the folder before us
            raise PermissionError(1, f"its folder belongs to user {owner}")
        # opened each time: a folder that was swept clean gets its file back
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | _SAFELY, 0o644)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise PermissionError(1, "it is not a regular file")
            os.pwrite(descriptor, data, 0)
        finally:
            os.close(descriptor)


def _resolved(location: str) -> str:
    return str(folder_of(location) or location.rstrip("/"))
