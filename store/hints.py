"""Where the pictures of an equal request lie: hints that may be wrong, overwritten or removed at any time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from store.blobs import blob_path
from store.bucket import Bucket
from store.digest import Digest
from store.errors import BlobBroken, ServiceError
from store.manifest import Document, ImageRecord, ModelsRecord, ResultManifest, TokenCounts, to_bytes
from store.outbox import EncodedImage

FINGERPRINTS = "fingerprints"
_MAX_HINT_BYTES = 1024 * 1024


class Hint(Document):
    """What was drawn for a fingerprint: the pictures, and what only drawing could find out about them."""

    schema_version: Literal[1] = 1
    fingerprint: Digest
    result: str
    images: tuple[ImageRecord, ...]
    models: ModelsRecord
    tokens: TokenCounts
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """Pictures of an equal request: read back, and verified to be what was stored.

    result is the id of the request they are known from; warnings are what drawing had to say of them.
    """

    result: str
    images: tuple[EncodedImage, ...]
    models: ModelsRecord
    tokens: TokenCounts
    warnings: tuple[str, ...] = ()


class Hints:
    """One hint for each fingerprint; who trusts a hint has seen the bytes."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def find(self, fingerprint: Digest) -> Remembered | None:
        """The pictures of an equal request, or None where there are none or anything about them is not in order."""
        try:
            hint = Hint.model_validate_json(self._bucket.get(_key(fingerprint), _MAX_HINT_BYTES))
            if hint.fingerprint != fingerprint or not hint.images:
                return None
            images = tuple(self._read(hint.images))
        except (ServiceError, ValidationError):
            # whatever is wrong here, drawing anew mends it
            return None
        return Remembered(
            result=hint.result, images=images, models=hint.models, tokens=hint.tokens, warnings=hint.warnings
        )

    def note(self, fingerprint: Digest, manifest: ResultManifest, warnings: tuple[str, ...]) -> None:
        """Remember a published result; warnings: what drawing had to say.  Raises StoreFull, StoreUnavailable."""
        if manifest.models is None or manifest.prompt is None:
            return
        hint = Hint(
            fingerprint=fingerprint,
            result=manifest.id,
            images=manifest.images,
            models=manifest.models,
            tokens=manifest.prompt.tokens,
            warnings=warnings,
        )
        self._bucket.put(_key(fingerprint), to_bytes(hint), durable=False)

    def _read(self, records: tuple[ImageRecord, ...]) -> Iterator[EncodedImage]:
        for record in records:
            # by the digest, not by the path: a hint leads to images only
            path = blob_path(record.sha256, record.format)
            data = self._bucket.get(path, record.bytes)
            if Digest.of(data) != record.sha256:
                raise BlobBroken(f"{path} holds other bytes than its name says")
            yield EncodedImage(
                data=data, width=record.width, height=record.height, format=record.format, seed=record.seed
            )


def _key(fingerprint: Digest) -> str:
    return f"{FINGERPRINTS}/{fingerprint.shard}/{fingerprint}.json"
