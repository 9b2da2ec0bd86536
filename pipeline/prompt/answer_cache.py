"""Keeps a model's answers, so that the same words are not asked about twice."""

import hashlib
import json
import logging
import os
import threading
from collections import OrderedDict
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from pipeline.clock import Clock
from pipeline.prompt.schema import Answer

_log = logging.getLogger("imagegen.prompt")
Place = Literal["memory", "disk"]
_IN_MEMORY: Final = 512
_ON_DISK: Final = 10_000
_PRUNE_EVERY: Final = 64


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    stored_at: AwareDatetime
    answer: Answer


def cache_key(*parts: str) -> str:
    """The SHA-256 that stands for everything an answer depends on."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class AnswerCache:
    """Answers by key, in memory and in a folder that several processes may share.

    An entry that is too old, cannot be read or is no answer counts as absent.  The folder is a
    convenience: where it cannot be written, that is logged once and nothing fails.
    """

    def __init__(self, folder: Path, clock: Clock, days: float, *, most: int = _ON_DISK) -> None:
        """Entries are good for so many days; 0 keeps none.  At most about `most` files are kept."""
        self._folder = folder
        self._clock = clock
        self._lifetime = timedelta(days=days)
        self._most = most
        self._memory: OrderedDict[str, _Entry] = OrderedDict()
        self._puts = 0
        self._complained = False
        self._lock = threading.Lock()

    def get(self, key: str) -> tuple[Answer, Place] | None:
        """The answer kept under a key, and where it was."""
        with self._lock:
            entry = self._memory.get(key)
        place: Place = "memory" if entry else "disk"
        entry = entry or self._read(key)
        if entry is None or not timedelta(0) <= self._clock.now() - entry.stored_at < self._lifetime:
            return None
        self._remember(key, entry)
        return entry.answer, place

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer."""
        if not self._lifetime:
            return
        entry = _Entry(stored_at=self._clock.now(), answer=answer)
        self._remember(key, entry)
        try:
            self._write(key, entry)
        except OSError as error:
            self._complain(error)

    def _remember(self, key: str, entry: _Entry) -> None:
        with self._lock:
            self._memory[key] = entry
            self._memory.move_to_end(key)
            if len(self._memory) > _IN_MEMORY:
                self._memory.popitem(last=False)

    def _read(self, key: str) -> _Entry | None:
        try:
            return _Entry.model_validate_json((self._folder / f"{key}.json").read_bytes())
        except (OSError, ValidationError):
            return None

    def _write(self, key: str, entry: _Entry) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / f".{key}.{os.getpid()}.{threading.get_ident()}"
        partial.write_text(entry.model_dump_json(), encoding="utf-8")
        partial.replace(self._folder / f"{key}.json")
        with self._lock:
            due = self._puts % _PRUNE_EVERY == 0
            self._puts += 1
        if due:
            self._prune()

    def _prune(self) -> None:
        """Delete the oldest files beyond the number that may stay, partial ones among them."""
        # another process may delete the same files
        with suppress(FileNotFoundError):
            files = sorted((entry.stat().st_mtime, entry.path) for entry in os.scandir(self._folder))
            for _, path in files[: max(0, len(files) - self._most)]:
                Path(path).unlink()

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            self._complained = True
            _log.warning(
                "keywords cannot be kept in %s: %s", self._folder, error.strerror, extra={"action": "keyword_cache"}
            )
