"""What networks are before their first step, where a library's fresh weights would cost hundreds of steps."""

import torch
from diffusers import AutoencoderKL
from diffusers.models.resnet import ResnetBlock2D

from pipeline.builtin.networks import STYLES, Networks

_GENTLE = 0.1
# of the logarithm of a latent's variance; at zero half of the latents' spread is noise after a thousand steps
_FIRST_LOG_VARIANCE = -6.0


def begin_gently(vae: AutoencoderKL) -> None:
    """Let residual blocks begin close to doing nothing, and latents close to certain."""
    with torch.no_grad():
        for module in vae.modules():
            if isinstance(module, ResnetBlock2D):
                module.conv2.weight.mul_(_GENTLE)
        log_variance = vae.config.latent_channels
        vae.quant_conv.weight[log_variance:].mul_(_GENTLE)
        vae.quant_conv.bias[log_variance:].fill_(_FIRST_LOG_VARIANCE)


def begin_controlnet(networks: Networks) -> None:
    """Begin the ControlNet as the UNet's first half, whose outputs do not count yet (arXiv 2302.05543).

    Its eye for edges begins with weights that keep a signal as strong as it was: behind the library's, eight layers
    later, two references differ by a thousandth of what they have in common, and a short training never finds it.
    """
    own = networks.controlnet.state_dict()
    given = networks.unets[STYLES[0]].state_dict()
    networks.controlnet.load_state_dict({**own, **{name: given[name] for name in own.keys() & given.keys()}})
    eye = networks.controlnet.controlnet_cond_embedding
    for layer in (eye.conv_in, *eye.blocks, eye.conv_out):
        torch.nn.init.kaiming_normal_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
