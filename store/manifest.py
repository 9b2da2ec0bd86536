"""The result manifest: what a backend developer reads at night."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from store.digest import Digest

SCHEMA_VERSION = 1

ImageFormat = Literal["png", "webp", "jpeg"]
NodeStatus = Literal["succeeded", "skipped", "failed"]
ResultStatus = Literal["succeeded", "failed", "rejected", "cancelled"]


class Document(BaseModel):
    """Frozen, and closed: a field that is not named here is an error."""

    # a worker reads few documents twice; remembered strings would only grow
    model_config = ConfigDict(frozen=True, extra="forbid", cache_strings="none")


class ImageRecord(Document):
    """One picture in the outbox."""

    path: str = Field(description="Relative to the outbox, with '/'.")
    sha256: Digest = Field(description="Of the file's bytes; also its name.")
    bytes: int = Field(ge=1)
    width: int = Field(ge=1, description="Pixels, as asked for.")
    height: int = Field(ge=1, description="Pixels, as asked for.")
    format: ImageFormat
    seed: int = Field(ge=0, lt=2**32)
    duplicate: bool = Field(description="The same bytes were in the outbox before.")


class TokenCounts(Document):
    """CLIP tokens with begin and end marks, as the checkpoint's own tokenizer counts them."""

    positive: int = Field(ge=0)
    negative: int = Field(ge=0)
    chunks: int = Field(default=1, ge=1, description="Runs of 77 tokens in which the longer prompt was read.")


class PromptRecord(Document):
    """The words that reached the checkpoint, and how they came about."""

    positive: str
    negative: str
    style: str
    style_reason: str
    keywords: dict[str, JsonValue] = {}
    extractor: str
    unknown_words: tuple[str, ...] = ()
    tokens: TokenCounts = TokenCounts(positive=0, negative=0)


class WeightsRecord(Document):
    """Which weights drew: where from, which revision, and the SHA-256 over their files."""

    repo: str
    revision: str | None
    sha256: Digest


class ModelsRecord(Document):
    """All weights that touched the picture; controlnet is null on text-to-image."""

    checkpoint: WeightsRecord
    vae: WeightsRecord
    controlnet: WeightsRecord | None = None


class SamplingRecord(Document):
    """The numbers the pictures were drawn with, after every default was filled in."""

    scheduler: str
    steps: int
    guidance_scale: float
    width: int
    height: int
    drawn_width: int
    drawn_height: int
    num_images: int
    seed: int
    output_format: ImageFormat
    strength: float | None = None
    controlnet_scale: float | None = None
    controlnet_end: float | None = None
    reference_mode: Literal["variation", "structure"] | None = None
    decoded: tuple[str, ...] = Field(
        default=(), description="How latents became pixels: whole, or in ways that move them a little."
    )
    profile: Literal["exact", "fast"] = "exact"
    device: str
    dtype: str
    threads: int | None = Field(default=None, description="CPU threads of torch; on a CPU they move pixels.")


class NodeRecord(Document):
    """One run of one node."""

    name: str
    status: NodeStatus
    started_at: AwareDatetime
    seconds: float = Field(ge=0)
    detail: dict[str, JsonValue] = {}


class Timings(Document):
    """Seconds: queued from the first look to the claim, swap for bringing checkpoints, total since the claim."""

    queued: float = Field(ge=0, allow_inf_nan=False)
    swap: float = Field(ge=0, allow_inf_nan=False)
    total: float = Field(ge=0, allow_inf_nan=False)


class ErrorRecord(Document):
    """Why there is no picture: a stable code, a sentence that says what to do, the field at fault."""

    code: str
    message: str
    field: str | None = None
    retryable: bool = Field(description="The same request may succeed later.")


class ResultManifest(Document):
    """The one terminal answer to a request; created once, never overwritten."""

    schema_version: Literal[1] = 1
    id: str
    request_file: str
    redrive_of: str | None = Field(default=None, description="The id under which the same bytes first came.")
    status: ResultStatus
    cached: bool = False
    branch: str | None = None
    images: tuple[ImageRecord, ...] = ()
    request: dict[str, JsonValue] | None = Field(default=None, description="As received; null if not a JSON object.")
    request_sha256: Digest | None = None
    prompt: PromptRecord | None = None
    models: ModelsRecord | None = None
    sampling: SamplingRecord | None = None
    nodes: tuple[NodeRecord, ...] = ()
    timings: Timings
    attempt: int = Field(ge=1)
    worker: str
    created_at: AwareDatetime
    versions: dict[str, str] = {}
    warnings: tuple[str, ...] = ()
    metadata: dict[str, JsonValue] = Field(default={}, description="Echoed from the request.")
    error: ErrorRecord | None = None


def to_bytes(document: Document) -> bytes:
    """JSON as a person likes to read it: indented, UTF-8, a newline at the end."""
    return document.model_dump_json(indent=2).encode() + b"\n"
