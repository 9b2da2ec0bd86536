"""The weights as they are shipped: each once, in half precision; and three whole checkpoints made of them."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

from pipeline.builtin.architecture import SCHEDULER, Shape
from pipeline.builtin.networks import STYLES, Networks, make
from pipeline.builtin.tensor_files import read_parts, write_parts
from store.errors import CheckpointBroken

_ABOUT = "about.json"


def pack(networks: Networks, shape: Shape, words: Sequence[str], folder: Path) -> int:
    """Write the networks made of shape and words into folder; returns the bytes of all weights.

    Raises CheckpointBroken where a weight is too large for half precision.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = {
        f"{part}/{name}": value.half()
        for part, values in _parts(networks).items()
        for name, value in values.items()
        if not _is_shared(part, value)
    }
    if overflown := [name for name, value in kept.items() if not value.isfinite().all()]:
        raise CheckpointBroken(f"{overflown[0]}: a weight is too large for half precision; train again at a lower rate")
    write_parts(kept, folder)
    said = {"shape": asdict(shape), "scaling_factor": networks.vae.config.scaling_factor, "words": list(words)}
    (folder / _ABOUT).write_text(json.dumps(said, indent=1) + "\n")
    return sum(value.nbytes for value in kept.values())


def about(folder: Path) -> dict[str, Any]:
    """What lies beside packed weights: the "shape" of the networks, the "scaling_factor" of the VAE, the "words"."""
    said: dict[str, Any] = json.loads((folder / _ABOUT).read_text())
    return said


def unpack(folder: Path) -> Networks:
    """The networks that `pack` wrote into folder."""
    said = about(folder)
    networks = make(_shape(said["shape"]), said["words"])
    tensors = read_parts(folder)
    with torch.no_grad():
        for part, values in _parts(networks).items():
            for name, value in values.items():
                if not _is_shared(part, value):
                    value.copy_(tensors[f"{part}/{name}"])
    networks.vae.register_to_config(scaling_factor=said["scaling_factor"])
    return networks


def materialise(networks: Networks, folder: Path) -> None:
    """Write three checkpoints in diffusers' layout, without a VAE, and the VAE and the ControlNet beside them.

    The networks are on the CPU and in half precision afterwards.
    """
    for style in STYLES:
        StableDiffusionXLPipeline(
            vae=None,
            **{name: _half(network) for name, network in networks.of(style).items()},
            tokenizer=networks.tokenizers[0],
            tokenizer_2=networks.tokenizers[1],
            scheduler=EulerDiscreteScheduler(**SCHEDULER),
            add_watermarker=False,
        ).save_pretrained(folder / style)
    _half(networks.vae).save_pretrained(folder / "vae")
    _half(networks.controlnet).save_pretrained(folder / "controlnet")


def _shape(stored: dict[str, Any]) -> Shape:
    # JSON knows no tuples
    sizes: dict[str, Any] = {name: tuple(size) if isinstance(size, list) else size for name, size in stored.items()}
    return Shape(**sizes)


def _parts(networks: Networks) -> dict[str, dict[str, torch.Tensor]]:
    models = {f"{style}/{name}": network for style in STYLES for name, network in networks.of(style).items()}
    models |= {"vae": networks.vae, "controlnet": networks.controlnet}
    return {name: dict(model.state_dict()) for name, model in models.items()}


def _is_shared(part: str, tensor: torch.Tensor) -> bool:
    """Whether a tensor is the same one as the first style's: matrices and kernels are."""
    return part.startswith(STYLES[1:]) and tensor.dim() > 1


def _half(network: Any) -> Any:
    return network.cpu().half()
