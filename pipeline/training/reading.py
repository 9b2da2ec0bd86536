"""How networks in training read words: as the pipeline does, without its weights and long prompts."""

from collections.abc import Sequence

import torch
from diffusers.models.attention_processor import AttnProcessor

from pipeline.builtin.architecture import MAX_TOKENS
from pipeline.builtin.networks import Networks


def read_words(
    networks: Networks, style: str, prompts: Sequence[str], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """What a style's encoders make of prompts, as in SDXL.

    Both penultimate states, (batch, 77, 2 widths), and the second's pooled text, (batch, width).
    """
    states = []
    pooled = None
    for tokenizer, encoder in zip(networks.tokenizers, networks.text_encoders[style], strict=True):
        tokens = tokenizer(
            list(prompts), padding="max_length", max_length=MAX_TOKENS, truncation=True, return_tensors="pt"
        ).input_ids.to(device)
        read = encoder(tokens, output_hidden_states=True)
        states.append(read.hidden_states[-2])
        pooled = read[0]
    if pooled is None:
        raise RuntimeError("there are no text encoders")
    return torch.cat(states, dim=-1), pooled


def attend_plainly(networks: Networks) -> None:
    """Attend by plain products: heads this narrow take half as long again in torch's fused attention on a CPU."""
    for network in (*networks.unets.values(), networks.controlnet):
        network.set_attn_processor(AttnProcessor())
