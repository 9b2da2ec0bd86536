"""Bytes of unknown origin become a picture, or a rejection; neither costs more than the limits allow."""

import random
import struct
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageFile

from pipeline.config import Limits
from pipeline.nodes.preprocessing import fitted
from pipeline.reference import ReferenceImage, decode, ends_whole
from store.digest import Digest
from store.errors import ReferenceTooLarge, ReferenceUnreadable, RequestRejected
from tests.pipeline import hostile_images
from tests.pipeline.samples import BLUE, GREEN, RED, WHITE, corners, encoded, oriented, quarters

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
ALLOWED = ("PNG", "JPEG", "WEBP")
MIB = 1024 * 1024


def decoded(data: bytes, limits: Limits | None = None) -> Image.Image:
    return decode(ReferenceImage.of(data, "cat.png"), limits or Limits())


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_that_claims(width: int, height: int) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return PNG_SIGNATURE + header + chunk(b"IDAT", zlib.compress(b"\0" * 4096)) + chunk(b"IEND", b"")


def webp_that_claims(side: int) -> bytes:
    """A lossless WebP of one colour: signature byte, 14 bits each for width - 1 and height - 1, then zeros."""
    bits = 0x2F | (side - 1) << 8 | (side - 1) << 22
    stream = bits.to_bytes(5, "little") + bytes(32)
    body = b"WEBPVP8L" + struct.pack("<I", len(stream)) + stream + bytes(len(stream) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("image_format", ALLOWED)
def test_png_jpeg_and_webp_are_decoded(image_format: str) -> None:
    image = decoded(encoded(quarters(40, 24), image_format))
    assert (image.format, image.size, image.mode) == (image_format, (40, 24), "RGB")


@pytest.mark.parametrize("image_format", ["GIF", "TIFF", "BMP", "ICO", "PPM", "PDF", "JPEG2000"])
def test_other_formats_are_refused_with_the_three_allowed(image_format: str) -> None:
    with pytest.raises(ReferenceUnreadable, match=r"cat\.png: not a PNG, JPEG or WebP image") as caught:
        decoded(encoded(quarters(40, 24), image_format))
    assert (caught.value.code, caught.value.field) == ("reference_unreadable", "reference_image")


@pytest.mark.parametrize("data", [b"", b"\0", b"{}", PNG_SIGNATURE, b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP"], ids=ascii)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(ReferenceUnreadable):
        decoded(data)


@pytest.mark.parametrize("image_format", ALLOWED)
def test_the_name_of_a_file_says_nothing_about_its_format(image_format: str) -> None:
    reference = ReferenceImage.of(encoded(quarters(8, 8), image_format), "really a photo.txt")
    assert decode(reference, Limits()).format == image_format


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("image_format", ALLOWED)
def test_a_file_cut_short_is_refused(image_format: str, share: float) -> None:
    data = encoded(Image.frombytes("L", (64, 64), random.Random(1).randbytes(64 * 64)), image_format)
    with pytest.raises(ReferenceUnreadable):
        decoded(data[: int(len(data) * share)])


def test_a_small_file_that_claims_many_pixels_is_refused_before_they_are_decoded() -> None:
    data = png_that_claims(50_000, 50_000)
    tracemalloc.start()
    with pytest.raises(ReferenceTooLarge) as caught:
        decoded(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (caught.value.code, caught.value.field) == ("reference_too_large", "reference_image")
    assert "allowed: at most 40000000" in caught.value.message
    # 50 000 x 50 000 pixels are 7 GB
    assert peak < 2 * MIB


@pytest.mark.parametrize("data", [png_that_claims(6400, 6400), webp_that_claims(6400)], ids=["png", "webp"])
def test_a_picture_over_the_limit_of_pixels_is_refused_with_its_size(data: bytes) -> None:
    with pytest.raises(ReferenceTooLarge, match=r"cat\.png: found 6400x6400 pixels; allowed: at most 40000000 in all"):
        decoded(data)


def test_a_webp_of_the_largest_size_there_is_is_refused() -> None:
    with pytest.raises(ReferenceTooLarge):
        decoded(webp_that_claims(16383))


def test_the_limit_of_pixels_itself_is_allowed() -> None:
    limits = Limits(max_reference_pixels=4096)
    assert decoded(encoded(Image.new("RGB", (4096, 1))), limits).size == (4096, 1)
    with pytest.raises(ReferenceTooLarge):
        decoded(encoded(Image.new("RGB", (4097, 1))), limits)


def test_a_file_over_the_limit_of_bytes_is_refused_whatever_it_is() -> None:
    limits = Limits(max_reference_bytes=1024)
    with pytest.raises(ReferenceTooLarge, match=r"cat\.png: found 1025 bytes; allowed: at most 1024"):
        decoded(b"x" * 1025, limits)


def test_the_limit_of_bytes_itself_is_allowed() -> None:
    data = encoded(quarters(8, 8))
    padded = data[:-12] + chunk(b"tEXt", b"a\0" + b"x" * (1024 - len(data) - 14)) + data[-12:]
    assert len(padded) == 1024
    assert decoded(padded, Limits(max_reference_bytes=1024)).size == (8, 8)


@pytest.mark.parametrize("image_format", ["PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(image_format: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, BLUE)]
    options = {"lossless": True} if image_format == "WEBP" else {}
    data = encoded(frames[0], image_format, save_all=True, append_images=frames[1:], duration=100, **options)
    image = decoded(data)
    assert getattr(image, "n_frames", 1) == 2
    assert image.convert("RGB").getpixel((8, 8)) == RED


def test_a_picture_comes_as_it_lies_whatever_its_exif_says() -> None:
    assert decoded(encoded(quarters(40, 24), "JPEG", exif=oriented(6))).size == (40, 24)


def test_a_reference_knows_its_digest() -> None:
    reference = ReferenceImage.of(b"abc", "cat.png")
    assert (reference.name, reference.data, reference.digest) == ("cat.png", b"abc", Digest.of(b"abc"))


@pytest.mark.parametrize("image_format", ALLOWED)
def test_a_damaged_file_is_decoded_or_refused_and_nothing_else(image_format: str) -> None:
    damage = random.Random(20260301)
    whole = encoded(quarters(24, 16), image_format, exif=oriented(6))
    refused = 0
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(damage.randint(1, 3)):
            data[damage.randrange(len(data))] = damage.randrange(256)
        try:
            decoded(bytes(data))
        except RequestRejected:
            refused += 1
    assert refused > 0


@pytest.mark.parametrize("image_format", ALLOWED)
def test_a_whole_file_ends_whole_and_a_shorter_one_does_not(image_format: str) -> None:
    data = encoded(quarters(40, 24), image_format)
    assert ends_whole(data) is True
    assert ends_whole(data[:-1]) is False
    assert ends_whole(data[:20]) is False


@pytest.mark.parametrize("data", [b"", b"RIFF", b"GIF89a", b"RIFF\0\0\0\0WAVE"], ids=ascii)
def test_of_other_files_nobody_knows_whether_they_end_whole(data: bytes) -> None:
    assert ends_whole(data) is None


TOO_LARGE, UNREADABLE, ODD = hostile_images.too_large(), hostile_images.unreadable(), hostile_images.odd()


@pytest.mark.timeout(10)
@pytest.mark.parametrize("data", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_picture_that_costs_too_much_is_refused_before_it_is_decoded(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: pytest.fail("a pixel was decoded"))
    with pytest.raises(ReferenceTooLarge, match="allowed: at most"):
        decoded(data)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_whole_picture_is_refused_with_one_code(data: bytes) -> None:
    with pytest.raises(ReferenceUnreadable) as caught:
        decoded(data)
    assert (caught.value.code, caught.value.field) == ("reference_unreadable", "reference_image")


@pytest.mark.timeout(10)
@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_an_odd_but_whole_picture_is_decoded_and_prepared(data: bytes) -> None:
    image = fitted(decoded(data), (64, 48))
    assert (image.mode, image.size) == ("RGB", (64, 48))


@pytest.mark.parametrize(
    "name", [name for name in ODD if name.startswith(("CMYK", "JPEG on", "JPEG with", "MPO", "PNG"))]
)
def test_an_odd_picture_stands_upright_in_its_own_colours(name: str) -> None:
    assert corners(fitted(decoded(ODD[name]), (64, 48))) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize(("name", "most"), [("16-bit grey", 63), ("16-bit RGB", 63)])
def test_of_16_bits_the_upper_8_are_kept(name: str, most: int) -> None:
    ramp = fitted(decoded(ODD[name]), (64, 48))
    assert ramp.getextrema() == ((0, most),) * 3


def test_a_transparent_16_bit_grey_lies_on_white() -> None:
    grey = encoded(Image.new("I;16", (64, 48), 0x1200), transparency=0x1200)
    assert fitted(decoded(grey), (64, 48)).getextrema() == ((255, 255),) * 3


def test_the_largest_side_of_a_reference_is_a_limit() -> None:
    limits = Limits(max_reference_side=100)
    assert decoded(encoded(Image.new("RGB", (100, 7))), limits).size == (100, 7)
    with pytest.raises(ReferenceTooLarge, match="found 101x7 pixels; allowed: at most 100 a side"):
        decoded(encoded(Image.new("RGB", (101, 7))), limits)


def test_a_jpeg_may_have_as_many_scans_as_encoders_write_and_no_more() -> None:
    assert decoded(hostile_images.progressive_jpeg(64, 99)).size == (64, 64)
    with pytest.raises(ReferenceUnreadable, match="more than 100 scans"):
        decoded(hostile_images.progressive_jpeg(64, 100))


def test_a_jpeg_that_only_lacks_its_end_mark_has_all_its_pixels() -> None:
    data = encoded(quarters(64, 48), "JPEG")
    assert decoded(data[:-2] + bytes(8)).size == (64, 48)


def test_whatever_a_decoder_raises_over_strange_bytes_is_a_rejection(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(image: Image.Image) -> None:
        raise IndexError("nobody foresaw this")

    data = encoded(quarters(8, 8), "JPEG")
    monkeypatch.setattr(ImageFile.ImageFile, "load", raises)
    with pytest.raises(ReferenceUnreadable, match="nobody foresaw this"):
        decoded(data)


def test_a_machine_without_memory_is_not_the_fault_of_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(image: Image.Image) -> None:
        raise MemoryError

    data = encoded(quarters(8, 8), "JPEG")
    monkeypatch.setattr(ImageFile.ImageFile, "load", raises)
    with pytest.raises(MemoryError):
        decoded(data)


MEASURED = """
import sys
from pipeline.config import Limits
from pipeline.nodes.preprocessing import fitted
from pipeline.reference import ReferenceImage, decode

def peak():
    status = open("/proc/self/status").read()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024

data = open(sys.argv[1], "rb").read()
before = peak()
fitted(decode(ReferenceImage.of(data), Limits()), (1024, 1024))
print(peak() - before)
"""
LARGEST = {
    "RGBA PNG": (lambda: encoded(Image.new("RGBA", (8000, 5000)), compress_level=1), 400),
    "RGB PNG with a transparent colour": (
        lambda: encoded(Image.new("RGB", (8000, 5000)), transparency=(1, 2, 3), compress_level=1),
        560,
    ),
    "progressive CMYK JPEG": (
        lambda: encoded(Image.new("CMYK", (8000, 5000)), "JPEG", progressive=True),
        540,
    ),
    "RGBA WebP": (
        lambda: encoded(Image.new("RGBA", (8000, 5000), (1, 2, 3, 4)), "WEBP", lossless=True, method=0),
        720,
    ),
}


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("data", "most"), LARGEST.values(), ids=LARGEST)
def test_the_largest_reference_takes_no_more_memory_than_stated(data: Any, most: int, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(data())
    process = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path / "large")], capture_output=True, text=True, check=True
    )
    assert int(process.stdout) < most, "MiB"
