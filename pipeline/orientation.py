"""How a picture lies: a camera writes down how it was held, and turns nothing."""

import warnings
from typing import Final

from PIL import ExifTags, Image

# EXIF 2.32, tag 0x0112: how the camera was held; 1 needs no turn
_TURNS: Final[dict[object, Image.Transpose]] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def turn_of(image: Image.Image) -> Image.Transpose | None:
    """What brings the picture upright; None where it lies as it should, or says nothing that can be read."""
    # ImageOps.exif_transpose would write all tags back, and one broken tag would cost a picture that is whole
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _TURNS.get(image.getexif().get(ExifTags.Base.Orientation))
    except Exception:
        # tags of unknown origin are parsed here; whatever that raises, the picture is taken as it lies
        return None
