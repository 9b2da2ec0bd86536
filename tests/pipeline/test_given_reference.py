"""A picture that a caller in Python gives is the picture that is drawn from."""

import io

import numpy as np
import pytest
from PIL import Image

from pipeline.config import Limits
from pipeline.given_reference import reference_from
from pipeline.reference import decode

RAMP = np.linspace(0, 65535, 9).astype(np.uint16)[None].repeat(4, axis=0)
EIGHT_BITS = [0, 31, 63, 95, 127, 159, 191, 223, 255]


def grey(picture: Image.Image) -> list[int]:
    return np.asarray(decode(reference_from(picture), Limits()).convert("L"))[0].tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("mode", ["I;16", "I"])
def test_of_a_16_bit_grey_the_upper_8_bits_are_kept(mode: str) -> None:
    picture = Image.fromarray(RAMP if mode == "I;16" else RAMP.astype(np.int32))
    assert picture.mode == mode
    assert grey(picture) == EIGHT_BITS


def test_integers_that_hold_8_bits_are_left_as_they_are() -> None:
    assert grey(Image.fromarray((RAMP >> 8).astype(np.int32))) == EIGHT_BITS


def test_a_camera_s_turn_is_taken_and_tags_that_cannot_be_read_cost_nothing() -> None:
    lying = Image.new("RGB", (20, 10), "red")
    turned = Image.Exif()
    turned[0x0112] = 6
    buffer = io.BytesIO()
    lying.save(buffer, "JPEG", exif=turned)
    assert decode(reference_from(Image.open(buffer)), Limits()).size == (10, 20)
    broken = Image.open(io.BytesIO(buffer.getvalue().replace(b"Exif\0\0MM\0*", b"Exif\0\0MM\0\xff")))
    assert decode(reference_from(broken), Limits()).size == (20, 10)
