"""Loads from disk what is not swapped, and refuses every file that is not exactly what it should be."""

from pathlib import Path
from typing import Any

import diffusers
import transformers
from diffusers import AutoencoderKL, ControlNetModel

from pipeline.device import Device
from pipeline.intact import broken_becomes_ours, require_all_keys, require_config, require_safetensors
from pipeline.profile import Profile, tune
from pipeline.sparing import SparingControlNet
from pipeline.weights import Located
from store.errors import CheckpointBroken

# each with the text encoder that reads its tokens
_TOKENIZERS = {"tokenizer": "text_encoder", "tokenizer_2": "text_encoder_2"}
_BYTES = 256


def silence_libraries() -> None:
    """Keep progress bars and load reports of many lines out of the log; what they report is checked here."""
    for library in (transformers, diffusers):
        library.utils.logging.disable_progress_bar()
        library.utils.logging.set_verbosity_error()


def load_words_and_schedule(located: Located) -> dict[str, Any]:
    """Tokenizers and scheduler of a checkpoint, by their names in a diffusers pipe; raises CheckpointBroken."""
    described = located.config or located.path
    with broken_becomes_ours(located):
        tokenizers = {name: _tokenizer(described / name, described / reader) for name, reader in _TOKENIZERS.items()}
        scheduler = diffusers.EulerDiscreteScheduler.from_pretrained(
            described, subfolder="scheduler", local_files_only=True
        )
    return {**tokenizers, "scheduler": scheduler}


def load_vae(located: Located, device: Device, profile: Profile = "exact") -> AutoencoderKL:
    """The VAE; raises CheckpointBroken, also if diffusers would silently run it in single precision."""
    with broken_becomes_ours(located):
        vae = _checked(AutoencoderKL, located, device)
    if vae.config.force_upcast:
        raise CheckpointBroken(
            f"{located.record.repo}: the VAE has force_upcast set, so every decode would run in float32;"
            " use a VAE that is safe in float16, such as madebyollin/sdxl-vae-fp16-fix"
        )
    return _tuned(vae.to(device.name).eval(), profile)


def load_controlnet(located: Located, device: Device, profile: Profile = "exact") -> ControlNetModel:
    """The ControlNet; raises CheckpointBroken."""
    with broken_becomes_ours(located):
        controlnet = _checked(SparingControlNet, located, device)
    return _tuned(controlnet.to(device.name).eval(), profile)


def _tuned(model: Any, profile: Profile) -> Any:
    tune(model, profile)
    return model


def _checked(kind: Any, located: Located, device: Device) -> Any:
    what = located.record.repo
    require_config(what, located.path)
    names = require_safetensors(what, located.path)
    # a folder somebody keeps may have its files without the infix that those on the hub have
    has_variant = any(f".{located.variant}." in name or f".{located.variant}-" in name for name in names)
    model, info = kind.from_pretrained(
        located.path,
        variant=located.variant if has_variant else None,
        dtype=device.dtype,
        use_safetensors=True,
        local_files_only=True,
        # reported with the missing keys instead of refused with a hint nobody here can follow
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    require_all_keys(what, info)
    return model


def _tokenizer(folder: Path, reader: Path) -> transformers.CLIPTokenizer:
    if not folder.is_dir():
        raise CheckpointBroken(f"{folder.parent.name}: there is no folder {folder.name}")
    require_config(f"{folder.parent.name}/{reader.name}", reader)
    vocabulary = transformers.CLIPTextConfig.from_pretrained(reader, local_files_only=True).vocab_size
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder, model_max_length=77, local_files_only=True)
    if not _BYTES < len(tokenizer) <= vocabulary:
        # where its files are missing, transformers makes a tokenizer that knows no words
        raise CheckpointBroken(
            f"{folder.parent.name}/{folder.name}: found {len(tokenizer)} tokens; its text encoder knows {vocabulary}"
        )
    return tokenizer
