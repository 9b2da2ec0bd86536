"""From latents to pixels, on the first rung where memory suffices; nothing is denoised again for it."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor

from pipeline.device import Device
from pipeline.out_of_memory import is_out_of_memory
from store.errors import CheckpointBroken, OutOfMemory

WHOLE: Final = "whole"
SINGLE_PRECISION: Final = "float32"
# one image at a time is the rule here, so slicing a batch has nothing left to slice
_TILES: Final = {"tiled_512": 512, "tiled_256": 256}
_CPU: Final = "cpu"
_PIXELS_A_LATENT = 8
_APART = 997


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A picture of shape (height, width, 3) and the rung it was decoded on: WHOLE, or one that moves pixels a little.

    flat: every pixel has the same colour, in single precision as well.
    """

    picture: NDArray[np.uint8]
    rung: str
    flat: bool


def decode(vae: AutoencoderKL, latents: Tensor, device: Device) -> Decoded:
    """Decode the latents of one image, (1, 4, height / 8, width / 8).

    Whole, in tiles of 512 pixels, of 256, on the CPU: the next one where memory runs out.  What is no number or has
    one colour only is decoded once more in single precision.  Raises CheckpointBroken if what comes out is no
    picture, OutOfMemory after the last rung.
    """
    # from here on the device owes us nothing
    kept = latents.detach().to("cpu", copy=True)
    del latents
    if not torch.isfinite(kept).all():
        raise CheckpointBroken("the drawing is not a number; the checkpoint overflows in this precision")
    decoded = _on_a_rung(vae, kept, device)
    if decoded is None or (decoded.flat and _is_half(vae)):
        decoded = _in_single_precision(vae, kept, device) or decoded
    if decoded is None:
        # it would be stored as a black picture
        raise CheckpointBroken("the drawing is not a number; the VAE overflows in this precision")
    return decoded


def _on_a_rung(vae: AutoencoderKL, latents: Tensor, device: Device) -> Decoded | None:
    for rung, decoder in _rungs(vae, latents):
        pixels = _tried(decoder, latents)
        if pixels is not None:
            return _picture(pixels, rung)
        # not inside the except block: the error holds what is to be freed
        device.release()
    raise OutOfMemory("memory ran out while the picture was decoded, even in small tiles and on the CPU")


def _rungs(vae: AutoencoderKL, latents: Tensor) -> list[tuple[str, Callable[[], Any]]]:
    largest = max(latents.shape[-2:]) * _PIXELS_A_LATENT
    tiles = [(rung, size) for rung, size in _TILES.items() if size < largest]
    return [
        (WHOLE, lambda: vae),
        *((rung, lambda size=size: _tiling(vae, size)) for rung, size in tiles),
        (_CPU, lambda: _in_main_memory(vae)),
    ]


def _tried(decoder: Callable[[], Any], latents: Tensor) -> Tensor | None:
    try:
        return _decoded(decoder(), latents)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    return None


@torch.no_grad()
def _decoded(vae: Any, latents: Tensor) -> Tensor:
    """Pixels, (height, width, 3), on the CPU; in uint8, unless they are no numbers."""
    given = latents.to(vae.device, vae.dtype)
    image: Tensor = vae.decode(_unscaled(vae, given), return_dict=False)[0]
    if not torch.isfinite(image).all():
        return torch.full((1, 1, 3), torch.nan)
    # as diffusers' VaeImageProcessor does, but on the device: a quarter of the bytes comes back
    shown = (image * 0.5 + 0.5).clamp(0, 1).float()[0] * 255
    return shown.round().to(torch.uint8).permute(1, 2, 0).contiguous().cpu()


def _unscaled(vae: Any, latents: Tensor) -> Tensor:
    mean, spread = (getattr(vae.config, name, None) for name in ("latents_mean", "latents_std"))
    if mean is None or spread is None:
        return latents / float(vae.config.scaling_factor)
    shape = (1, -1, 1, 1)
    mean, spread = (torch.tensor(numbers).view(shape).to(latents.device, latents.dtype) for numbers in (mean, spread))
    return latents * spread / float(vae.config.scaling_factor) + mean


def _picture(pixels: Tensor, rung: str) -> Decoded | None:
    if pixels.dtype != torch.uint8:
        return None
    return Decoded(picture=pixels.numpy(), rung=rung, flat=_is_flat(pixels.view(-1, 3)))


def _is_flat(colours: Tensor) -> bool:
    # of nearly every picture a few pixels tell
    return all(bool((some == colours[0]).all()) for some in (colours[::_APART], colours))


def _in_single_precision(vae: AutoencoderKL, latents: Tensor, device: Device) -> Decoded | None:
    if not _is_half(vae):
        return None
    pixels = _tried(lambda: copy.deepcopy(vae).float(), latents)
    if pixels is None:
        device.release()
        pixels = _tried(lambda: _in_main_memory(vae), latents)
    return None if pixels is None else _picture(pixels, SINGLE_PRECISION)


def _is_half(vae: AutoencoderKL) -> bool:
    return bool(vae.dtype != torch.float32)


def _tiling(vae: AutoencoderKL, size: int) -> Any:
    """The same weights under settings of their own, so that the shared VAE stays as it is."""
    twin = copy.copy(vae)
    twin.use_tiling = True
    # diffusers tiles only above the sample_size of the VAE's description, which may be larger than the picture
    twin.tile_sample_min_size = size
    twin.tile_latent_min_size = size // _PIXELS_A_LATENT
    return twin


def _in_main_memory(vae: AutoencoderKL) -> Any:
    twin = AutoencoderKL.from_config(vae.config)
    twin.load_state_dict({key: tensor.to("cpu", torch.float32) for key, tensor in vae.state_dict().items()})
    return twin.eval()
