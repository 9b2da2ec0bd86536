"""The courses that networks are taught in, and what each of them teaches."""

from typing import Final

import torch
from diffusers import AutoencoderKL

from pipeline.builtin.networks import STYLES, Networks, own_parameters, shared_parameters

Parameters = dict[str, torch.nn.Parameter]

# in the order in which they are to be taken; the decoder's may follow at any time after the VAE's
COURSES: Final = ("vae", "unet", "controlnet")
DECODER: Final = "decoder"


def parameters_of(networks: Networks) -> dict[str, Parameters]:
    """The parameters of each course, by names that the snapshots keep; the decoder's are among the VAE's."""
    drawing: Parameters = {}
    for name, network in networks.of(STYLES[0]).items():
        drawing |= {f"{name}/{key}": value for key, value in shared_parameters(network).items()}
    for style in STYLES:
        for name, network in networks.of(style).items():
            drawing |= {f"{style}/{name}/{key}": value for key, value in own_parameters(network).items()}
    return {
        "vae": dict(networks.vae.named_parameters()),
        "unet": drawing,
        "controlnet": dict(networks.controlnet.named_parameters()),
        DECODER: _drawing_part(networks.vae),
    }


def _drawing_part(vae: AutoencoderKL) -> Parameters:
    """What makes pictures of latents: with the rest as it is, latents and the UNets that make them stay valid."""
    return {name: value for name, value in vae.named_parameters() if name.startswith(("decoder.", "post_quant_conv."))}
