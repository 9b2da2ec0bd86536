"""Reference files that have broken decoders, or that people send although they are odd; made here, none is stored."""

import io
import random
import struct
import zlib
from typing import Any

from PIL import Image

from pipeline.config import Limits
from tests.pipeline.samples import encoded, oriented, quarters

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PARTS = 60_000
_BOMB = zlib.compress(bytes(64 * 1024 * 1024))


def png_chunk(kind: bytes, data: bytes = b"") -> bytes:
    """One chunk with its length and check sum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, pixels: bytes, *, depth: int = 8, colour: int = 2, extra: bytes = b"") -> bytes:
    """A PNG of these rows, each with its filter byte; extra: chunks before the pixels."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return PNG_SIGNATURE + header + extra + png_chunk(b"IDAT", zlib.compress(pixels)) + png_chunk(b"IEND")


def jpeg_segment(mark: int, data: bytes = b"") -> bytes:
    """One segment with its length."""
    return bytes([0xFF, mark]) + struct.pack(">H", len(data) + 2) + data


def noise(width: int = 96, height: int = 64) -> Image.Image:
    """A picture that no encoder can shorten."""
    return Image.frombytes("RGB", (width, height), random.Random(1).randbytes(width * height * 3))


def half_zeros(data: bytes) -> bytes:
    """The file as a crash leaves it whose length was given in advance."""
    return data[: len(data) // 2] + bytes(len(data) - len(data) // 2)


def progressive_jpeg(side: int, scans: int) -> bytes:
    """A grey JPEG of so many scans after the first, each over all blocks and each a few bytes long."""
    tables = b"".join(jpeg_segment(0xC4, bytes([kind, 1, *[0] * 15, 0])) for kind in (0x00, 0x10))
    frame = jpeg_segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0")
    first = jpeg_segment(0xDA, b"\1\1\0\0\0\0") + bytes((side // 8 + 1) ** 2 // 8 + 2)
    more = (jpeg_segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + b"\0\0") * scans
    return b"\xff\xd8" + jpeg_segment(0xDB, b"\0" + b"\1" * 64) + frame + tables + first + more + b"\xff\xd9"


def _sixteen_bits(channels: int, colour: int) -> bytes:
    row = b"\0" + b"".join(struct.pack(f">{channels}H", *[256 * x] * channels) for x in range(64))
    return png(64, 48, row * 48, depth=16, colour=colour)


def _frames(image_format: str, **options: Any) -> bytes:
    first, second = quarters(64, 48), Image.new("RGB", (64, 48))
    return encoded(first, image_format, save_all=True, append_images=[second], duration=100, **options)


def _mpo() -> bytes:
    buffer = io.BytesIO()
    quarters(64, 48).save(buffer, "MPO", save_all=True, append_images=[Image.new("RGB", (64, 48))])
    return buffer.getvalue()


def too_large() -> dict[str, bytes]:
    """What the limits refuse before a pixel is decoded."""
    pixels = bytes(4096)
    return {
        "1x100000": png(1, 100_000, bytes(200_000), colour=0),
        "100000x1": png(100_000, 1, bytes(100_001), colour=0),
        "50000x50000": png(50_000, 50_000, pixels),
        "65535x65535 JPEG": encoded(quarters(8, 8), "JPEG").replace(b"\0\x08\0\x08\x03", b"\xff\xff\xff\xff\x03", 1),
        "too many bytes": encoded(quarters(8, 8)) + bytes(Limits().max_reference_bytes),
    }


def unreadable() -> dict[str, bytes]:
    """What is no whole picture, or costs far more than it shows."""
    photo, drawing = encoded(noise(), "JPEG"), encoded(noise())
    webp, lossless = encoded(noise(400, 300), "WEBP"), encoded(noise(400, 300), "WEBP", lossless=True)
    row = bytes(8 * 25)
    damaged = bytearray(drawing)
    damaged[len(drawing) // 2] ^= 0xFF
    return {
        "nothing": b"",
        "text": b"<html>404</html>",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>',
        "gif": encoded(quarters(8, 8), "GIF"),
        "tiff": encoded(quarters(8, 8), "TIFF"),
        "JPEG cut": photo[: len(photo) // 2],
        "PNG cut": drawing[: len(drawing) // 2],
        "PNG without its end": drawing[:-12],
        "WebP cut": webp[: len(webp) // 2],
        "JPEG half zeros": half_zeros(photo),
        "PNG half zeros": half_zeros(drawing),
        "flat PNG half zeros": half_zeros(encoded(Image.new("RGB", (4000, 4000), "red"))),
        "WebP half zeros": half_zeros(webp),
        "lossless WebP half zeros": half_zeros(lossless),
        "damaged PNG": bytes(damaged),
        "huge zTXt": png(8, 8, row, extra=png_chunk(b"zTXt", b"a\0\0" + _BOMB)),
        "huge iTXt": png(8, 8, row, extra=png_chunk(b"iTXt", b"a\0\1\0\0\0" + _BOMB)),
        "huge iCCP": png(8, 8, row, extra=png_chunk(b"iCCP", b"a\0\0" + _BOMB)),
        "PNG of many chunks": png(8, 8, row, extra=png_chunk(b"prVt") * _PARTS),
        "JPEG of many segments": photo[:2] + jpeg_segment(0xE5) * _PARTS + photo[2:],
        "JPEG of fill bytes": photo[:2] + b"\xff" * 4_000_000 + photo[2:],
        "JPEG of 5000 scans": progressive_jpeg(2000, 5000),
        "WebP of many chunks": webp[:12] + b"XXXX\0\0\0\0" * _PARTS + webp[12:],
        "grey with the transparency of another kind": png(
            8, 8, bytes(9 * 8), colour=0, extra=png_chunk(b"tRNS", b"\0")
        ),
        "colours with a transparent grey": png(8, 8, bytes(25 * 8), extra=png_chunk(b"tRNS", b"\0\0")),
        "PNG of no height": png(8, 0, b""),
        "PNG of a wrong depth": png(8, 8, row, depth=3),
    }


def odd() -> dict[str, bytes]:
    """What is a whole picture, and is drawn: each one shows red, green, blue and white, or a ramp of grey."""
    picture = quarters(64, 48)
    jpeg, whole = encoded(picture, "JPEG", quality=95), encoded(picture)
    palette = picture.quantize(4)
    return {
        "CMYK JPEG": encoded(picture.convert("CMYK"), "JPEG", quality=95),
        "progressive JPEG": encoded(picture, "JPEG", quality=95, progressive=True),
        "JPEG of 20 scans": progressive_jpeg(64, 20),
        "JPEG on its side": encoded(picture.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=oriented(6)),
        "JPEG with a page behind it": jpeg + b"<html>" * 100,
        "JPEG with zeros behind it": jpeg + bytes(5000),
        "JPEG with a huge profile": encoded(picture, "JPEG", quality=95, icc_profile=bytes(3_000_000)),
        "MPO of two pictures": _mpo(),
        "PNG with an archive behind it": whole + b"PK\3\4" + bytes(500),
        "PNG with a text of 4 MB": whole[:33] + png_chunk(b"tEXt", b"a\0" + b"x" * 4_000_000) + whole[33:],
        "16-bit grey": _sixteen_bits(1, 0),
        "16-bit RGB": _sixteen_bits(3, 2),
        "16-bit RGBA": _sixteen_bits(4, 6),
        "palette with the transparent colour of another kind": png(
            8, 8, bytes(9 * 8), colour=3, extra=png_chunk(b"PLTE", b"\xff\0\0") + png_chunk(b"tRNS", b"\0\0")
        ),
        "palette without colours": png(8, 8, bytes(9 * 8), colour=3, extra=png_chunk(b"tRNS", b"\0")),
        "interlaced": _interlaced(),
        "palette": encoded(palette),
        "palette with transparency": encoded(palette, transparency=3),
        "grey with alpha": encoded(picture.convert("LA")),
        "animated PNG": _frames("PNG"),
        "animated WebP": _frames("WEBP", lossless=True),
        "flat WebP": encoded(Image.new("RGB", (4000, 4000), "red"), "WEBP", method=4),
    }


def _interlaced() -> bytes:
    """Adam7 of 1x1 is one pass of one row."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 1))
    return PNG_SIGNATURE + header + png_chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + png_chunk(b"IEND")
