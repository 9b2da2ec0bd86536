"""Grey pictures of 16 bits a pixel, as scanners write them."""

import numpy as np
from PIL import Image


def eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey without its lower bits; convert() would clip every value over 255 to white."""
    pixels = np.asarray(image)
    grey = (pixels >> 8).clip(0, 255).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[pixels == transparent] = 255
    return Image.fromarray(grey)
