"""The built-in checkpoints' shape: SDXL's classes and key layout, less than a five-hundredth of its size."""

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Sizes of pictures (pixels a side) and networks (channels a level); text_width: of each text encoder."""

    size: int
    vae_channels: tuple[int, ...]
    unet_channels: tuple[int, ...]
    text_width: int
    text_layers: int


# what the weights in `trained/` were trained with
SHIPPED: Final = Shape(
    size=128, vae_channels=(16, 32, 48, 64), unet_channels=(48, 64, 96), text_width=96, text_layers=2
)
NATIVE_SIZE: Final = SHIPPED.size
MAX_TOKENS: Final = 77
SCHEDULER: Final[dict[str, Any]] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
    "timestep_spacing": "trailing",
}
_TIME_WIDTH = 32
_HEAD_WIDTH = 32


def unet(shape: Shape) -> dict[str, Any]:
    """SDXL's block types in the shape's width."""
    return {
        **_blocks(shape),
        "sample_size": shape.size // 8,
        "out_channels": 4,
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    }


def controlnet(shape: Shape) -> dict[str, Any]:
    """The UNet's first half, with an eye for edges."""
    return {**_blocks(shape), "conditioning_embedding_out_channels": (16, 32, 64, 64)}


def vae(shape: Shape) -> dict[str, Any]:
    """SDXL's VAE: eight times smaller per side, four channels."""
    return {
        "in_channels": 3,
        "out_channels": 3,
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "block_out_channels": shape.vae_channels,
        "layers_per_block": 1,
        "latent_channels": 4,
        "norm_num_groups": 8,
        "sample_size": shape.size,
        # measured after the VAE's training
        "scaling_factor": 1.0,
        "force_upcast": False,
    }


def text_encoder(shape: Shape) -> dict[str, Any]:
    """CLIP in the shape's width."""
    return {
        "hidden_size": shape.text_width,
        "intermediate_size": 4 * shape.text_width,
        "num_hidden_layers": shape.text_layers,
        "num_attention_heads": 4,
        "projection_dim": shape.text_width,
        "max_position_embeddings": MAX_TOKENS,
    }


def _blocks(shape: Shape) -> dict[str, Any]:
    return {
        "in_channels": 4,
        "block_out_channels": shape.unet_channels,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "layers_per_block": 1,
        "transformer_layers_per_block": (1, 1, 2),
        # diffusers takes this as the number of heads, as in SDXL's own configuration
        "attention_head_dim": tuple(max(1, channels // _HEAD_WIDTH) for channels in shape.unet_channels),
        "cross_attention_dim": 2 * shape.text_width,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": _TIME_WIDTH,
        # six time ids (original size, crop, target size) join the pooled text, as in SDXL
        "projection_class_embeddings_input_dim": shape.text_width + 6 * _TIME_WIDTH,
        "norm_num_groups": 8,
    }
