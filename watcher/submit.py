"""Drops a request the way a backend should, and waits for its result."""

import contextlib
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from pipeline.clock import Clock
from store.bucket import Bucket
from store.digest import Digest
from store.errors import InvalidField, StoreError
from store.location import folder_of
from store.manifest import ResultManifest
from store.outbox import Outbox
from watcher.names import SUFFIX

# S3 is paid by the look
_LOOK_SECONDS, _LOOK_SECONDS_IN_S3 = 0.2, 1.0
_PICTURES = (".png", ".jpg", ".jpeg", ".webp")


def new_id(clock: Clock) -> str:
    """An id that sorts by time and is used once."""
    return f"{clock.now():%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:8]}"


def drop(inbox: Bucket, outbox: Outbox, identifier: str, fields: dict[str, Any], reference: Path | None = None) -> None:
    """Write the reference, then the request, each whole or not at all.

    fields: the request's fields without id and reference_image; those that are None are left out.  Raises
    InvalidField if the id waits in the inbox, or has a result, with another content.
    """
    document = {name: value for name, value in fields.items() if value is not None}
    image = None if reference is None else _read(reference)
    if reference is not None and image is not None:
        suffix = reference.suffix.lower() if reference.suffix.lower() in _PICTURES else ".image"
        described = {"name": identifier + suffix, "sha256": Digest.of(image), "bytes": len(image)}
        document["reference_image"] = described
    data = json.dumps(document, ensure_ascii=False, indent=2).encode()
    if outbox.has_result(identifier) and outbox.result(identifier).request_sha256 != Digest.of(data):
        raise InvalidField(f"id: {identifier!r} has the result of another request; choose another id", field="id")
    if image is not None:
        _create(inbox, document["reference_image"]["name"], image)
    _create(inbox, identifier + SUFFIX, data)


def await_result(
    outbox: Outbox,
    identifier: str,
    show: Callable[[dict[str, JsonValue]], None],
    pause: Callable[[float], None],
    seconds: float,
    every: float = _LOOK_SECONDS,
) -> ResultManifest | None:
    """Look until the result is there, showing live progress; None if it takes longer than so many seconds.

    pause: sleeps for the seconds it is given.  every: seconds between two looks, see look_seconds.
    """
    for _ in range(max(1, round(seconds / every))):
        if outbox.has_result(identifier):
            return outbox.result(identifier)
        # there is none before the drawing begins and after it ends
        with contextlib.suppress(StoreError, ValueError):
            show(outbox.progress(identifier))
        pause(every)
    return None


def look_seconds(outbox: str) -> float:
    """How long to pause between two looks for a result at this location."""
    return _LOOK_SECONDS if folder_of(outbox) is not None else _LOOK_SECONDS_IN_S3


def _read(reference: Path) -> bytes:
    try:
        return reference.read_bytes()
    except OSError as error:
        raise InvalidField(f"reference {reference}: {error.strerror}", field="reference_image") from error


def _create(inbox: Bucket, name: str, data: bytes) -> None:
    if not inbox.create(name, data) and inbox.get(name, len(data)) != data:
        raise InvalidField(f"id: {name!r} is in the inbox already; choose another id", field="id")
