"""What each network is to make small."""

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch.nn import functional

from pipeline.config import DrawingConfig
from pipeline.training.loader import Batch
from pipeline.training.networks import Networks, read_words

_DIVERGENCE = 1e-5
_EDGES = 0.5
_SCALES = 3
# the bound of min-SNR weighting (arXiv 2303.09556)
_GAMMA = 5.0
_LEAST_WEIGHT = 0.2


def vae_loss(vae: AutoencoderKL, pictures: torch.Tensor) -> torch.Tensor:
    """Distance of colours and of their differences at three scales, and a little pull to the unit normal."""
    posterior = vae.encode(pictures).latent_dist
    drawn = vae.decode(posterior.sample()).sample.float()
    loss: torch.Tensor = _DIVERGENCE * posterior.kl().mean()
    wanted = pictures
    for _ in range(_SCALES):
        loss = loss + functional.l1_loss(drawn, wanted)
        for axis in (-1, -2):
            loss = loss + _EDGES * functional.l1_loss(drawn.diff(dim=axis), wanted.diff(dim=axis))
        drawn, wanted = functional.avg_pool2d(drawn, 2), functional.avg_pool2d(wanted, 2)
    return loss


def scaling_factor(vae: AutoencoderKL, pictures: torch.Tensor) -> float:
    """What brings the latents to a standard deviation of one."""
    with torch.no_grad():
        return float(1 / vae.encode(pictures).latent_dist.sample().float().std())


def unet_loss(networks: Networks, batch: Batch, chance: torch.Generator, *, control: bool = False) -> torch.Tensor:
    """The error of the predicted velocity (arXiv 2202.00512), weighted by min-SNR.

    control: the ControlNet sees the picture's edges and joins in.
    """
    device = next(networks.vae.parameters()).device
    pictures = batch.pictures.to(device)
    with torch.no_grad():
        latents = networks.vae.encode(pictures).latent_dist.sample().float() * networks.vae.config.scaling_factor
    noise = torch.randn(latents.shape, generator=chance).to(device)
    steps = torch.randint(0, networks.noise.config.num_train_timesteps, (len(latents),), generator=chance).to(device)
    noisy = networks.noise.add_noise(latents, noise, steps)
    with torch.set_grad_enabled(not control):
        words, pooled = read_words(networks, list(batch.captions), device)
    conditions = {"text_embeds": pooled, "time_ids": _time_ids(pictures)}
    residuals = _residuals(networks, noisy, steps, words, conditions, batch, device) if control else {}
    predicted = networks.unets[batch.style](
        noisy, steps, encoder_hidden_states=words, added_cond_kwargs=conditions, **residuals
    ).sample.float()
    wanted = networks.noise.get_velocity(latents, noise, steps)
    error = functional.mse_loss(predicted, wanted, reduction="none").mean(dim=(1, 2, 3))
    loss: torch.Tensor = (error * _weights(networks, steps)).mean()
    return loss


def _weights(networks: Networks, steps: torch.Tensor) -> torch.Tensor:
    kept = networks.noise.alphas_cumprod.to(steps.device)[steps]
    ratio = kept / (1 - kept)
    # near pure noise the weight would vanish, and with it what decides ground and outline
    weights: torch.Tensor = (ratio.clamp(max=_GAMMA) / (ratio + 1)).clamp(min=_LEAST_WEIGHT)
    return weights


def _time_ids(pictures: torch.Tensor) -> torch.Tensor:
    height, width = pictures.shape[-2:]
    ids = torch.tensor([height, width, 0, 0, height, width], dtype=torch.float32, device=pictures.device)
    return ids.expand(len(pictures), -1)


def _residuals(
    networks: Networks,
    noisy: torch.Tensor,
    steps: torch.Tensor,
    words: torch.Tensor,
    conditions: dict[str, torch.Tensor],
    batch: Batch,
    device: torch.device,
) -> dict[str, object]:
    down, middle = networks.controlnet(
        noisy,
        steps,
        encoder_hidden_states=words,
        controlnet_cond=edges(batch.raw).to(device),
        added_cond_kwargs=conditions,
        return_dict=False,
    )
    return {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}


def edges(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """Canny edges as the pipeline finds them: (batch, 3, height, width), 0 or 1."""
    config = DrawingConfig()
    greys = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures]
    found = [cv2.Canny(grey, config.canny_low, config.canny_high) for grey in greys]
    return torch.from_numpy(np.stack(found)).float().div(255).unsqueeze(1).expand(-1, 3, -1, -1)
