"""Images under the hash of their bytes, equal ones kept once."""

from dataclasses import dataclass

from store.bucket import Bucket
from store.digest import Digest
from store.errors import BlobBroken, KeyNotFound, NotARegularFile, TooLarge

FOLDER = "generated_images"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Where a content lies; duplicate says that it lay there before."""

    path: str
    digest: Digest
    size: int
    duplicate: bool


def blob_path(digest: Digest, extension: str) -> str:
    """The key of a blob: sharded by the first two digits, named by all of them."""
    return f"{FOLDER}/{digest.shard}/{digest}.{extension}"


class BlobStore:
    """Writes contents once, under names that anybody can check with sha256sum."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def add(self, data: bytes, extension: str) -> Blob:
        """Store the bytes durably and say where; a broken file under the same name is mended."""
        digest = Digest.of(data)
        path = blob_path(digest, extension)
        duplicate = not self._bucket.create(path, data)
        if duplicate and not self._keeps(path, digest, len(data)):
            self._bucket.put(path, data)
        return Blob(path=path, digest=digest, size=len(data), duplicate=duplicate)

    def restore(self, data: bytes, extension: str) -> None:
        """Store the bytes again if they are gone."""
        path = blob_path(Digest.of(data), extension)
        if self._bucket.head(path) is None:
            self._bucket.put(path, data)

    def check(self, path: str, limit: int) -> None:
        """Raise BlobBroken unless the bytes under this path match its name; KeyNotFound if absent."""
        found = Digest.of(self._bucket.get(path, limit))
        if path != blob_path(found, path.rpartition(".")[2]):
            raise BlobBroken(f"{path} holds bytes whose SHA-256 is {found}; restore the file or delete it")

    def _keeps(self, path: str, digest: Digest, size: int) -> bool:
        """Whether the bytes are there and whole; they count as new from now on."""
        try:
            # a prune that runs now must not take an old blob that a new manifest is about to name
            self._bucket.touch(path)
            return Digest.of(self._bucket.get(path, size)) == digest
        except (KeyNotFound, NotARegularFile, TooLarge):
            return False
