"""Makes the built-in checkpoints: untrained, but every part of SDXL is there and has an effect."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    EulerDiscreteScheduler,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from pipeline.builtin import architecture
from pipeline.builtin.vocabulary import make_tokenizer
from pipeline.loading import silence_libraries
from pipeline.styles import load_styles

_SEEDS = {"ultra_realistic": 101, "semi_realistic": 102, "anime": 103}
_SHARED_SEED = 100
_CONTROL_STRENGTH = 0.05
_TEXT_GAIN = 8.0
_OUTPUT_GAIN = 6.0


def build(folder: Path) -> None:
    """Write three checkpoints, one VAE and one ControlNet below folder; the same bytes each time.

    Layout: <style>/ in diffusers format without a VAE, vae/, controlnet/.
    """
    silence_libraries()
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(_SHARED_SEED)
        vae = AutoencoderKL(**architecture.VAE).half()
        vae.save_pretrained(folder / "vae")
        controlnet = ControlNetModel(**architecture.CONTROLNET)
        _let_control_through(controlnet)
        controlnet.half().save_pretrained(folder / "controlnet")
        for style, seed in _SEEDS.items():
            torch.manual_seed(seed)
            _save_checkpoint(folder / style)


def _save_checkpoint(folder: Path) -> None:
    unet = UNet2DConditionModel(**architecture.UNET)
    _let_text_through(unet)
    texts = [text for style in load_styles().styles.values() for text in (style.positive, style.negative)]
    tokenizer, tokenizer_2 = make_tokenizer(texts), make_tokenizer(texts, pad_token="!")  # noqa: S106 - not a secret
    StableDiffusionXLPipeline(
        vae=None,
        text_encoder=CLIPTextModel(_text_config(tokenizer, "quick_gelu")).half(),
        text_encoder_2=CLIPTextModelWithProjection(_text_config(tokenizer_2, "gelu")).half(),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer_2,
        unet=unet.half(),
        scheduler=EulerDiscreteScheduler(**architecture.SCHEDULER),
        add_watermarker=False,
    ).save_pretrained(folder)


def _text_config(tokenizer: CLIPTokenizer, activation: str) -> CLIPTextConfig:
    return CLIPTextConfig(
        **architecture.TEXT_ENCODER,
        vocab_size=len(tokenizer),
        hidden_act=activation,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _let_text_through(unet: UNet2DConditionModel) -> None:
    # with fresh weights the noise decides everything; these gains were chosen by eye until words and styles show
    unet.conv_out.weight *= _OUTPUT_GAIN
    unet.add_embedding.linear_2.weight *= _TEXT_GAIN
    for name, module in unet.named_modules():
        if name.endswith("attn2.to_out.0"):
            module.weight *= _TEXT_GAIN


def _let_control_through(controlnet: ControlNetModel) -> None:
    # a new ControlNet ends in zeros and changes nothing until it is trained (arXiv 2302.05543, section 3.1)
    outputs = [*controlnet.controlnet_down_blocks, controlnet.controlnet_mid_block]
    for module in [*outputs, controlnet.controlnet_cond_embedding.conv_out]:
        torch.nn.init.normal_(module.weight, std=_CONTROL_STRENGTH)
