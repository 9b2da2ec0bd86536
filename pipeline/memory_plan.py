"""How much device memory a drawing needs at its peak, by arithmetic alone: no GPU, no torch."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

GIB: Final = 1024**3
Mode = Literal["text2image", "variation", "structure"]
MODES: Final[tuple[Mode, ...]] = ("text2image", "variation", "structure")

# bytes a drawn pixel in half precision, of what is alive at once: counted over SDXL's modules on torch's "meta" device,
# with attention that keeps no scores, guidance and one image; they grow with the area alone
_UNET, _CONTROLNET, _DECODE, _ENCODE = 316, 318, 1536, 1286
# what a ControlNet hands to the UNet and stays alive beside it
_RESIDUALS = 102
_HALF = 2
# a CUDA context with its libraries, and the workspace of convolutions
CONTEXT: Final = int(0.8 * GIB)
FRAGMENTED: Final = 1.05
_STEP = 8
_LEAST_SIDE = 64

Rung = Literal["whole", "tiled_512", "tiled_256", "cpu"]
_TILES: Final[dict[Rung, int]] = {"tiled_512": 512, "tiled_256": 256}


@dataclass(frozen=True, slots=True, kw_only=True)
class Elements:
    """How many numbers each component holds; by default SDXL's."""

    unet: int = 2_567_463_684
    text_encoders: int = 123_060_480 + 694_659_840
    vae: int = 83_653_863
    controlnet: int = 1_251_014_160


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """Bytes on the device for one drawing: what lies there, and what each phase adds to it.

    decode: by rung, as far as tiles are smaller than the picture.  Everything but the weights is zero where there is
    nothing to do.
    """

    mode: Mode
    width: int
    height: int
    weights: int
    encode: int
    denoise: int
    decode: dict[Rung, int]

    def peak(self, rung: Rung) -> int:
        """The most bytes at a time, with the decode on this rung; context, workspace and fragments included."""
        return int((self.weights + max(self.encode, self.denoise, self.decode[rung])) * FRAGMENTED) + CONTEXT

    def rung(self, available: int) -> Rung | None:
        """The first rung whose peak fits; None where not even the drawing itself fits."""
        return next((rung for rung in self.decode if self.peak(rung) <= available), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlanner:
    """Plans drawings with given weights; bytes_a_number: 2 in half precision, 4 in single.

    Drawings from words are planned without the ControlNet, because the node that draws them releases one that was left
    there unless `leaves_controlnet`: what fits, and on which rung, does not depend on what was drawn before.
    """

    elements: Elements = Elements()
    bytes_a_number: int = _HALF

    def plan(self, mode: Mode, width: int, height: int) -> MemoryPlan:
        """The plan of a drawn size, pixels."""
        pixels = width * height * self.bytes_a_number // _HALF
        guided = mode != "text2image"
        return MemoryPlan(
            mode=mode,
            width=width,
            height=height,
            weights=self._weights(guided=guided),
            encode=_ENCODE * pixels if mode == "variation" else 0,
            denoise=(max(_CONTROLNET, _UNET + _RESIDUALS) if guided else _UNET) * pixels,
            decode=dict(self._decodes(width, height)),
        )

    def leaves_controlnet(self, width: int, height: int, available: int) -> bool:
        """Whether a drawing from words is decoded whole beside a ControlNet that an earlier drawing left there.

        Where it would be decoded in tiles anyway the answer is no: what memory really holds may differ a little from
        the plan, and then the ControlNet would decide about the rung.
        """
        alone = self.plan("text2image", width, height)
        return replace(alone, weights=self._weights(guided=True)).peak("whole") <= available

    def largest(self, mode: Mode, width: int, height: int, available: int) -> tuple[int, int] | None:
        """The largest size of about this shape that fits, multiples of 8; None where none does."""
        for steps in range(max(width, height) // _STEP, 0, -1):
            scale = steps * _STEP / max(width, height)
            smaller = _rounded(width * scale), _rounded(height * scale)
            if self.plan(mode, *smaller).rung(available) is not None:
                return smaller
        return None

    def _weights(self, *, guided: bool) -> int:
        parts = self.elements
        numbers = parts.unet + parts.text_encoders + parts.vae + (parts.controlnet if guided else 0)
        return numbers * self.bytes_a_number

    def _decodes(self, width: int, height: int) -> Iterator[tuple[Rung, int]]:
        area = _DECODE * self.bytes_a_number // _HALF
        yield "whole", area * width * height
        for rung, side in _TILES.items():
            if side < max(width, height):
                # the decoded tiles stay until they are joined, three numbers a pixel and a quarter over for the seams
                joined = width * height * 3 * self.bytes_a_number * 2
                yield rung, area * min(side, width) * min(side, height) + joined
        yield "cpu", 0


def mode_of(*, referenced: bool, varied: bool) -> Mode:
    """Which mode a drawing is planned as."""
    if not referenced:
        return "text2image"
    return "variation" if varied else "structure"


def _rounded(side: float) -> int:
    return max(_LEAST_SIDE, int(side) // _STEP * _STEP)
