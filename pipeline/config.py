"""Defaults and limits of drawing: the numbers an operator may change."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, SecretStr

from store.manifest import Document

MIB = 1024 * 1024


class Limits(Document):
    """What a request may ask for at most; each limit guards memory or time."""

    max_side: int = Field(default=2048, ge=64, le=8192, description="Largest width or height, pixels.")
    max_images: int = Field(default=8, ge=1, le=64, description="Largest num_images.")
    max_reference_bytes: int = Field(default=32 * MIB, ge=1024, description="Largest reference file.")
    max_reference_pixels: int = Field(default=40_000_000, ge=4096, description="Largest reference, width x height.")
    max_reference_side: int = Field(default=16384, ge=64, description="Largest side of a reference, pixels.")


def _none_if_blank(value: object) -> object:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    return (text.strip() or None) if isinstance(text, str) else value


def _sendable(key: SecretStr | None) -> SecretStr | None:
    if key is not None and not (key.get_secret_value().isascii() and key.get_secret_value().isprintable()):
        raise ValueError("a key is one line of printable ASCII")
    return key


class PromptConfig(Document):
    """How words are understood: with neither a key nor a base_url, by rules alone.

    With either, the user's words are sent to that server.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    llm_model: str = Field(default="gpt-6-luna", min_length=1, max_length=200, description="Model that is asked.")
    llm_base_url: Annotated[str | None, BeforeValidator(_none_if_blank)] = Field(
        default=None,
        pattern=r"^https?://[^\s@?#]+$",
        description="An OpenAI-compatible server, as http://127.0.0.1:11434/v1; OpenAI's own if not set.",
    )
    llm_api_key: Annotated[SecretStr | None, BeforeValidator(_none_if_blank), AfterValidator(_sendable)] = Field(
        default=None, description="Key of that server."
    )
    llm_timeout_seconds: float = Field(default=8.0, gt=0, le=120, description="Longest single call.")
    llm_deadline_seconds: float = Field(default=12.0, gt=0, le=300, description="Longest wait in all, retry included.")
    llm_cache_days: float = Field(default=30.0, ge=0, le=3650, description="How long answers are kept; 0 keeps none.")


class DrawingConfig(Document):
    """How the pipeline draws where neither the request nor the style says so."""

    default_style: str = Field(default="ultra_realistic", description="Style of requests with style=auto.")
    strength: float = Field(default=0.6, gt=0, le=1, description="How far a variation leaves its reference.")
    controlnet_scale: float = Field(default=0.6, ge=0, le=2, description="Weight of the reference's edges.")
    controlnet_end: float = Field(
        default=1.0, gt=0, le=1, description="Share of the steps after which the ControlNet rests; moves pixels."
    )
    canny_low: int = Field(default=100, ge=0, le=1000, description="Lower Canny threshold, gradient units.")
    canny_high: int = Field(default=200, ge=0, le=1000, description="Upper Canny threshold, gradient units.")
    text_guard: Literal["off", "report", "retry"] = Field(
        default="report",
        description="Lettering in pictures: not looked for, reported, or drawn again; needs imagegen[guard].",
    )
    jpeg_quality: int = Field(default=92, ge=1, le=100)
    webp_quality: int = Field(default=90, ge=1, le=100)
    profile: Literal["exact", "fast"] = Field(
        default="exact",
        description="exact: the same bytes every time; fast: compiled at the start, and pixels differ by a hair.",
    )
    device: str = Field(default="auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")
    host_cache_gb: float | None = Field(
        default=None,
        ge=0,
        le=1024,
        description="Host memory, GiB, that checkpoints are kept in between swaps; unset: half of what is spare.",
    )
    vram_gb: float | None = Field(
        default=None, gt=0, le=1024, description="Device memory, GiB, that drawings are planned for; unset: all of it."
    )
    threads: int | None = Field(default=None, ge=1, description="CPU threads of torch; they move pixels.")
    extra_nodes: tuple[str, ...] = Field(
        default=(), description="Installed nodes that join a branch, as 'NAME after|before|instead-of NODE'."
    )
    limits: Limits = Limits()
