"""SDXL in small, to be trained: what the three styles share, and the few numbers in which they differ."""

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKL, ControlNetModel, DDPMScheduler, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from pipeline.builtin.vocabulary import make_tokenizer
from pipeline.training.presets import STYLES, Preset

_TIME_WIDTH = 32
_MAX_TOKENS = 77
SCHEDULER: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
    "timestep_spacing": "trailing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """All networks in training; the UNets of the styles share every tensor of two or more dimensions."""

    tokenizers: tuple[CLIPTokenizer, CLIPTokenizer]
    text_encoders: tuple[CLIPTextModel, CLIPTextModelWithProjection]
    unets: dict[str, UNet2DConditionModel]
    vae: AutoencoderKL
    controlnet: ControlNetModel
    noise: DDPMScheduler

    def to(self, device: torch.device) -> "Networks":
        """Move every network; the same object."""
        for network in (*self.text_encoders, *self.unets.values(), self.vae, self.controlnet):
            network.to(device)
        for unet in self.unets.values():
            _share(self.unets[STYLES[0]], unet)
        return self


def make(preset: Preset, texts: list[str], seed: int) -> Networks:
    """Fresh networks of a preset's size, whose vocabulary holds each word of the texts; the same for a seed."""
    torch.manual_seed(seed)
    tokenizers = make_tokenizer(texts), make_tokenizer(texts, pad_token="!")  # noqa: S106 - not a secret
    unets = {style: UNet2DConditionModel(**unet_config(preset)) for style in STYLES}
    first = unets[STYLES[0]]
    for unet in unets.values():
        unet.load_state_dict(first.state_dict())
        _share(first, unet)
    return Networks(
        tokenizers=tokenizers,
        text_encoders=(
            CLIPTextModel(text_config(preset, tokenizers[0], "quick_gelu")),
            CLIPTextModelWithProjection(text_config(preset, tokenizers[1], "gelu")),
        ),
        unets=unets,
        vae=AutoencoderKL(**vae_config(preset)),
        controlnet=ControlNetModel(**controlnet_config(preset)),
        noise=DDPMScheduler(**SCHEDULER),
    )


def _share(first: UNet2DConditionModel, other: UNet2DConditionModel) -> None:
    """Let other use the matrices and kernels of first; biases and norms stay its own."""
    if first is other:
        return
    owners = dict(first.named_modules())
    for name, module in other.named_modules():
        for key, parameter in list(module.named_parameters(recurse=False)):
            if parameter.dim() > 1:
                setattr(module, key, getattr(owners[name], key))


def own_parameters(unet: nn.Module) -> dict[str, nn.Parameter]:
    """What a style has for itself."""
    return {name: parameter for name, parameter in unet.named_parameters() if parameter.dim() == 1}


def shared_parameters(unet: nn.Module) -> dict[str, nn.Parameter]:
    """What all styles have in common."""
    return {name: parameter for name, parameter in unet.named_parameters() if parameter.dim() > 1}


def unet_config(preset: Preset) -> dict[str, Any]:
    """SDXL's block types in the preset's width."""
    return {
        **_blocks(preset),
        "sample_size": preset.size // 8,
        "out_channels": 4,
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    }


def controlnet_config(preset: Preset) -> dict[str, Any]:
    """The UNet's first half, with an eye for edges."""
    return {**_blocks(preset), "conditioning_embedding_out_channels": (16, 32, 64, 64)}


def _blocks(preset: Preset) -> dict[str, Any]:
    return {
        "in_channels": 4,
        "block_out_channels": preset.unet_channels,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "layers_per_block": 1,
        "transformer_layers_per_block": (1, 1, 2),
        "attention_head_dim": tuple(channels // 32 for channels in preset.unet_channels),
        "cross_attention_dim": 2 * preset.text_width,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": _TIME_WIDTH,
        "projection_class_embeddings_input_dim": preset.text_width + 6 * _TIME_WIDTH,
        "norm_num_groups": 8,
    }


def vae_config(preset: Preset) -> dict[str, Any]:
    """SDXL's VAE, eight times smaller per side, four channels."""
    return {
        "in_channels": 3,
        "out_channels": 3,
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "block_out_channels": preset.vae_channels,
        "layers_per_block": 1,
        "latent_channels": 4,
        "norm_num_groups": 8,
        "sample_size": preset.size,
        "scaling_factor": 1.0,
        "force_upcast": False,
    }


def text_config(preset: Preset, tokenizer: CLIPTokenizer, activation: str) -> CLIPTextConfig:
    """CLIP in the preset's width."""
    return CLIPTextConfig(
        hidden_size=preset.text_width,
        intermediate_size=4 * preset.text_width,
        num_hidden_layers=preset.text_layers,
        num_attention_heads=4,
        projection_dim=preset.text_width,
        max_position_embeddings=_MAX_TOKENS,
        vocab_size=len(tokenizer),
        hidden_act=activation,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def read_words(networks: Networks, prompts: list[str], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Both encoders' penultimate states, (batch, 77, 2 widths), and the pooled text, (batch, width), as in SDXL."""
    states = []
    pooled = None
    for tokenizer, encoder in zip(networks.tokenizers, networks.text_encoders, strict=True):
        tokens = tokenizer(
            prompts, padding="max_length", max_length=_MAX_TOKENS, truncation=True, return_tensors="pt"
        ).input_ids.to(device)
        read = encoder(tokens, output_hidden_states=True)
        states.append(read.hidden_states[-2])
        pooled = read[0]
    if pooled is None:
        raise RuntimeError("there are no text encoders")
    return torch.cat(states, dim=-1), pooled
