"""Defaults and limits of drawing: the numbers an operator may change."""

from typing import Literal

from pydantic import Field

from store.manifest import Document

MIB = 1024 * 1024


class Limits(Document):
    """What a request may ask for at most; each limit guards memory or time."""

    max_side: int = Field(default=2048, ge=64, le=8192, description="Largest width or height, pixels.")
    max_images: int = Field(default=8, ge=1, le=64, description="Largest num_images.")
    max_reference_bytes: int = Field(default=32 * MIB, ge=1024, description="Largest reference file.")
    max_reference_pixels: int = Field(default=40_000_000, ge=4096, description="Largest reference, width x height.")


class DrawingConfig(Document):
    """How the pipeline draws where neither the request nor the style says so."""

    default_style: str = Field(default="ultra_realistic", description="Style of requests with style=auto.")
    strength: float = Field(default=0.6, gt=0, le=1, description="How far a variation leaves its reference.")
    controlnet_scale: float = Field(default=0.6, ge=0, le=2, description="Weight of the reference's edges.")
    canny_low: int = Field(default=100, ge=0, le=1000, description="Lower Canny threshold, gradient units.")
    canny_high: int = Field(default=200, ge=0, le=1000, description="Upper Canny threshold, gradient units.")
    text_guard: Literal["off", "report", "retry"] = Field(
        default="report",
        description="Lettering in pictures: not looked for, reported, or drawn again; needs imagegen[guard].",
    )
    jpeg_quality: int = Field(default=92, ge=1, le=100)
    webp_quality: int = Field(default=90, ge=1, le=100)
    device: str = Field(default="auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")
    threads: int | None = Field(default=None, ge=1, description="CPU threads of torch; they move pixels.")
    extra_nodes: tuple[str, ...] = Field(
        default=(), description="Installed nodes that join a branch, as 'NAME after|before|instead-of NODE'."
    )
    limits: Limits = Limits()
