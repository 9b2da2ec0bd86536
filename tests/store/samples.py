"""Documents, pictures and calls that several tests of the store need."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from store.bucket import Bucket
from store.digest import Digest
from store.manifest import (
    ErrorRecord,
    ModelsRecord,
    NodeRecord,
    PromptRecord,
    ResultManifest,
    SamplingRecord,
    Timings,
    TokenCounts,
    WeightsRecord,
)
from store.outbox import EncodedImage

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

EVERY_USE_OF_A_KEY: dict[str, Callable[[Bucket, str], object]] = {
    "create": lambda bucket, key: bucket.create(key, b"x"),
    "put": lambda bucket, key: bucket.put(key, b"x"),
    "get": lambda bucket, key: bucket.get(key, 10),
    "head": lambda bucket, key: bucket.head(key),
    "move": lambda bucket, key: bucket.move(key, "elsewhere"),
    "touch": lambda bucket, key: bucket.touch(key),
    "delete": lambda bucket, key: bucket.delete(key),
}


def bare_manifest(**fields: Any) -> ResultManifest:
    """The smallest manifest, with these fields set otherwise."""
    least = {
        "id": "r1",
        "request_file": "r1.json",
        "status": "succeeded",
        "timings": Timings(queued=0, swap=0, total=1.5),
        "attempt": 1,
        "worker": "w1",
        "created_at": NOON,
    }
    return ResultManifest(**(least | fields))


def full_manifest() -> ResultManifest:
    """A manifest in which no field is left at its default, except the images."""
    weights = WeightsRecord(repo="someone/weights", revision="main", sha256=Digest.of(b"weights"))
    return bare_manifest(
        cached=True,
        branch="image2image",
        request={"prompt": "벚꽃 아래 고양이", "seed": 7},
        request_sha256=Digest.of(b"request"),
        prompt=PromptRecord(
            positive="a cat under cherry blossoms",
            negative="text",
            style="anime",
            style_reason="asked for",
            keywords={"intent": "a cat"},
            extractor="lexicon",
            unknown_words=("냥냥",),
            tokens=TokenCounts(positive=9, negative=3),
        ),
        models=ModelsRecord(checkpoint=weights, vae=weights, controlnet=weights),
        sampling=_sampling(),
        nodes=(NodeRecord(name="prompting", status="succeeded", started_at=NOON, seconds=0.1, detail={"words": 3}),),
        versions={"imagegen": "0.1.0"},
        warnings=("strength has no effect",),
        metadata={"order": 12},
        redrive_of="r0",
        error=ErrorRecord(code="node_failed", message="a node failed", field="prompt", retryable=True),
    )


def picture(data: bytes, *, seed: int = 7) -> EncodedImage:
    """These bytes as a finished picture; nothing in the store looks inside."""
    return EncodedImage(data=data, width=64, height=96, format="png", seed=seed)


def _sampling() -> SamplingRecord:
    return SamplingRecord(
        scheduler="euler_a",
        steps=28,
        guidance_scale=7.0,
        width=64,
        height=96,
        drawn_width=64,
        drawn_height=96,
        num_images=2,
        seed=7,
        output_format="png",
        strength=0.6,
        controlnet_scale=0.8,
        reference_mode="variation",
        device="cpu",
        dtype="float32",
    )
