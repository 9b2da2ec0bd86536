"""The built-in networks: what the three styles share, and the few numbers in which they differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from pipeline.builtin import architecture
from pipeline.builtin.architecture import Shape
from pipeline.builtin.vocabulary import make_tokenizer

STYLES: Final = ("ultra_realistic", "semi_realistic", "anime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """All networks; those of the styles share every tensor of two or more dimensions."""

    tokenizers: tuple[CLIPTokenizer, CLIPTokenizer]
    text_encoders: dict[str, tuple[CLIPTextModel, CLIPTextModelWithProjection]]
    unets: dict[str, UNet2DConditionModel]
    vae: AutoencoderKL
    controlnet: ControlNetModel

    def of(self, style: str) -> dict[str, nn.Module]:
        """The networks of a style, by the names of diffusers' pipeline."""
        first, second = self.text_encoders[style]
        return {"text_encoder": first, "text_encoder_2": second, "unet": self.unets[style]}

    def to(self, device: torch.device) -> "Networks":
        """Move every network; the same object."""
        for network in (self.vae, self.controlnet, *(one for style in STYLES for one in self.of(style).values())):
            network.to(device)
        _share_all(self)
        return self


def make(shape: Shape, words: Sequence[str]) -> Networks:
    """Fresh networks of a shape, whose vocabulary holds the words whole; torch's seed decides on the weights."""
    tokenizers = make_tokenizer(words), make_tokenizer(words, pad_token="!")  # noqa: S106 - not a secret
    networks = Networks(
        tokenizers=tokenizers,
        text_encoders={
            style: (
                CLIPTextModel(_text_config(shape, tokenizers[0], "quick_gelu")),
                CLIPTextModelWithProjection(_text_config(shape, tokenizers[1], "gelu")),
            )
            for style in STYLES
        },
        unets={style: UNet2DConditionModel(**architecture.unet(shape)) for style in STYLES},
        vae=AutoencoderKL(**architecture.vae(shape)),
        controlnet=ControlNetModel(**architecture.controlnet(shape)),
    )
    for style in STYLES[1:]:
        for name, network in networks.of(style).items():
            network.load_state_dict(networks.of(STYLES[0])[name].state_dict())
    _share_all(networks)
    return networks


def own_parameters(network: nn.Module) -> dict[str, nn.Parameter]:
    """What a style has for itself."""
    return {name: parameter for name, parameter in network.named_parameters() if parameter.dim() == 1}


def shared_parameters(network: nn.Module) -> dict[str, nn.Parameter]:
    """What all styles have in common."""
    return {name: parameter for name, parameter in network.named_parameters() if parameter.dim() > 1}


def _share_all(networks: Networks) -> None:
    for style in STYLES[1:]:
        for name, network in networks.of(style).items():
            _share(networks.of(STYLES[0])[name], network)


def _share(first: nn.Module, other: nn.Module) -> None:
    """Let other use the matrices and kernels of first; biases and norms stay its own."""
    owners = dict(first.named_modules())
    for name, module in other.named_modules():
        for key, parameter in list(module.named_parameters(recurse=False)):
            if parameter.dim() > 1:
                setattr(module, key, getattr(owners[name], key))


def _text_config(shape: Shape, tokenizer: CLIPTokenizer, activation: str) -> CLIPTextConfig:
    return CLIPTextConfig(
        **architecture.text_encoder(shape),
        vocab_size=len(tokenizer),
        hidden_act=activation,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
