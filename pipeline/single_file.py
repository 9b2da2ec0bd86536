"""A checkpoint in one file: SDXL's original layout, read part by part under the names diffusers uses."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from diffusers import UNet2DConditionModel
from diffusers.loaders.single_file_utils import (
    convert_ldm_clip_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_open_clip_checkpoint,
)
from safetensors import safe_open
from torch import Tensor

from pipeline.intact import require_all_keys
from pipeline.weight_files import Tensors

_UNET = "model.diffusion_model."
_TEXT_ENCODER = "conditioner.embedders.0.transformer.text_model."
_TEXT_ENCODER_2 = "conditioner.embedders.1.model."
_PROJECTION = f"{_TEXT_ENCODER_2}text_projection"
# its own VAE, training's running average, the projection of a text encoder that SDXL reads before its projection,
# and tables of the noise schedule, which the scheduler computes
_NOT_USED = (
    "first_stage_model.",
    "model_ema.",
    "conditioner.embedders.0.transformer.text_projection.",
    *("denoiser.", "alphas_cumprod", "betas", "log_one_minus_", "posterior_", "sqrt_"),
)
# OpenCLIP keeps query, key and value in one tensor and its projection transposed: these are not used as they are
_REWRITTEN = (".in_proj_weight", ".in_proj_bias", "text_projection")


def read_model(name: str, path: Path, config: Path, what: str) -> Tensors:
    """The weights of "unet", "text_encoder" or "text_encoder_2"; config describes them in diffusers format.

    Their bytes are read when they are used.  diffusers' own from_single_file tells the text encoders apart by their
    width and lets keys go missing.  Raises CheckpointBroken on keys that no part has, KeyError where a part cannot
    be converted.
    """
    require_all_keys(what.removesuffix(f"/{name}"), {"unexpected_keys": _strangers(path)})
    match name:
        case "unet":
            return _read_unet(path, config)
        case "text_encoder":
            return _read_text_encoder(path)
    return _read_text_encoder_2(path)


def _read_unet(path: Path, config: Path) -> Tensors:
    described = UNet2DConditionModel.load_config(config, subfolder="unet", local_files_only=True)
    given = _read(path, _UNET)
    return _complete(given, convert_ldm_unet_checkpoint(given, described))


def _read_text_encoder(path: Path) -> Tensors:
    given = _read(path, _TEXT_ENCODER)
    return _complete(given, convert_ldm_clip_checkpoint(given))


def _read_text_encoder_2(path: Path) -> Tensors:
    given = _read(path, _TEXT_ENCODER_2)
    if _PROJECTION not in given:
        # diffusers would guess where to cut the fused tensors
        raise KeyError(_PROJECTION)
    return _complete(given, convert_open_clip_checkpoint(None, given, prefix=_TEXT_ENCODER_2), rewritten=_REWRITTEN)


def _strangers(path: Path) -> list[str]:
    known = (_UNET, _TEXT_ENCODER, _TEXT_ENCODER_2, *_NOT_USED)
    with safe_open(path, framework="pt") as file:
        return [key for key in file.keys() if not key.startswith(known)]  # noqa: SIM118 - not a mapping


def _read(path: Path, prefix: str) -> Tensors:
    with safe_open(path, framework="pt") as file:
        return {key: file.get_tensor(key) for key in file.keys() if key.startswith(prefix)}  # noqa: SIM118


def _complete(given: Tensors, converted: Mapping[str, Tensor | None], rewritten: Iterable[str] = ()) -> Tensors:
    """What was converted, and under its own name what the conversion left behind, for a strict load to refuse."""
    found = {key: tensor for key, tensor in converted.items() if tensor is not None}
    used = {id(tensor) for tensor in found.values()}
    left = {key: tensor for key, tensor in given.items() if not (id(tensor) in used or key.endswith(tuple(rewritten)))}
    return {**found, **left}
