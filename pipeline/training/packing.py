"""What may be shipped: the averages in half precision, in a few files, and three whole checkpoints made of them."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

from pipeline.training.networks import SCHEDULER, Networks
from pipeline.training.presets import STYLES, Preset
from pipeline.training.snapshots import read_parts, write_parts

_ABOUT = "about.json"


def pack(networks: Networks, preset: Preset, folder: Path) -> int:
    """Write the weights that differ from each other into folder, once each; returns their bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"{part}/{name}": value for part, values in _parts(networks).items() for name, value in values.items()}
    first = networks.unets[STYLES[0]].state_dict()
    kept = {
        name: value.half()
        for name, value in tensors.items()
        # matrices and kernels are the same in all styles
        if not (name.startswith(STYLES[1:]) and first[name.partition("/")[2]].dim() > 1)
    }
    write_parts(kept, folder)
    about = {"preset": asdict(preset), "scaling_factor": networks.vae.config.scaling_factor}
    (folder / _ABOUT).write_text(json.dumps(about, indent=2))
    return sum(value.nbytes for value in kept.values())


def unpack(folder: Path, networks: Networks) -> Networks:
    """Fill networks of the same preset with what `pack` wrote; the same object."""
    tensors = read_parts(folder)
    for part, values in _parts(networks).items():
        for name, value in values.items():
            stored = tensors.get(f"{part}/{name}")
            value.copy_(stored if stored is not None else tensors[f"{STYLES[0]}/{name}"])
    networks.vae.register_to_config(scaling_factor=json.loads((folder / _ABOUT).read_text())["scaling_factor"])
    return networks


def materialise(networks: Networks, folder: Path) -> None:
    """Write three checkpoints in diffusers' layout, without a VAE, and the VAE and the ControlNet beside them."""
    for style, unet in networks.unets.items():
        StableDiffusionXLPipeline(
            vae=None,
            text_encoder=_half(networks.text_encoders[0]),
            text_encoder_2=_half(networks.text_encoders[1]),
            tokenizer=networks.tokenizers[0],
            tokenizer_2=networks.tokenizers[1],
            unet=_half(unet),
            scheduler=EulerDiscreteScheduler(**SCHEDULER),
            add_watermarker=False,
        ).save_pretrained(folder / style)
    _half(networks.vae).save_pretrained(folder / "vae")
    _half(networks.controlnet).save_pretrained(folder / "controlnet")


def _parts(networks: Networks) -> dict[str, dict[str, torch.Tensor]]:
    encoders = {f"text{number}": encoder for number, encoder in enumerate(networks.text_encoders, start=1)}
    models: dict[str, Any] = {**networks.unets, **encoders, "vae": networks.vae, "controlnet": networks.controlnet}
    return {name: dict(model.state_dict()) for name, model in models.items()}


def _half(network: Any) -> Any:
    return network.cpu().half()
