"""A check of a whole outbox, like a file system check: does every name tell the truth?"""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from store.blobs import FOLDER, BlobStore
from store.bucket import Bucket
from store.catalogue import CONFLICTS, conflict_keys, result_keys
from store.errors import ServiceError
from store.manifest import ImageRecord, ResultManifest
from store.outbox import MAX_MANIFEST_BYTES

_MAX_BLOB_BYTES = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong: the key it was found under, and what it is."""

    key: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How much was looked at, and what was wrong; no faults means that all is well."""

    blobs: int
    manifests: int
    faults: tuple[Fault, ...]


def verify(bucket: Bucket) -> Verdict:
    """Re-hash every blob and check that every manifest's images exist and match it; conflicts have none."""
    blobs = sorted(bucket.list(f"{FOLDER}/", recursive=True))
    manifests = [*result_keys(bucket), *conflict_keys(bucket)]
    faults = [*_broken_blobs(bucket, blobs), *_broken_manifests(bucket, manifests)]
    return Verdict(blobs=len(blobs), manifests=len(manifests), faults=tuple(faults))


def _broken_blobs(bucket: Bucket, keys: list[str]) -> Iterator[Fault]:
    store = BlobStore(bucket)
    for key in keys:
        try:
            store.check(key, _MAX_BLOB_BYTES)
        except ServiceError as error:
            yield Fault(key=key, problem=error.message)


def _broken_manifests(bucket: Bucket, keys: list[str]) -> Iterator[Fault]:
    for key in keys:
        try:
            manifest = ResultManifest.model_validate_json(bucket.get(key, MAX_MANIFEST_BYTES))
        except (ServiceError, ValidationError) as error:
            yield Fault(key=key, problem=f"not a result manifest: {error}")
            continue
        if manifest.images and key.startswith(f"{CONFLICTS}/"):
            yield Fault(key=key, problem="is the record of a conflict, and names images")
        for image in manifest.images:
            problem = _wrong_with(bucket, image)
            if problem:
                yield Fault(key=key, problem=f"its image {image.path} {problem}")


def _wrong_with(bucket: Bucket, image: ImageRecord) -> str | None:
    try:
        head = bucket.head(image.path)
    except ServiceError as error:
        return f"cannot be looked at: {error.message}"
    if head is None:
        return "does not exist"
    if head.size != image.bytes:
        return f"has {head.size} bytes, not {image.bytes}"
    if image.path.rpartition("/")[2].partition(".")[0] != image.sha256:
        return f"is not the one of SHA-256 {image.sha256}"
    return None
