"""The node that gives pictures the size and format that were asked for."""

import io
from dataclasses import replace
from typing import ClassVar

import numpy as np
from PIL import Image

from pipeline.config import DrawingConfig
from pipeline.nodes.base import BaseNode, Done
from pipeline.progress import Progress
from pipeline.sizes import Size
from pipeline.state import State
from store.manifest import ImageFormat
from store.outbox import EncodedImage
from store.png import encode_png


class Postprocessing(BaseNode):
    """Cut or scale each picture to the exact size and encode it."""

    name: ClassVar[str] = "postprocessing"
    needs: ClassVar[tuple[str, ...]] = ("sampling", "pictures")
    makes: ClassVar[tuple[str, ...]] = ("images",)

    def run(self, state: State, progress: Progress) -> Done:
        """Make images from pictures."""
        sampling = state.sampling
        images = []
        for pixels, seed in zip(state.pictures, sampling.seeds, strict=True):
            picture = _sized(Image.fromarray(pixels), sampling.size)
            data = encode(picture, sampling.output_format, self.studio.config)
            images.append(
                EncodedImage(
                    data=data, width=picture.width, height=picture.height, format=sampling.output_format, seed=seed
                )
            )
        detail = {"format": sampling.output_format, "bytes": sum(len(image.data) for image in images)}
        return Done(state=replace(state, images=tuple(images)), detail=detail)


def encode(picture: Image.Image, image_format: ImageFormat, config: DrawingConfig) -> bytes:
    """The bytes of an RGB picture as png (lossless), webp or jpeg (by the configured quality)."""
    buffer = io.BytesIO()
    match image_format:
        case "png":
            return encode_png(np.asarray(picture))
        case "webp":
            picture.save(buffer, "WEBP", quality=config.webp_quality)
        case "jpeg":
            picture.save(buffer, "JPEG", quality=config.jpeg_quality)
    return buffer.getvalue()


def _sized(picture: Image.Image, size: Size) -> Image.Image:
    if size.fit == "resize":
        # scaled until it covers the asked size, then cut around the middle, so nothing is distorted
        scale = max(size.width / picture.width, size.height / picture.height)
        covering = (max(size.width, round(picture.width * scale)), max(size.height, round(picture.height * scale)))
        picture = picture.resize(covering, Image.Resampling.LANCZOS)
    left, top = (picture.width - size.width) // 2, (picture.height - size.height) // 2
    return picture.crop((left, top, left + size.width, top + size.height))
