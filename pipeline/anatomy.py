"""How image files are built: what their own marks tell before a pixel is decoded."""

import re
import zlib

# a file of the largest size, cut into parts of 700 bytes; a decoder spends time and memory on each part
MAX_PARTS = 50_000
MAX_SCANS = 100
_LEAST_ZEROS = 64
_PIXELS_A_ZERO = 2048
_MAX_GAP = 4096
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
# FF 00 is a pixel value and FF D0 to FF D7 restart the decoder; neither begins a segment
_SEGMENT = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_ALONE = b"\x01\xd8"
_EOI, _SOS = 0xD9, 0xDA


def fault_of(data: bytes) -> str | None:
    """What makes a PNG, JPEG or WebP file unfit to be decoded although a decoder may take it; None if nothing.

    Reads each byte a few times at most, and keeps none; asked before the file is opened, because a
    decoder's time and memory grow with the number of parts, not of pixels.
    """
    if data.startswith(_PNG):
        return _png_fault(data)
    if data.startswith(_JPEG):
        return _jpeg_fault(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp_fault(data)
    return None


def _png_fault(data: bytes) -> str | None:
    """PNG 3rd edition, 5.3: length, name, data and CRC, from IHDR to IEND."""
    at = len(_PNG)
    for _ in range(MAX_PARTS):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            return "it ends before its IEND"
        # the decoder stops at the last pixel and would not see that the data before it were damaged
        if name[:1].isupper() and zlib.crc32(memoryview(data)[at + 4 : end - 4]) != _crc(data, end):
            return f"the check sum of its {name.decode('ascii', 'backslashreplace')} is wrong"
        if name == b"IEND":
            return None
        at = end
    return f"it has more than {MAX_PARTS} chunks"


def _crc(data: bytes, end: int) -> int:
    return int.from_bytes(data[end - 4 : end], "big")


def _jpeg_fault(data: bytes) -> str | None:
    """ITU T.81, annex B: segments with a length, scans between them, EOI at the end."""
    at, scans = len(_JPEG), 0
    for _ in range(MAX_PARTS):
        mark = _SEGMENT.search(data, at)
        if mark is None:
            return _unended(data, scans)
        if not scans and mark.start() - at > _MAX_GAP:
            return f"it has more than {_MAX_GAP} stray bytes before its first scan"
        kind, at = data[mark.end() - 1], mark.end()
        if kind == _EOI:
            return None
        scans += kind == _SOS
        if scans > MAX_SCANS:
            return f"it has more than {MAX_SCANS} scans"
        if kind not in _ALONE:
            at += int.from_bytes(data[at : at + 2], "big")
    return f"it has more than {MAX_PARTS} segments"


def _unended(data: bytes, scans: int) -> str | None:
    if not scans:
        return "it ends before its first scan"
    # zeros decode into grey without an error; a file that only lacks its EOI has all its pixels
    return "its end was never written, it is all zeros" if _zeros(data) >= _LEAST_ZEROS else None


def _webp_fault(data: bytes) -> str | None:
    """RFC 9649, 2.3: chunks of a name, a little-endian length and data, padded to an even length."""
    at = 12
    for _ in range(MAX_PARTS):
        if at + 8 > len(data):
            return None
        stop = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        pixels = _webp_pixels(data[at : at + 18])
        # an even-coloured picture ends in some zeros of its own, about one for 10 000 pixels
        if pixels is not None and _zeros(data[at + 8 : stop]) >= max(_LEAST_ZEROS, pixels // _PIXELS_A_ZERO):
            return "its end was never written, it is all zeros"
        at = stop + stop % 2
    return f"it has more than {MAX_PARTS} chunks"


def _webp_pixels(head: bytes) -> int | None:
    """Width x height of an image chunk; RFC 6386, 9.1, and RFC 9649, 3.4: 14 bits for each side."""
    if head[:4] == b"VP8 ":
        sides = int.from_bytes(head[14:18], "little")
        return (sides & 0x3FFF) * (sides >> 16 & 0x3FFF)
    if head[:4] == b"VP8L":
        sides = int.from_bytes(head[9:13], "little")
        return ((sides & 0x3FFF) + 1) * ((sides >> 14 & 0x3FFF) + 1)
    return None


def _zeros(data: bytes) -> int:
    return len(data) - len(data.rstrip(b"\0"))
