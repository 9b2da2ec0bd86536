"""From the bytes of a claimed request to what can be drawn, or the reason why not."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from pydantic import JsonValue

from pipeline.admission import admit
from pipeline.config import Limits
from pipeline.reference import ReferenceImage
from pipeline.request import GenerationRequest
from store.digest import Digest
from store.errors import IdMismatch
from watcher.claim import Claim
from watcher.decode import decode
from watcher.names import SUFFIX, request_id
from watcher.redriven import never_redriven
from watcher.references import References

_SEED_DIGITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidRequest:
    """A request that can be drawn: as received, as understood, and with its reference in hand."""

    document: dict[str, JsonValue]
    digest: Digest
    request: GenerationRequest
    reference: ReferenceImage | None
    seed: int


class Validator:
    """Knows the limits and styles that hold here."""

    def __init__(
        self,
        limits: Limits,
        styles: Collection[str],
        references: References,
        redrive_of: Callable[[str], str | None] = never_redriven,
    ) -> None:
        """redrive_of: the id under which the bytes of an id first came, if it is redriven."""
        self._limits = limits
        self._styles = styles
        self._references = references
        self._redrive_of = redrive_of

    def read(self, name: str, content: bytes) -> GenerationRequest:
        """The request in a file; raises RequestRejected."""
        return self._admitted(name, decode(content))

    def validate(self, claim: Claim) -> ValidRequest:
        """The request of a claim, ready to draw; raises RequestRejected."""
        if claim.unreadable is not None:
            raise claim.unreadable
        document = decode(claim.content)
        request = self._admitted(claim.name, document)
        reference = None if request.reference_image is None else self._references.fetch(request.reference_image)
        digest = Digest.of(claim.content)
        # from id and bytes, so that a retry draws the same picture
        seed = int(Digest.of(claim.id.encode() + b"\n" + claim.content)[:_SEED_DIGITS], 16)
        return ValidRequest(document=document, digest=digest, request=request, reference=reference, seed=seed)

    def _admitted(self, name: str, document: dict[str, JsonValue]) -> GenerationRequest:
        request = admit(document, self._limits, self._styles)
        stem = name.removesuffix(SUFFIX)
        # a redriven request names the id it first came under
        if request.id not in (None, stem) and request.id != self._redrive_of(request_id(name)):
            raise IdMismatch(
                f"id: found {request.id!r}; allowed: {stem!r}, the file name without {SUFFIX}, or no id at all",
                field="id",
            )
        return request
