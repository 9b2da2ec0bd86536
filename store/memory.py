"""A bucket in memory, for tests and for drawing without an outbox."""

import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from store.bucket import Head, check_key, check_prefix
from store.errors import KeyNotFound, TooLarge


class MemoryBucket:
    """Keeps the Bucket promises in a dictionary; safe to share between threads."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """now: the wall clock, in UTC."""
        self._now = now
        self._lock = threading.Lock()
        self._contents: dict[str, tuple[bytes, Head]] = {}
        self._versions = itertools.count(1)

    def create(self, key: str, data: bytes) -> bool:
        """Write only if the key is absent."""
        with self._lock:
            if check_key(key) in self._contents:
                return False
            self._write(key, data)
            return True

    def put(self, key: str, data: bytes, *, durable: bool = True) -> None:
        """Write or overwrite."""
        with self._lock:
            self._write(check_key(key), data)

    def get(self, key: str, limit: int) -> bytes:
        """Read at most limit bytes."""
        with self._lock:
            data, _ = self._found(key)
        if len(data) > limit:
            raise TooLarge(f"{key!r} has {len(data)} bytes; at most {limit} are allowed")
        return data

    def head(self, key: str) -> Head | None:
        """The version counts the writes."""
        with self._lock:
            content = self._contents.get(check_key(key))
        return content[1] if content else None

    def list(self, prefix: str = "", *, beginning: str = "", recursive: bool = False) -> list[str]:
        """Keys directly under prefix, or all below it."""
        check_prefix(prefix)
        with self._lock:
            below = [key for key in self._contents if key.startswith(prefix + beginning)]
        return [key for key in below if recursive or "/" not in key[len(prefix) :]]

    def move(self, source: str, target: str) -> None:
        """Rename, replacing the target."""
        check_key(target)
        with self._lock:
            data, head = self._found(source)
            del self._contents[source]
            self._contents[target] = (data, replace(head, modified=self._now()))

    def touch(self, key: str) -> None:
        """Give the key a new version."""
        with self._lock:
            data, _ = self._found(key)
            self._write(key, data)

    def delete(self, key: str) -> None:
        """Remove the key."""
        with self._lock:
            self._contents.pop(check_key(key), None)

    def _write(self, key: str, data: bytes) -> None:
        head = Head(size=len(data), version=str(next(self._versions)), modified=self._now())
        self._contents[key] = (bytes(data), head)

    def _found(self, key: str) -> tuple[bytes, Head]:
        try:
            return self._contents[check_key(key)]
        except KeyError as error:
            raise KeyNotFound(f"there is nothing under {key!r}") from error
