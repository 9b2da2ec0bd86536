"""Reference images: bytes of unknown origin, decoded within limits."""

import io
import warnings
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from pipeline.anatomy import fault_of
from pipeline.config import Limits
from store.digest import Digest
from store.errors import ReferenceTooLarge, ReferenceUnreadable, RequestRejected

_FORMATS = ("PNG", "JPEG", "WEBP")
_FIELD = "reference_image"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceImage:
    """A reference as it came: its name in the inbox, its bytes and their digest."""

    name: str
    data: bytes
    digest: Digest

    @classmethod
    def of(cls, data: bytes, name: str = "reference") -> "ReferenceImage":
        """Take the bytes and compute their digest."""
        return cls(name=name, data=data, digest=Digest.of(data))


def decode(reference: ReferenceImage, limits: Limits) -> Image.Image:
    """The first frame, fully decoded, in its own mode and orientation.

    Raises ReferenceTooLarge before any pixel is decoded, ReferenceUnreadable if the bytes are not a
    whole PNG, JPEG or WebP.  A picture of 40 million pixels takes up to 620 MiB as WebP,
    460 MiB as JPEG and 160 MiB as PNG while it is decoded.
    """
    if len(reference.data) > limits.max_reference_bytes:
        raise ReferenceTooLarge(
            f"{reference.name}: found {len(reference.data)} bytes; allowed: at most {limits.max_reference_bytes}",
            field=_FIELD,
        )
    try:
        with warnings.catch_warnings():
            # Pillow warns about odd but readable files; our own limits decide what is too large
            warnings.simplefilter("ignore")
            return _decoded(reference, limits)
    except Image.DecompressionBombError as error:
        # Pillow's own limit lies above ours and strikes first
        raise ReferenceTooLarge(
            f"{reference.name}: {error}; allowed: at most {limits.max_reference_pixels} pixels", field=_FIELD
        ) from error
    except UnidentifiedImageError as error:
        raise ReferenceUnreadable(
            f"{reference.name}: not a PNG, JPEG or WebP image; export it as one of these", field=_FIELD
        ) from error
    except (RequestRejected, MemoryError):
        raise
    except Exception as error:
        # whatever else a decoder raises over bytes that nobody foresaw, it says that they are no picture
        raise ReferenceUnreadable(
            f"{reference.name}: not a whole PNG, JPEG or WebP image ({error}); export it again and send it whole",
            field=_FIELD,
        ) from error


def ends_whole(data: bytes) -> bool | None:
    """Whether the file ends with its format's end mark; None where the format has none.

    WebP carries its length in its header instead, which is compared with the length of the file.
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return len(data) >= int.from_bytes(data[4:8], "little") + 8
    if data.startswith(b"\x89PNG"):
        return data.endswith(b"IEND\xaeB`\x82")
    if data.startswith(b"\xff\xd8"):
        return data.endswith(b"\xff\xd9")
    return None


def _decoded(reference: ReferenceImage, limits: Limits) -> Image.Image:
    fault = fault_of(reference.data)
    if fault:
        raise ReferenceUnreadable(f"{reference.name}: {fault}; export it again and send it whole", field=_FIELD)
    image = Image.open(io.BytesIO(reference.data), formats=_FORMATS)
    _require_size(reference.name, *image.size, limits)
    image.load()
    return image


def _require_size(name: str, width: int, height: int, limits: Limits) -> None:
    most, side = limits.max_reference_pixels, limits.max_reference_side
    if width * height > most:
        raise ReferenceTooLarge(
            f"{name}: found {width}x{height} pixels; allowed: at most {most} in all; send a smaller one", field=_FIELD
        )
    if max(width, height) > side:
        raise ReferenceTooLarge(
            f"{name}: found {width}x{height} pixels; allowed: at most {side} a side; send a smaller one", field=_FIELD
        )
