"""What lies in an outbox, read cheaply: a few fields of each manifest, without checking the rest."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from store.bucket import Bucket
from store.errors import KeyNotFound, ServiceError
from store.manifest import ResultStatus
from store.outbox import MAX_MANIFEST_BYTES, RESULTS

CONFLICTS = f"{RESULTS}/conflicts"
_SUFFIX = ".json"
STATUSES: tuple[str, ...] = get_args(ResultStatus)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The few fields of a manifest that tell what became of a request, when, and where its images lie."""

    status: str
    created_at: datetime
    images: tuple[str, ...]
    redrive_of: str | None
    request_sha256: str | None
    reference: str | None = None


def result_key(request_id: str) -> str:
    """Where the result of a request lies."""
    return f"{RESULTS}/{request_id}{_SUFFIX}"


def result_keys(bucket: Bucket) -> list[str]:
    """The keys of all results, sorted."""
    return sorted(key for key in bucket.list(f"{RESULTS}/") if key.endswith(_SUFFIX))


def conflict_keys(bucket: Bucket) -> list[str]:
    """The keys of all records of conflicts, sorted."""
    return sorted(key for key in bucket.list(f"{CONFLICTS}/") if key.endswith(_SUFFIX))


def id_of(key: str) -> str:
    """The request a result belongs to."""
    return key.removeprefix(f"{RESULTS}/").removesuffix(_SUFFIX)


def decided_ids(bucket: Bucket) -> frozenset[str]:
    """All requests that have a result."""
    return frozenset(id_of(key) for key in result_keys(bucket))


def summary(bucket: Bucket, key: str) -> Summary | None:
    """The manifest under a key in short, or None if it is broken; raises KeyNotFound."""
    try:
        return _summary(json.loads(bucket.get(key, MAX_MANIFEST_BYTES)))
    except KeyNotFound:
        raise
    except (ServiceError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _summary(document: Mapping[str, Any]) -> Summary:
    created_at = datetime.fromisoformat(document["created_at"])
    images = tuple(image["path"] for image in document["images"])
    if document["status"] not in STATUSES or created_at.tzinfo is None:
        raise ValueError
    return Summary(
        status=document["status"],
        created_at=created_at,
        images=images,
        redrive_of=document.get("redrive_of"),
        request_sha256=document.get("request_sha256"),
        reference=_reference(document.get("request")),
    )


def _reference(request: object) -> str | None:
    """The name of the reference a request asked for."""
    asked = request.get("reference_image") if isinstance(request, dict) else None
    name = asked.get("name") if isinstance(asked, dict) else asked
    return name if isinstance(name, str) else None
