"""A reference as a caller in Python gives it: a picture, its bytes, or where it lies."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.deep_grey import eight_bits
from pipeline.orientation import turn_of
from pipeline.reference import ReferenceImage
from store.errors import ReferenceUnreadable

_WHITE = 255


def reference_from(image: "Image.Image | bytes | Path | str") -> ReferenceImage:
    """The reference, not decoded yet; raises ReferenceUnreadable where its file cannot be read."""
    if isinstance(image, (bytes, bytearray)):
        return ReferenceImage.of(bytes(image))
    try:
        if isinstance(image, Image.Image):
            return ReferenceImage.of(_as_png(image))
        path = Path(image)
        # a request cannot name a dot file, but here it is only a name
        return ReferenceImage.of(path.read_bytes(), path.name.lstrip(".") or "reference")
    except OSError as error:
        raise ReferenceUnreadable(f"the reference image cannot be read: {error}", field="reference_image") from error


def _as_png(image: Image.Image) -> bytes:
    # a PNG takes neither every mode nor the orientation a camera wrote
    turn = turn_of(image)
    upright = image if turn is None else image.transpose(turn)
    if _is_deep(upright):
        upright = eight_bits(upright)
    mode = "RGBA" if upright.has_transparency_data else "RGB"
    buffer = io.BytesIO()
    upright.convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def _is_deep(image: Image.Image) -> bool:
    # 32-bit integers hold pixels of 8 bits as well as of 16
    return image.mode.startswith("I;16") or (image.mode == "I" and bool((np.asarray(image) > _WHITE).any()))
