"""The node that brings a reference into the shape it is drawn in."""

import struct
import warnings
from dataclasses import replace
from typing import ClassVar

from PIL import ExifTags, Image, ImageOps
from pydantic import JsonValue

from pipeline.nodes.base import BaseNode, Done
from pipeline.progress import Progress
from pipeline.reference import ReferenceImage, decode
from pipeline.state import State
from store.errors import WorkflowBroken

_BACKGROUND = (255, 255, 255)
# EXIF 2.32, tag 0x0112: how the camera was held; 1 needs no turn
_TURNS: dict[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


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
        fitted = ImageOps.fit(_opaque(_upright(image)), (size.drawn_width, size.drawn_height), Image.Resampling.LANCZOS)
        detail: dict[str, JsonValue] = {
            "name": reference.name,
            "sha256": reference.digest,
            "width": image.width,
            "height": image.height,
        }
        return Done(state=replace(state, init_image=fitted), detail=detail)


def _present(reference: ReferenceImage | None) -> ReferenceImage:
    if reference is None:
        raise WorkflowBroken("the node 'preprocessing' stands in a branch without a reference image")
    return reference


def _upright(image: Image.Image) -> Image.Image:
    # exif_transpose would write all tags back, and one broken tag would cost a picture that is whole
    turn = _TURNS.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return image.getexif().get(ExifTags.Base.Orientation)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error):
        return None


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        # 16-bit grey: convert() would clip every value over 255 to white
        return image.convert("I").point(lambda value: value / 256).convert("L").convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, _BACKGROUND), rgba).convert("RGB")
    return image.convert("RGB")
