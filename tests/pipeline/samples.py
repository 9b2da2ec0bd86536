"""Requests, styles, pictures and nodes that several tests of the pipeline need."""

import io
from typing import Any

import numpy as np
from PIL import Image

from pipeline.config import DrawingConfig
from pipeline.nodes.base import Studio
from pipeline.prompt.korean import KoreanExtractor
from pipeline.reference import ReferenceImage
from pipeline.request import GenerationRequest
from pipeline.sampling import Sampling
from pipeline.sizes import Size
from pipeline.styles import Style, load_styles
from tests.clock import FakeClock

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
# diffusers' schedulers turn torch tensors into numpy arrays in a way numpy 2 warns about
NUMPY_IN_DIFFUSERS = "ignore:__array__ implementation:DeprecationWarning"
ORIENTATION = 0x0112


def asked(**fields: Any) -> GenerationRequest:
    """A request for a cat, with these fields set besides."""
    return GenerationRequest.model_validate({"prompt": "a cat", **fields})


def plain_style(**fields: Any) -> Style:
    """A style in which no number is like a default elsewhere."""
    least = {
        "name": "plain",
        "title": "Plain",
        "repo": "someone/plain",
        "dialect": "natural",
        "native_size": 512,
        "scheduler": "EulerDiscreteScheduler",
        "steps": 17,
        "guidance_scale": 3.25,
        "positive": "picture of {prompt}, sharp",
        "negative": "text, {negative}",
    }
    return Style.model_validate(least | fields)


def exact_size(width: int, height: int) -> Size:
    """A size that is drawn as it is asked for."""
    return Size(width=width, height=height, drawn_width=width, drawn_height=height, fit="crop")


def sampled(size: Size, **fields: Any) -> Sampling:
    """The numbers of one picture of this size."""
    least: dict[str, Any] = {
        "steps": 4,
        "guidance_scale": 5.0,
        "size": size,
        "seeds": (7,),
        "strength": 0.6,
        "controlnet_scale": 0.6,
        "controlnet_end": 1.0,
        "reference_mode": "variation",
        "output_format": "png",
    }
    return Sampling(**(least | fields))


def studio(config: DrawingConfig | None = None, clock: FakeClock | None = None) -> Studio:
    """What nodes work with, as long as none of them draws: there are no checkpoints."""
    missing: Any = None
    return Studio(
        config=config or DrawingConfig(),
        styles=load_styles(),
        checkpoints=missing,
        clock=clock or FakeClock(),
        extractor=KoreanExtractor(),
    )


def encoded(image: Image.Image, image_format: str = "PNG", **options: Any) -> bytes:
    """The bytes of a picture's file."""
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def reference_of(image: Image.Image, image_format: str = "PNG", **options: Any) -> ReferenceImage:
    """The picture as somebody would send it."""
    return ReferenceImage.of(encoded(image, image_format, **options))


def quarters(width: int, height: int) -> Image.Image:
    """Red, green, blue and white, from left to right and from top to bottom: every turn and flip shows."""
    pixels = np.empty((height, width, 3), np.uint8)
    middle, half = width // 2, height // 2
    pixels[:half, :middle], pixels[:half, middle:] = RED, GREEN
    pixels[half:, :middle], pixels[half:, middle:] = BLUE, WHITE
    return Image.fromarray(pixels)


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """The colours near the four corners of an RGB picture, in reading order, rounded to full or none."""
    right, bottom = image.width - 3, image.height - 3
    found = [image.getpixel(place) for place in ((2, 2), (right, 2), (2, bottom), (right, bottom))]
    return [tuple(255 * (value > 127) for value in pixel) for pixel in found if isinstance(pixel, tuple)]


def same_pixels(one: Image.Image, other: Image.Image) -> bool:
    """Whether two pictures look the same, whatever else their files say."""
    return one.mode == other.mode and np.array_equal(np.asarray(one), np.asarray(other))


def oriented(value: int) -> Image.Exif:
    """EXIF that says how the camera was held."""
    exif = Image.Exif()
    exif[ORIENTATION] = value
    return exif
