"""What a process writes down just before it dies."""

import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn


@dataclass(frozen=True, slots=True)
class Diary:
    """A file that all processes append to: how each died, and over which request or key."""

    path: Path

    def die(self, how: str, what: str) -> NoReturn:
        """Note it, then end this process as `kill -9` does."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(descriptor, f"{how}\t{what}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)
        # the signal may come a moment later; nothing more may happen in this thread until then
        threading.Event().wait()
        raise AssertionError("a killed process went on")

    def entries(self) -> list[tuple[str, str]]:
        """How and over what the processes died, in order."""
        if not self.path.exists():
            return []
        lines = self.path.read_text().splitlines()
        return [(how, what) for how, _, what in (line.partition("\t") for line in lines)]

    def count(self, how: str) -> int:
        return sum(1 for found, _ in self.entries() if found == how)
