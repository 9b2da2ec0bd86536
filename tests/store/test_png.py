"""A PNG of ours shows every pixel as it was, to anybody who reads PNGs."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from store.png import encode_png


def noise(height: int, width: int, seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 1000))
def test_no_pixel_is_lost_at_any_size(height: int, width: int, seed: int) -> None:
    pixels = noise(height, width, seed)
    with Image.open(io.BytesIO(encode_png(pixels))) as picture:
        picture.load()
        assert (picture.format, picture.mode) == ("PNG", "RGB")
        assert np.array_equal(np.asarray(picture), pixels)


def test_another_reader_sees_the_same() -> None:
    pixels = noise(64, 48)
    found = cv2.imdecode(np.frombuffer(encode_png(pixels), np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(cv2.cvtColor(found, cv2.COLOR_BGR2RGB), pixels)


@pytest.mark.parametrize("value", [0, 1, 128, 255])
def test_flat_pictures_become_small_files(value: int) -> None:
    assert len(encode_png(np.full((256, 256, 3), value, np.uint8))) < 5000


def test_the_same_pixels_give_the_same_bytes() -> None:
    assert encode_png(noise(64, 64)) == encode_png(noise(64, 64).copy())


def test_a_view_of_a_larger_picture_is_written_as_it_looks() -> None:
    pixels = noise(64, 64)[3:40:2, 5:60:3]
    with Image.open(io.BytesIO(encode_png(pixels))) as picture:
        assert np.array_equal(np.asarray(picture), pixels)


def test_every_chunk_has_its_checksum() -> None:
    data = encode_png(noise(8, 8))[8:]
    kinds = []
    while data:
        size, kind = struct.unpack(">I4s", data[:8])
        assert struct.unpack(">I", data[8 + size : 12 + size])[0] == zlib.crc32(data[4 : 8 + size])
        kinds.append(kind)
        data = data[12 + size :]
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]


@pytest.mark.parametrize("pixels", [np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.uint16)])
def test_what_is_no_rgb_picture_is_refused(pixels: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="allowed: 3 of uint8"):
        encode_png(pixels)
