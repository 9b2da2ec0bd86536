"""Starts the real program in a process of its own."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

SECONDS = 90


def environment(cache: Path) -> dict[str, str]:
    """One torch thread, no hub, nobody's key, and a cache directory that the tests share."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("IMAGEGEN_", "OPENAI_"))}
    return {
        **clean,
        "HF_HUB_OFFLINE": "1",
        "IMAGEGEN_CACHE": str(cache),
        "IMAGEGEN_RUN_DIR": str(cache / "run"),
        "IMAGEGEN_DRAWING__THREADS": "1",
        "COLUMNS": "200",
    }


def imagegen(*arguments: str, folder: Path, cache: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "watcher", *arguments],
        cwd=folder,
        env={**environment(cache), **more},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


class Running:
    """`imagegen run` in the background; leaving the block ends it."""

    def __init__(self, folder: Path, cache: Path, *arguments: str) -> None:
        self._command = [sys.executable, "-m", "watcher", "run", *arguments]
        self._folder = folder
        self._cache = cache

    def __enter__(self) -> subprocess.Popen[str]:
        self.process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            env=environment(self._cache),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self.process

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=SECONDS)


def until(condition: object, seconds: float = SECONDS) -> None:
    """Poll a condition of another process; fails when it does not come true in time."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the other process did not get there in time"
        time.sleep(0.02)


def is_drawing(folder: Path) -> bool:
    """Whether a request in the outbox of this folder has passed the turnstile and finished a step."""
    for shown in (folder / "outbox" / "progress").glob("*.json"):
        with contextlib.suppress(FileNotFoundError):
            if json.loads(shown.read_text())["step"]:
                return True
    return False
