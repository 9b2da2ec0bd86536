"""Random weights in SDXL's shape, or in the built-in checkpoints', written as `imagegen models pull` would."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    EulerDiscreteScheduler,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from pipeline.builtin import architecture
from pipeline.builtin.vocabulary import make_tokenizer, words_of
from pipeline.lock import Lock, LockedFile, LockedRepository, place_of, write_lock
from pipeline.styles import HubRepository, load_styles
from pipeline.weights import digest_of_file

_REVISION = "0" * 40
_EMBEDDING_SCALE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is built: the numbers of every part, and the side that it draws best, pixels."""

    native_size: int
    vocabulary: int | None
    unet: Mapping[str, Any]
    controlnet: Mapping[str, Any]
    vae: Mapping[str, Any]
    text_encoder: Mapping[str, Any]
    text_encoder_2: Mapping[str, Any]


_SMALL = architecture.Shape(
    size=256, vae_channels=(16, 32, 64, 64), unet_channels=(32, 64, 96), text_width=64, text_layers=2
)
_SMALL_VAE = {**architecture.vae(_SMALL), "scaling_factor": 0.13025}
# of stabilityai/stable-diffusion-xl-base-1.0
_SCHEDULER: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "timestep_spacing": "leading",
    "steps_offset": 1,
}
TOY = Shape(
    native_size=_SMALL.size,
    vocabulary=None,
    unet=architecture.unet(_SMALL),
    controlnet=architecture.controlnet(_SMALL),
    vae=_SMALL_VAE,
    text_encoder=architecture.text_encoder(_SMALL),
    text_encoder_2=architecture.text_encoder(_SMALL),
)
# stabilityai/stable-diffusion-xl-base-1.0, the config.json of each part
_BLOCKS: dict[str, Any] = {
    "in_channels": 4,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "layers_per_block": 2,
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
FULL = Shape(
    native_size=1024,
    vocabulary=49408,
    unet={
        **_BLOCKS,
        "sample_size": 128,
        "out_channels": 4,
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    },
    controlnet={**_BLOCKS, "conditioning_embedding_out_channels": (16, 32, 96, 256)},
    vae={
        **_SMALL_VAE,
        "block_out_channels": (128, 256, 512, 512),
        "layers_per_block": 2,
        "norm_num_groups": 32,
        "sample_size": 512,
    },
    text_encoder={
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "projection_dim": 768,
        "max_position_embeddings": 77,
    },
    text_encoder_2={
        "hidden_size": 1280,
        "intermediate_size": 5120,
        "num_hidden_layers": 32,
        "num_attention_heads": 20,
        "projection_dim": 1280,
        "max_position_embeddings": 77,
    },
)

# SDXL with fewer transformer blocks: 1.8 GB a checkpoint, so that weights dominate and three fit into a small machine
MEDIUM = replace(
    FULL,
    native_size=64,
    vocabulary=None,
    unet={**FULL.unet, "transformer_layers_per_block": (1, 1, 2)},
    controlnet=architecture.controlnet(_SMALL),
    vae=_SMALL_VAE,
    text_encoder={**FULL.text_encoder, "num_hidden_layers": 2},
    text_encoder_2={**FULL.text_encoder_2, "num_hidden_layers": 2},
)


def write_weights(folder: Path, shape: Shape, device: str) -> None:
    """Three checkpoints, a VAE and a ControlNet in half precision, with models.lock; FULL takes 24 GB."""
    styles = load_styles()
    for seed, style in enumerate(styles.styles.values()):
        _write_checkpoint(place_of(folder, style.repo), shape, seed, device)
    with torch.device("meta"):
        vae, controlnet = AutoencoderKL(**shape.vae), ControlNetModel(**shape.controlnet)
    _filled(vae, 100, device).save_pretrained(place_of(folder, styles.vae.repo))
    _filled(controlnet, 101, device).save_pretrained(place_of(folder, styles.controlnet.repo))
    repositories = [*styles.styles.values(), styles.vae, styles.controlnet]
    write_lock(folder, Lock(repositories={one.repo: _locked(folder, one) for one in repositories}))


def _write_checkpoint(folder: Path, shape: Shape, seed: int, device: str) -> None:
    words = words_of(text for style in load_styles().styles.values() for text in (style.positive, style.negative))
    tokenizer, tokenizer_2 = make_tokenizer(words), make_tokenizer(words, pad_token="!")
    with torch.device("meta"):
        unet = UNet2DConditionModel(**shape.unet)
        encoder = CLIPTextModel(_text_config(shape, shape.text_encoder, tokenizer, "quick_gelu"))
        encoder_2 = CLIPTextModelWithProjection(_text_config(shape, shape.text_encoder_2, tokenizer_2, "gelu"))
    StableDiffusionXLPipeline(
        vae=None,
        text_encoder=_filled(encoder, 10 * seed + 1, device),
        text_encoder_2=_filled(encoder_2, 10 * seed + 2, device),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer_2,
        unet=_filled(unet, 10 * seed + 3, device),
        scheduler=EulerDiscreteScheduler(**_SCHEDULER),
        add_watermarker=False,
    ).save_pretrained(folder)


def _text_config(shape: Shape, numbers: Mapping[str, Any], tokenizer: Any, activation: str) -> CLIPTextConfig:
    return CLIPTextConfig(
        **numbers,
        vocab_size=shape.vocabulary or len(tokenizer),
        hidden_act=activation,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _filled(model: torch.nn.Module, seed: int, device: str) -> Any:
    """A model built on the meta device with random weights of the right scale, without a copy in single precision."""
    model = model.half().to_empty(device=device)
    generator = torch.Generator(device).manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                scale = _EMBEDDING_SCALE if "embedding" in name else parameter[0].numel() ** -0.5
                parameter.normal_(0.0, scale, generator=generator)
            else:
                parameter.fill_(1.0 if name.endswith("weight") else 0.0)
        for name, buffer in model.named_buffers():
            if name.endswith("position_ids"):
                buffer.copy_(torch.arange(buffer.shape[-1], device=device).expand_as(buffer))
    return model.eval()


def _locked(folder: Path, repository: HubRepository) -> LockedRepository:
    place = place_of(folder, repository.repo)
    files = {
        file.relative_to(place).as_posix(): LockedFile(sha256=digest_of_file(file), bytes=file.stat().st_size)
        for file in place.rglob("*")
        if file.is_file() and not file.name.startswith(".")
    }
    # what is asked for at a commit must say that it is that one
    return LockedRepository(revision=repository.revision or _REVISION, files=files)
