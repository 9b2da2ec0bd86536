"""The built-in checkpoints' shape: SDXL's classes and key layout, a thousandth of its size."""

from typing import Any

NATIVE_SIZE = 256
TEXT_WIDTH = 64
TIME_ID_WIDTH = 32
# six time ids (original size, crop, target size) join the pooled text, as in SDXL
ADDED_CONDITIONING = TEXT_WIDTH + 6 * TIME_ID_WIDTH

_BLOCKS: dict[str, Any] = {
    "in_channels": 4,
    "block_out_channels": (32, 64, 96),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "layers_per_block": 1,
    "transformer_layers_per_block": (1, 1, 2),
    "attention_head_dim": (1, 2, 3),
    "cross_attention_dim": 2 * TEXT_WIDTH,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": TIME_ID_WIDTH,
    "projection_class_embeddings_input_dim": ADDED_CONDITIONING,
    "norm_num_groups": 8,
}
UNET: dict[str, Any] = {
    **_BLOCKS,
    "sample_size": NATIVE_SIZE // 8,
    "out_channels": 4,
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
}
CONTROLNET: dict[str, Any] = {**_BLOCKS, "conditioning_embedding_out_channels": (16, 32, 64, 64)}
VAE: dict[str, Any] = {
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (16, 32, 64, 64),
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 8,
    "sample_size": NATIVE_SIZE,
    "scaling_factor": 0.13025,
    "force_upcast": False,
}
SCHEDULER: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "timestep_spacing": "leading",
    "steps_offset": 1,
}
TEXT_ENCODER: dict[str, Any] = {
    "hidden_size": TEXT_WIDTH,
    "intermediate_size": 4 * TEXT_WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "projection_dim": TEXT_WIDTH,
    "max_position_embeddings": 77,
}
