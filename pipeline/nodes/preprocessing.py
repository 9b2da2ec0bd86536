"""The node that brings a reference into the shape it is drawn in."""

from dataclasses import replace
from typing import ClassVar

from PIL import Image, ImageOps
from pydantic import JsonValue

from pipeline.deep_grey import eight_bits
from pipeline.nodes.base import BaseNode, Done
from pipeline.orientation import turn_of
from pipeline.progress import Progress
from pipeline.reference import ReferenceImage, decode
from pipeline.state import State
from store.errors import WorkflowBroken

_BACKGROUND = (255, 255, 255)
_SIDEWAYS = (
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)


class Preprocessing(BaseNode):
    """Decode, turn upright, lay on white where transparent, cut and scale to the drawn size."""

    name: ClassVar[str] = "preprocessing"
    needs: ClassVar[tuple[str, ...]] = ("sampling",)
    makes: ClassVar[tuple[str, ...]] = ("init_image",)

    def run(self, state: State, progress: Progress) -> Done:
        """Make init_image from the reference."""
        reference = _present(state.reference)
        image = decode(reference, self.studio.config.limits)
        size = state.sampling.size
        init_image = fitted(image, (size.drawn_width, size.drawn_height))
        detail: dict[str, JsonValue] = {
            "name": reference.name,
            "sha256": reference.digest,
            "width": image.width,
            "height": image.height,
        }
        return Done(state=replace(state, init_image=init_image), detail=detail)


def fitted(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The reference upright, on white where transparent, cut and scaled to a size: RGB.

    Cut and scaled first, so that turning it and laying it on white cost no copies of a large one: with
    decoding, 40 million pixels take 640 MiB at most.
    """
    turn = turn_of(image)
    lying = size[::-1] if turn in _SIDEWAYS else size
    small = ImageOps.fit(_scalable(image), lying, Image.Resampling.LANCZOS)
    return _opaque(small if turn is None else small.transpose(turn))


def _present(reference: ReferenceImage | None) -> ReferenceImage:
    if reference is None:
        raise WorkflowBroken("the node 'preprocessing' stands in a branch without a reference image")
    return reference


def _scalable(image: Image.Image) -> Image.Image:
    """The same picture in a mode whose pixels can be mixed."""
    if image.mode.startswith("I"):
        return eight_bits(image)
    if image.mode in ("RGBA", "LA"):
        return image
    if "transparency" in image.info:
        return _with_transparency(image)
    return image if image.mode in ("RGB", "L", "CMYK") else image.convert("RGB")


def _with_transparency(image: Image.Image) -> Image.Image:
    try:
        return image.convert("RGBA")
    except (AssertionError, ValueError):
        # a transparent colour of another kind than the pixels; as everywhere, it then counts for nothing
        del image.info["transparency"]
        return image.convert("RGB")


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode not in ("RGBA", "LA"):
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, _BACKGROUND), rgba).convert("RGB")
