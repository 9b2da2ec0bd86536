"""Worker processes, as the supervisor starts and hears them."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pydantic import ValidationError

from watcher.fleet.gpus import visible_to
from watcher.fleet.pulse import Beat

# -P: a folder of the user's that is named like one of our packages is not imported
PROGRAM = (sys.executable, "-P", "-m", "watcher", "run")
_CHUNK = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Starts workers that are alike but for the GPU they see."""

    options: tuple[str, ...]
    gpus: tuple[str, ...]
    program: tuple[str, ...] = PROGRAM

    def start(self, number: int) -> "WorkerProcess":
        """Start worker `number`, from 0; raises OSError if the system does not allow it."""
        return WorkerProcess((*self.program, *self.options), {**os.environ, **visible_to(number, self.gpus)})


class WorkerProcess:
    """A running worker and our end of its pipe."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it, with the option --pulse added; raises OSError if the system does not allow it."""
        self._reading, writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._rest = b""
        try:
            # a session of its own: Ctrl-C at the terminal must reach it once, through us
            self._process = subprocess.Popen(  # noqa: S603 - our own program with our own options
                [*command, "--pulse", str(writing)],
                env=environment,
                stdin=subprocess.DEVNULL,
                pass_fds=(writing,),
                start_new_session=True,
            )
        except OSError:
            os.close(self._reading)
            raise
        finally:
            # only the worker holds it, so each end sees the other's end
            os.close(writing)
        self._open = True

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def heard(self) -> Beat | None:
        """The newest beat since the last call."""
        *lines, self._rest = (self._rest + self._received()).split(b"\n")
        for line in reversed(lines):
            with suppress(ValidationError):
                return Beat.model_validate_json(line)
        return None

    def ended(self) -> int | None:
        """Its exit code, minus the signal that killed it, or None while it runs."""
        code = self._process.poll()
        if code is not None and self._open:
            self._open = False
            os.close(self._reading)
        return code

    def stop(self) -> None:
        """Ask it to end when what it draws is finished."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once; also one that is stopped or hangs."""
        self._process.kill()

    def _received(self) -> bytes:
        received = b""
        with suppress(BlockingIOError):
            while self._open and (chunk := os.read(self._reading, _CHUNK)):
                received += chunk
        return received
