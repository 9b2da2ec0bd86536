"""Writes a checkpoint the way most are published: one file, in the layout of the original SDXL code.

Blocks are numbered through there: a block with n layers takes n + 1 numbers, the last one for its
downsampler on the way down; on the way up there are n + 1 layers, the last one with the upsampler.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

Tensors = dict[str, torch.Tensor]

UNET = "model.diffusion_model."
TEXT_ENCODER = "conditioner.embedders.0.transformer.text_model."
TEXT_ENCODER_2 = "conditioner.embedders.1.model."
# what files on the hub carry besides; the VAE is one that would ruin every picture
BAGGAGE = {
    "first_stage_model.decoder.conv_in.weight": torch.full((64, 4, 3, 3), 1e4),
    "model_ema.decay": torch.tensor(0.9999),
    "alphas_cumprod": torch.zeros(1000),
    "betas": torch.zeros(1000),
    "sqrt_one_minus_alphas_cumprod": torch.zeros(1000),
    "log_one_minus_alphas_cumprod": torch.zeros(1000),
    "posterior_mean_coef1": torch.zeros(1000),
    "denoiser.sigmas": torch.zeros(1000),
    f"{TEXT_ENCODER}embeddings.position_ids": torch.arange(77)[None],
    "conditioner.embedders.0.transformer.text_projection.weight": torch.zeros(64, 64),
    "conditioner.embedders.0.logit_scale": torch.tensor(4.6),
    f"{TEXT_ENCODER_2}logit_scale": torch.tensor(4.6),
}
_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
}
_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_OPENCLIP = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm": "ln_final",
    "encoder.layers": "transformer.resblocks",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn": "attn",
}
_BLOCK = re.compile(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)")
_FUSED = re.compile(r"text_model\.(encoder\.layers\.\d+\.self_attn)\.q_proj\.(weight|bias)")


def write_single_file(folder: Path, path: Path) -> Path:
    """The checkpoint in this folder as one file at path, with all the baggage."""
    layers = json.loads((folder / "unet/config.json").read_text())["layers_per_block"]
    unet = load_file(folder / "unet/diffusion_pytorch_model.safetensors")
    text_encoder = load_file(folder / "text_encoder/model.safetensors")
    text_encoder_2 = load_file(folder / "text_encoder_2/model.safetensors")
    whole = {
        **{UNET + original_unet_key(key, layers, unet): tensor for key, tensor in unet.items()},
        **{TEXT_ENCODER + key.removeprefix("text_model."): tensor for key, tensor in text_encoder.items()},
        **{TEXT_ENCODER_2 + key: tensor for key, tensor in _as_openclip(text_encoder_2)},
    }
    save_file({key: tensor.contiguous() for key, tensor in {**BAGGAGE, **whole}.items()}, path)
    return path


def original_unet_key(key: str, layers: int, keys: Iterable[str]) -> str:
    """Where the original code keeps what diffusers calls key; keys are all of diffusers' keys."""
    match = _BLOCK.fullmatch(key)
    if match is None:
        start = next(start for start in _ENDS if key.startswith(f"{start}."))
        return _ENDS[start] + _resnet_names(key.removeprefix(start))
    way, block, kind, layer, rest = match[1], int(match[2]), match[3], int(match[4]), match[5]
    first = block * (layers + 1) + (1 if way == "down" else 0)
    if kind == "downsamplers":
        return f"input_blocks.{first + layers}.0.{rest.replace('conv', 'op')}"
    if kind == "upsamplers":
        place = 2 if any(other.startswith(f"up_blocks.{block}.attentions") for other in keys) else 1
        return f"output_blocks.{first + layers}.{place}.{rest}"
    blocks = "input_blocks" if way == "down" else "output_blocks"
    return f"{blocks}.{first + layer}.{('resnets', 'attentions').index(kind)}.{_resnet_names(rest)}"


def _resnet_names(rest: str) -> str:
    start, dot, end = rest.lstrip(".").partition(".")
    prefix = "." if rest.startswith(".") else ""
    # attention blocks have norm1 too, but never at the start
    return f"{prefix}{_RESNET.get(start, start)}{dot}{end}"


def _as_openclip(tensors: Tensors) -> Iterator[tuple[str, torch.Tensor]]:
    for key, tensor in tensors.items():
        if match := _FUSED.fullmatch(key):
            parts = [tensors[key.replace("q_proj", part)] for part in ("q_proj", "k_proj", "v_proj")]
            yield f"{_openclip_names(match[1])}.in_proj_{match[2]}", torch.cat(parts)
        elif key == "text_projection.weight":
            yield "text_projection", tensor.T
        elif key.split(".")[-2] not in ("k_proj", "v_proj"):
            yield _openclip_names(key.removeprefix("text_model.")), tensor


def _openclip_names(key: str) -> str:
    for ours, theirs in _OPENCLIP.items():
        key = key.replace(ours, theirs)
    return key
