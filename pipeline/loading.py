"""Loads components from disk, and refuses every file that is not exactly what it should be."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import diffusers
import transformers
from diffusers import AutoencoderKL, ControlNetModel, StableDiffusionXLPipeline, UNet2DConditionModel

from pipeline.device import Device
from pipeline.weights import Located
from store.errors import CheckpointBroken

# buffers of older transformers, recomputed on load; they carry no weights
_HARMLESS = ("position_ids",)
_TEXT_ENCODERS = {
    "text_encoder": transformers.CLIPTextModel,
    "text_encoder_2": transformers.CLIPTextModelWithProjection,
}
_TOKENIZERS = ("tokenizer", "tokenizer_2")


def silence_progress_bars() -> None:
    """Keep both libraries from drawing progress bars into the log; ours are elsewhere."""
    transformers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.disable_progress_bar()


def load_checkpoint(located: Located, device: Device) -> dict[str, Any]:
    """UNet, text encoders, tokenizers and scheduler, by their names in a diffusers pipe, without a VAE.

    Only safetensors are read.  Raises CheckpointBroken on missing or unexpected keys.
    """
    with _broken_becomes_ours(located):
        return _from_single_file(located, device) if located.path.is_file() else _from_folder(located, device)


def load_vae(located: Located, device: Device) -> AutoencoderKL:
    """The VAE; raises CheckpointBroken if diffusers would silently run it in single precision."""
    with _broken_becomes_ours(located):
        vae = _checked(AutoencoderKL, located, device)
    if vae.config.force_upcast:
        raise CheckpointBroken(
            f"{located.record.repo}: the VAE has force_upcast set, so every decode would run in float32;"
            " use a VAE that is safe in float16, such as madebyollin/sdxl-vae-fp16-fix"
        )
    return vae.to(device.name).eval()


def load_controlnet(located: Located, device: Device) -> ControlNetModel:
    """The ControlNet."""
    with _broken_becomes_ours(located):
        return _checked(ControlNetModel, located, device).to(device.name).eval()


def _from_folder(located: Located, device: Device) -> dict[str, Any]:
    parts: dict[str, Any] = {"unet": _checked(UNet2DConditionModel, located, device, subfolder="unet")}
    for name, kind in _TEXT_ENCODERS.items():
        parts[name] = _checked(kind, located, device, subfolder=name)
    for name in _TOKENIZERS:
        parts[name] = transformers.CLIPTokenizer.from_pretrained(
            located.path / name, model_max_length=77, local_files_only=True
        )
    parts["scheduler"] = diffusers.EulerDiscreteScheduler.from_pretrained(
        located.path, subfolder="scheduler", local_files_only=True
    )
    return _placed(parts, device)


def _from_single_file(located: Located, device: Device) -> dict[str, Any]:
    pipe = StableDiffusionXLPipeline.from_single_file(
        str(located.path),
        config=str(located.config),
        local_files_only=True,
        dtype=device.dtype,
        add_watermarker=False,
        vae=None,
    )
    names = ("unet", *_TEXT_ENCODERS, *_TOKENIZERS, "scheduler")
    return _placed({name: getattr(pipe, name) for name in names}, device)


def _placed(parts: dict[str, Any], device: Device) -> dict[str, Any]:
    for name in ("unet", *_TEXT_ENCODERS):
        parts[name] = parts[name].to(device.name).eval()
    return parts


def _checked(kind: Any, located: Located, device: Device, subfolder: str = "") -> Any:
    model, info = kind.from_pretrained(
        located.path,
        subfolder=subfolder,
        variant=located.variant,
        dtype=device.dtype,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
    )
    _require_all_keys(f"{located.record.repo}/{subfolder}".rstrip("/"), info["missing_keys"], info["unexpected_keys"])
    return model


def _require_all_keys(what: str, missing: Any, unexpected: Any) -> None:
    problems = [
        f"{label} {sorted(found)[:3]} ({len(found)} in all)"
        for label, keys in (("missing", missing), ("unexpected", unexpected))
        if (found := [key for key in keys if not str(key).endswith(_HARMLESS)])
    ]
    if problems:
        raise CheckpointBroken(
            f"{what}: {' and '.join(problems)} keys; the file is not an SDXL checkpoint of this architecture,"
            " or it was saved in a way this version cannot read"
        )


@contextmanager
def _broken_becomes_ours(located: Located) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise CheckpointBroken(f"{located.record.repo} at {located.path.name}: {error}") from error
