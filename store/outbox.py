"""Where results leave the house: images first, manifest last."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue, ValidationError

from store.blobs import BlobStore
from store.bucket import Bucket
from store.digest import Digest
from store.errors import ClaimLost, ManifestBroken
from store.manifest import ImageFormat, ImageRecord, ResultManifest, to_bytes

RESULTS = "results"
PROGRESS = "progress"
MAX_MANIFEST_BYTES = 16 * 1024 * 1024
_SHORT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedImage:
    """A finished picture: the bytes of the file, its size in pixels, its format and its seed."""

    data: bytes
    width: int
    height: int
    format: ImageFormat
    seed: int


class Outbox:
    """Publishes results and progress into one bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._blobs = BlobStore(bucket)

    def publish(self, manifest: ResultManifest, images: Sequence[EncodedImage] = ()) -> ResultManifest:
        """Store the images, then create the manifest that names them.

        Returns the manifest as published.  Raises ClaimLost if the request already has another one:
        then our images are harmless, they lie under the names of their contents.
        """
        complete = manifest.model_copy(update={"images": tuple(self._store(image) for image in images)})
        data = to_bytes(complete)
        if not self._bucket.create(_result_key(manifest.id), data) and self._read(manifest.id) != data:
            raise ClaimLost(f"request {manifest.id} already has a result")
        # a prune may have taken an old image of the same bytes just before the manifest named it
        for image in images:
            self._blobs.restore(image.data, image.format)
        return complete

    def publish_conflict(self, manifest: ResultManifest, digest: Digest) -> None:
        """Record that other bytes came under the id of a decided request; their result stays as it is."""
        self._bucket.create(f"{RESULTS}/conflicts/{manifest.id}.{digest[:_SHORT]}.json", to_bytes(manifest))

    def has_result(self, request_id: str) -> bool:
        """Whether the request is decided."""
        return self._bucket.head(_result_key(request_id)) is not None

    def result(self, request_id: str) -> ResultManifest:
        """The manifest of a decided request; raises KeyNotFound, ManifestBroken."""
        try:
            return ResultManifest.model_validate_json(self._read(request_id))
        except ValidationError as error:
            raise ManifestBroken(
                f"{_result_key(request_id)} is no manifest of this version; restore the file or move it away"
            ) from error

    def show_progress(self, request_id: str, progress: dict[str, JsonValue]) -> None:
        """Overwrite the live progress of a request; it need not survive a power cut."""
        data = json.dumps(progress, ensure_ascii=False).encode()
        self._bucket.put(_progress_key(request_id), data, durable=False)

    def progress(self, request_id: str) -> dict[str, JsonValue]:
        """The live progress of a request; raises KeyNotFound when nothing is being drawn."""
        found = json.loads(self._bucket.get(_progress_key(request_id), MAX_MANIFEST_BYTES))
        return dict(found)

    def shown(self) -> list[str]:
        """The ids whose live progress lies in the outbox."""
        names = (key.rpartition("/")[2] for key in self._bucket.list(f"{PROGRESS}/"))
        return [name.removesuffix(".json") for name in names if name.endswith(".json")]

    def clear_progress(self, request_id: str) -> None:
        """Remove the live progress."""
        self._bucket.delete(_progress_key(request_id))

    def _store(self, image: EncodedImage) -> ImageRecord:
        blob = self._blobs.add(image.data, image.format)
        return ImageRecord(
            path=blob.path,
            sha256=blob.digest,
            bytes=blob.size,
            width=image.width,
            height=image.height,
            format=image.format,
            seed=image.seed,
            duplicate=blob.duplicate,
        )

    def _read(self, request_id: str) -> bytes:
        return self._bucket.get(_result_key(request_id), MAX_MANIFEST_BYTES)


def _result_key(request_id: str) -> str:
    return f"{RESULTS}/{request_id}.json"


def _progress_key(request_id: str) -> str:
    return f"{PROGRESS}/{request_id}.json"
