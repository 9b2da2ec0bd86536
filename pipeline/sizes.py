"""Sizes: what was asked for, what is drawn, and how one becomes the other."""

import math
from dataclasses import dataclass
from typing import Literal

from pipeline.request import AspectRatio, GenerationRequest, Purpose

# SDXL's training buckets at a native size of 1024 (SDXL paper, arXiv 2307.01952, appendix I), as used by its UIs
BUCKETS: dict[AspectRatio, tuple[int, int]] = {
    "1:1": (1024, 1024),
    "4:3": (1152, 896),
    "3:4": (896, 1152),
    "3:2": (1216, 832),
    "2:3": (832, 1216),
    "16:9": (1344, 768),
    "9:16": (768, 1344),
    "21:9": (1536, 640),
    "9:21": (640, 1536),
}
PURPOSES: dict[Purpose, AspectRatio] = {
    "feed": "3:4",
    "story": "9:16",
    "reels": "9:16",
    "banner": "16:9",
    "thumbnail": "16:9",
    "poster": "2:3",
    "menu": "3:4",
    "product": "1:1",
    "profile": "1:1",
    "event": "3:4",
    "other": "1:1",
}
_BUCKET_NATIVE = 1024
_AREA_SLACK = 1.1
_LONGEST_SIDE = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Pixels: width and height as asked for, drawn_* as the checkpoint draws them.

    fit "crop": the picture is cut from the drawn one; "resize": the drawn one is scaled first.
    """

    width: int
    height: int
    drawn_width: int
    drawn_height: int
    fit: Literal["crop", "resize"]


def resolve_size(request: GenerationRequest, native_size: int, wish: AspectRatio | None = None) -> Size:
    """The size of a request for a checkpoint that draws native_size x native_size best.

    wish is the aspect ratio where the request itself names neither pixels nor a ratio.
    """
    width, height = _asked(request, native_size, wish)
    if _draws_well(width, height, native_size):
        return Size(
            width=width, height=height, drawn_width=_multiple(width), drawn_height=_multiple(height), fit="crop"
        )
    # by the quotient of the ratios, not their difference: upright and lying pictures lose the same share
    drawn = min(_scaled_buckets(native_size), key=lambda bucket: abs(math.log(bucket[0] / bucket[1] * height / width)))
    return Size(width=width, height=height, drawn_width=drawn[0], drawn_height=drawn[1], fit="resize")


def wished_aspect_ratio(
    request: GenerationRequest, said: AspectRatio | None, purpose: Purpose | None
) -> AspectRatio | None:
    """The ratio the prompt's own words lead to: what they say, else the purpose of the request or of the words."""
    named = request.purpose or purpose
    return said or (PURPOSES[named] if named else None)


def _asked(request: GenerationRequest, native_size: int, wish: AspectRatio | None) -> tuple[int, int]:
    if request.width is not None and request.height is not None:
        return request.width, request.height
    by_purpose = PURPOSES[request.purpose] if request.purpose else "1:1"
    return _scaled(BUCKETS[request.aspect_ratio or wish or by_purpose], native_size)


def _draws_well(width: int, height: int, native_size: int) -> bool:
    return width * height <= _AREA_SLACK * native_size**2 and max(width, height) <= _LONGEST_SIDE * native_size


def _scaled_buckets(native_size: int) -> list[tuple[int, int]]:
    return [_scaled(bucket, native_size) for bucket in BUCKETS.values()]


def _scaled(bucket: tuple[int, int], native_size: int) -> tuple[int, int]:
    return _multiple(bucket[0] * native_size // _BUCKET_NATIVE), _multiple(bucket[1] * native_size // _BUCKET_NATIVE)


def _multiple(pixels: int) -> int:
    # the VAE halves three times
    return -(-pixels // 8) * 8
