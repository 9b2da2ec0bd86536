"""Draws a manifest again and tells how near the pictures come, and what is not as it was."""

import json
import math
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import ValidationError

from pipeline.drawing import Drawing
from pipeline.likeness import psnr
from pipeline.reference import ReferenceImage
from pipeline.request import GenerationRequest
from store.bucket import Bucket
from store.digest import Digest
from store.errors import InvalidField, NotARegularFile, ReferenceMissing, StoreError
from store.manifest import ImageRecord, ModelsRecord, PromptRecord, ResultManifest, SamplingRecord
from watcher.place import InboxPlace

_WEIGHTS = ("checkpoint", "vae", "controlnet")
# each image is drawn by itself, from its own seed
_ONE_BY_ONE = {"seed", "num_images"}
_NUMBERS = {"steps", "guidance_scale", "width", "height", "strength", "controlnet_scale", "reference_mode"}
# decided already, or of the file it came in
_RESOLVED = {"id", "aspect_ratio", "purpose", "num_images"}


class Draw(Protocol):
    """The pipeline's entry, as a replay uses it."""

    def __call__(
        self, request: GenerationRequest, reference: ReferenceImage | None, *, seed: int, prompt: PromptRecord
    ) -> Drawing:
        """Draw a request with words that are given; raises ServiceError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not as it was when the manifest was written."""

    what: str
    then: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One picture beside the one drawn again.

    psnr is in dB, over 8-bit RGB: null where every pixel is equal, where the stored picture is gone or where sizes
    differ; `verdict` tells which.
    """

    path: str
    seed: int
    verdict: Literal["identical", "same pixels", "different", "cannot be compared"]
    psnr: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What came of drawing a manifest again."""

    id: str
    identical: bool
    images: tuple[Compared, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Story:
    """What a manifest of pictures says of how they were drawn, complete."""

    branch: str
    prompt: PromptRecord
    models: ModelsRecord
    sampling: SamplingRecord


def replay(
    manifest: ResultManifest, draw: Draw, outgoing: Bucket, place: InboxPlace, versions: Mapping[str, str], limit: int
) -> Replay:
    """Draw each image of a manifest again and compare it with the one in the outbox.

    versions: of the libraries that draw now.  limit: the most bytes of a reference.  Raises InvalidField where the
    manifest has no pictures, ReferenceMissing where its reference is gone.
    """
    story = _story(manifest)
    reference = _reference(manifest, place, limit) if story.branch == "image2image" else None
    compared, drawn = [], None
    for image in manifest.images:
        drawn = draw(_request(manifest, story, image), reference, seed=image.seed, prompt=story.prompt)
        compared.append(_compared(image, drawn.images[0].data, outgoing))
    if drawn is None:
        raise InvalidField(f"{manifest.id}: the manifest names no image; there is nothing to draw again")
    return Replay(
        id=manifest.id,
        identical=all(one.verdict == "identical" for one in compared),
        images=tuple(compared),
        differences=tuple(_differences(manifest, story, drawn, versions)),
    )


def _story(manifest: ResultManifest) -> _Story:
    branch, prompt, models, sampling = manifest.branch, manifest.prompt, manifest.models, manifest.sampling
    if manifest.status != "succeeded" or branch is None or prompt is None or models is None or sampling is None:
        raise InvalidField(
            f"{manifest.id}: found a manifest that ended as {manifest.status}; allowed: one with pictures",
            field="status",
        )
    return _Story(branch=branch, prompt=prompt, models=models, sampling=sampling)


def _request(manifest: ResultManifest, story: _Story, image: ImageRecord) -> GenerationRequest:
    """The request whose one picture this image is, with every number as it was resolved."""
    numbers = story.sampling.model_dump(exclude_none=True, include=_NUMBERS)
    asked = {name: value for name, value in (manifest.request or {}).items() if name not in _RESOLVED}
    given = {"style": story.prompt.style, "seed": image.seed, "output_format": image.format}
    try:
        return GenerationRequest.model_validate_json(json.dumps({**asked, **numbers, **given}))
    except ValidationError as error:
        raise InvalidField(
            f"{manifest.id}: its request cannot be read by this version: {error.error_count()} faults", field="request"
        ) from error


def _reference(manifest: ResultManifest, place: InboxPlace, limit: int) -> ReferenceImage:
    """The reference that was drawn from: of the archive, or still in the inbox."""
    name, digest = _named_reference(manifest)
    for key in _places(manifest, place, name):
        with suppress(StoreError, NotARegularFile):
            found = ReferenceImage.of(place.bucket.get(key, limit), name)
            if digest is None or found.digest == digest:
                return found
    raise ReferenceMissing(
        f"{name}{f' with SHA-256 {digest}' if digest else ''} is neither in the archive of the inbox nor in the inbox;"
        " restore it there, or name the inbox it came by with --inbox",
        field="reference_image",
    )


def _named_reference(manifest: ResultManifest) -> tuple[str, str | None]:
    asked = (manifest.request or {}).get("reference_image")
    name = asked.get("name") if isinstance(asked, dict) else asked
    details = [node.detail.get("reference_sha256") or node.detail.get("sha256") for node in manifest.nodes]
    digest = next((found for found in details if isinstance(found, str)), None)
    if not isinstance(name, str):
        raise InvalidField(f"{manifest.id}: its request names no reference", field="reference_image")
    return name, digest


def _places(manifest: ResultManifest, place: InboxPlace, name: str) -> Iterator[str]:
    wanted = unicodedata.normalize("NFC", name)
    for prefix, recursive in ((f"{place.state}archive/", True), (place.incoming, False)):
        keys = place.bucket.list(prefix, recursive=recursive)
        same = [key for key in keys if unicodedata.normalize("NFC", key.rpartition("/")[2]) == wanted]
        # those archived with the request itself come first
        yield from sorted(same, key=lambda key: not key.startswith(f"{prefix}{manifest.id}."))


def _compared(image: ImageRecord, data: bytes, outgoing: Bucket) -> Compared:
    if Digest.of(data) == image.sha256:
        return Compared(path=image.path, seed=image.seed, verdict="identical")
    try:
        stored = outgoing.get(image.path, image.bytes)
        distance = psnr(stored, data) if Digest.of(stored) == image.sha256 else None
    except (StoreError, NotARegularFile):
        distance = None
    if distance is None:
        return Compared(path=image.path, seed=image.seed, verdict="cannot be compared")
    if math.isinf(distance):
        return Compared(path=image.path, seed=image.seed, verdict="same pixels")
    return Compared(path=image.path, seed=image.seed, verdict="different", psnr=round(distance, 2))


def _differences(
    manifest: ResultManifest, story: _Story, drawn: Drawing, versions: Mapping[str, str]
) -> Iterator[Difference]:
    # a manifest of an older version says nothing of numbers that came later
    told = story.sampling.model_fields_set - _ONE_BY_ONE
    then = {**_weights(story.models), **_sampling(story.sampling, told), **_prefixed(manifest.versions)}
    now = {**_weights(drawn.models), **_sampling(drawn.sampling, told), **_prefixed(versions)}
    for what in dict.fromkeys((*then, *now)):
        if then.get(what) != now.get(what):
            yield Difference(what=what, then=then.get(what, "absent"), now=now.get(what, "absent"))


def _weights(models: ModelsRecord) -> dict[str, str]:
    return {f"weights of {what}": str(getattr(models, what).sha256) for what in _WEIGHTS if getattr(models, what)}


def _sampling(sampling: SamplingRecord, told: set[str]) -> dict[str, str]:
    return {name: str(value) for name, value in sampling.model_dump(include=told, exclude_none=True).items()}


def _prefixed(versions: Mapping[str, str]) -> dict[str, str]:
    return {f"version of {name}": found for name, found in versions.items()}
