"""References in the inbox: whether one is there and whole, and its bytes once it is."""

import threading
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

from pipeline.clock import Clock
from pipeline.config import Limits
from pipeline.reference import ReferenceImage, ends_whole
from pipeline.request import MAX_NAME_BYTES, ReferenceFile
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
_REMEMBERED = 65_536
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
        self._lock = threading.Lock()
        # whether a version of a key is whole by what a request says of it: reading it anew is the dearest look
        self._verdicts: dict[tuple[str, Digest | None, int | None], tuple[str, bool]] = {}

    def look(self, reference: ReferenceFile) -> Waiting | None:
        """None if the reference can be fetched now, also where fetching will reject it for good."""
        try:
            found = self._find(reference)
            if found is None:
                return Waiting(reason=f"{reference.name} is not in the inbox yet", seconds=1.0, missing=True)
            key, head = found
            return self._settling(reference, key, head)
        except RequestRejected:
            return None

    def fetch(self, reference: ReferenceFile) -> ReferenceImage:
        """The bytes; raises ReferenceMissing, ReferenceTooLarge, ReferenceMismatch or NotARegularFile."""
        found = self._find(reference)
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
        found = self._find(reference)
        return found[0] if found else None

    def keys(self, reference: ReferenceFile) -> tuple[str, ...]:
        """The keys under which the reference may come."""
        # a Mac writes Korean names decomposed, everybody else composed
        forms = (reference.name, *(unicodedata.normalize(form, reference.name) for form in ("NFC", "NFD")))
        # decomposed, a name may be longer than any file's can be
        return tuple(self._prefix + form for form in dict.fromkeys(forms) if len(form.encode()) <= MAX_NAME_BYTES)

    def retain(self, present: Collection[str]) -> None:
        """Drop what is remembered of keys that are gone."""
        self._steadiness.retain(present)
        kept = set(present)
        with self._lock:
            self._verdicts = {what: verdict for what, verdict in self._verdicts.items() if what[0] in kept}

    def _find(self, reference: ReferenceFile) -> tuple[str, Head] | None:
        for key in self.keys(reference):
            head = self._bucket.head(key)
            if head is not None:
                return key, head
        return None

    def _settling(self, reference: ReferenceFile, key: str, head: Head) -> Waiting | None:
        steady = self._steadiness.seconds(key, head.version)
        if head.size > self._limits.max_reference_bytes or steady >= self._settle_seconds:
            return None
        if reference.bytes is not None and head.size < reference.bytes:
            return self._unsettled(f"{reference.name} has {head.size} of {reference.bytes} bytes", steady)
        if reference.sha256 is None and steady < TWO_LOOKS_SECONDS:
            return Waiting(reason=f"{reference.name} may still be written", seconds=TWO_LOOKS_SECONDS - steady)
        whole = self._is_whole(reference, key, head.version)
        return None if whole else self._unsettled(f"{reference.name} is not whole yet", steady)

    def doubt(self, reference: ReferenceFile) -> None:
        """Remember that what lies there now could not be decoded: it is given the time to settle."""
        found = self._find(reference)
        if found is not None:
            key, head = found
            self._remember(reference, key, head.version, whole=False)

    def _is_whole(self, reference: ReferenceFile, key: str, version: str) -> bool:
        """By its digest, or else by its marks; a version that was judged once is not read again.

        No pixel is decoded here: that is done under a claim, where a decoder that dies uses up an attempt.
        """
        what = (key, reference.sha256, reference.bytes)
        with self._lock:
            known = self._verdicts.get(what)
        if known is not None and known[0] == version:
            return known[1]
        image = ReferenceImage.of(self._read(key), reference.name)
        whole = _matches(reference, image) if reference.sha256 is not None else ends_whole(image.data) is True
        self._remember(reference, key, version, whole=whole)
        return whole

    def _remember(self, reference: ReferenceFile, key: str, version: str, *, whole: bool) -> None:
        with self._lock:
            self._verdicts[key, reference.sha256, reference.bytes] = (version, whole)
            while len(self._verdicts) > _REMEMBERED:
                del self._verdicts[next(iter(self._verdicts))]

    def _unsettled(self, reason: str, steady: float) -> Waiting:
        return Waiting(reason=reason, seconds=self._settle_seconds - steady)

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
