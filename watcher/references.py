"""References in the inbox: whether one is there and whole, and its bytes once it is."""

import unicodedata
from dataclasses import dataclass

from pipeline.clock import Clock
from pipeline.config import Limits
from pipeline.reference import ReferenceImage, decode, ends_whole
from pipeline.request import ReferenceFile
from store.bucket import Bucket, Head
from store.digest import Digest
from store.errors import (
    KeyNotFound,
    ReferenceMismatch,
    ReferenceMissing,
    ReferenceTooLarge,
    RequestRejected,
    TooLarge,
)
from watcher.steadiness import Steadiness

_FIELD = "reference_image"
TWO_LOOKS_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A reference that is not usable yet: why, and after how many seconds to look again."""

    reason: str
    seconds: float
    missing: bool = False


class References:
    """Looks for references under the names a request may give them."""

    def __init__(self, bucket: Bucket, prefix: str, limits: Limits, clock: Clock, settle_seconds: float) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._limits = limits
        self._settle_seconds = settle_seconds
        self._steadiness = Steadiness(clock)

    def look(self, reference: ReferenceFile) -> Waiting | None:
        """None if the reference can be fetched now, also where fetching will reject it for good."""
        try:
            found = self._find(reference.name)
            if found is None:
                return Waiting(reason=f"{reference.name} is not in the inbox yet", seconds=1.0, missing=True)
            key, head = found
            return self._settling(reference, key, head)
        except RequestRejected:
            return None

    def fetch(self, reference: ReferenceFile) -> ReferenceImage:
        """The bytes; raises ReferenceMissing, ReferenceTooLarge, ReferenceMismatch or NotARegularFile."""
        found = self._find(reference.name)
        if found is None:
            raise ReferenceMissing(
                f"{reference.name} is not in the inbox; write the reference before or soon after the request",
                field=_FIELD,
            )
        image = ReferenceImage.of(self._read(found[0]), reference.name)
        if not _matches(reference, image):
            raise ReferenceMismatch(
                f"{reference.name}: found {len(image.data)} bytes with SHA-256 {image.digest};"
                f" the request says {reference.bytes or 'any number of'} bytes, SHA-256 {reference.sha256 or 'any'}",
                field=_FIELD,
            )
        return image

    def key(self, reference: ReferenceFile) -> str | None:
        """The key under which the reference was found."""
        found = self._find(reference.name)
        return found[0] if found else None

    def _find(self, name: str) -> tuple[str, Head] | None:
        # a Mac writes Korean names decomposed, everybody else composed
        for form in dict.fromkeys((name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name))):
            head = self._bucket.head(self._prefix + form)
            if head is not None:
                return self._prefix + form, head
        return None

    def _settling(self, reference: ReferenceFile, key: str, head: Head) -> Waiting | None:
        steady = self._steadiness.seconds(key, head.version)
        if head.size > self._limits.max_reference_bytes or steady >= self._settle_seconds:
            return None
        if reference.bytes is not None and head.size < reference.bytes:
            return self._unsettled(f"{reference.name} has {head.size} of {reference.bytes} bytes", steady)
        if reference.sha256 is None and steady < TWO_LOOKS_SECONDS:
            return Waiting(reason=f"{reference.name} may still be written", seconds=TWO_LOOKS_SECONDS - steady)
        image = ReferenceImage.of(self._read(key), reference.name)
        if reference.sha256 is not None:
            whole = _matches(reference, image)
        else:
            whole = ends_whole(image.data) is True and self._decodes(image)
        return None if whole else self._unsettled(f"{reference.name} is not whole yet", steady)

    def _unsettled(self, reason: str, steady: float) -> Waiting:
        return Waiting(reason=reason, seconds=self._settle_seconds - steady)

    def _decodes(self, image: ReferenceImage) -> bool:
        try:
            decode(image, self._limits)
        except RequestRejected:
            return False
        return True

    def _read(self, key: str) -> bytes:
        try:
            return self._bucket.get(key, self._limits.max_reference_bytes)
        except TooLarge as error:
            raise ReferenceTooLarge(error.message, field=_FIELD) from error
        except KeyNotFound as error:
            raise ReferenceMissing(error.message, field=_FIELD) from error


def _matches(reference: ReferenceFile, image: ReferenceImage) -> bool:
    size_fits = reference.bytes is None or reference.bytes == len(image.data)
    digest: Digest | None = reference.sha256
    return size_fits and (digest is None or digest == image.digest)
