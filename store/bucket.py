"""The one narrow protocol that folders and S3 alike must keep."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from store.errors import InvalidKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What can be known of a key without reading it.

    size is in bytes; version is an opaque text that changes whenever the content or its time does;
    modified, in UTC, is since when the content lies under this key: it was written, touched or moved then.
    """

    size: int
    version: str
    modified: datetime


class Bucket(Protocol):
    """Flat keys and bytes.

    A key is one or more names joined by "/"; no name is empty, "." or "..".  Every method may raise
    StoreFull or StoreUnavailable; a reader sees a whole content or none, never a part.
    """

    def create(self, key: str, data: bytes) -> bool:
        """Write only if the key is absent; True if this call wrote it, durable before it returns."""

    def put(self, key: str, data: bytes, *, durable: bool = True) -> None:
        """Write or overwrite; durable=False may lose the content in a power cut, never tear it."""

    def get(self, key: str, limit: int) -> bytes:
        """Read at most limit bytes; raises KeyNotFound, TooLarge, NotARegularFile."""

    def head(self, key: str) -> Head | None:
        """Size, version and time, or None if the key is absent; raises NotARegularFile."""

    def list(self, prefix: str = "", *, beginning: str = "", recursive: bool = False) -> list[str]:
        """The keys directly under prefix ("" or "name/"), or all below it, unordered.

        beginning: only those whose next name begins so, which spares a store that lists page by page.
        """

    def move(self, source: str, target: str) -> None:
        """Rename in one step, replacing the target; raises KeyNotFound."""

    def touch(self, key: str) -> None:
        """Give the key a new version without changing its content; raises KeyNotFound."""

    def delete(self, key: str) -> None:
        """Remove the key; an absent key is fine."""


def check_key(key: str) -> str:
    """Return the key if a bucket can hold it; raises InvalidKey."""
    names = key.split("/")
    if "\0" in key or any(name in ("", ".", "..") for name in names):
        raise InvalidKey(f"{key[:200]!r} is not a key: names between slashes must not be empty, '.', '..' or hold NUL")
    return key


def check_prefix(prefix: str) -> str:
    """Return the prefix if it is empty or a key with a "/" behind it; raises InvalidKey."""
    if prefix:
        if not prefix.endswith("/"):
            raise InvalidKey(f"the prefix {prefix[:200]!r} must end with '/'")
        check_key(prefix[:-1])
    return prefix
