"""What each network is to make small."""

import torch
from diffusers import AutoencoderKL, DDPMScheduler
from torch.nn import functional

from pipeline.builtin.networks import Networks
from pipeline.training.lessons import Lesson
from pipeline.training.reading import read_words

# at ten times as much, pictures are dull
_DIVERGENCE = 1e-6
_EDGES = 0.5
_TINTS = 1.0
# brightness, red against green, yellow against blue
_COLOURS = ((1 / 3, 1 / 3, 1 / 3), (1.0, -1.0, 0.0), (0.5, 0.5, -1.0))
_ANCHOR = 2.0
_SCALES = 3
# noise on latents that the decoder learns from, in parts of their spread
_SHAKE = 0.05
# the bound of min-SNR weighting (arXiv 2303.09556)
_GAMMA = 5.0
_LEAST_WEIGHT = 0.2


def vae_loss(vae: AutoencoderKL, pictures: torch.Tensor) -> torch.Tensor:
    """Distance of colours and of their differences at three scales, and a pull of latents to what they stand for."""
    posterior = vae.encode(pictures).latent_dist
    drawn = vae.decode(posterior.sample()).sample.float()
    loss: torch.Tensor = _DIVERGENCE * posterior.kl().mean() + _ANCHOR * _distance_to_colours(posterior.mean, pictures)
    return loss + _unlikeness(drawn, pictures)


def decoder_loss(vae: AutoencoderKL, pictures: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
    """The same distance of pictures alone, for latents that are given, and as imprecise as a UNet's are."""
    with torch.no_grad():
        latents = vae.encode(pictures).latent_dist.mode().float()
        shaken = latents + _SHAKE * latents.std() * torch.randn(latents.shape, generator=chance).to(latents)
    return _unlikeness(vae.decode(shaken).sample.float(), pictures)


def _unlikeness(drawn: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Distance of colours and of their differences at three scales."""
    loss = torch.zeros((), device=drawn.device)
    for _ in range(_SCALES):
        loss = loss + functional.l1_loss(drawn, wanted)
        # without it everything is orange or teal for a thousand steps
        loss = loss + _TINTS * functional.l1_loss(_tint(drawn), _tint(wanted))
        for axis in (-1, -2):
            loss = loss + _EDGES * functional.l1_loss(drawn.diff(dim=axis), wanted.diff(dim=axis))
        drawn, wanted = functional.avg_pool2d(drawn, 2), functional.avg_pool2d(wanted, 2)
    return loss


def _distance_to_colours(latents: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
    """How far the first three channels are from the mean colour of the eight by eight pixels they stand for.

    Left alone, a small VAE spends thousands of steps on finding colours, and mixes them with everything else.
    """
    means = functional.avg_pool2d(pictures, 8)
    colours = torch.einsum("oc,bchw->bohw", torch.tensor(_COLOURS, device=pictures.device), means)
    return functional.mse_loss(latents[:, : len(_COLOURS)].float(), colours)


def _tint(pictures: torch.Tensor) -> torch.Tensor:
    """How far each channel is from the grey of its pixel."""
    return pictures - pictures.mean(dim=1, keepdim=True)


def unet_loss(networks: Networks, noise: DDPMScheduler, lesson: Lesson, chance: torch.Generator) -> torch.Tensor:
    """The error of the predicted velocity (arXiv 2202.00512), weighted by min-SNR.

    Where the lesson has edges the ControlNet sees them and joins in.
    """
    device = next(networks.vae.parameters()).device
    latents = lesson.latents.to(device) * networks.vae.config.scaling_factor
    fresh = torch.randn(latents.shape, generator=chance).to(device)
    steps = torch.randint(0, noise.config.num_train_timesteps, (len(latents),), generator=chance).to(device)
    noisy = noise.add_noise(latents, fresh, steps)
    words, pooled = read_words(networks, lesson.style, lesson.captions, device)
    conditions = {"text_embeds": pooled, "time_ids": _time_ids(latents)}
    residuals = {} if lesson.edges is None else _residuals(networks, noisy, steps, words, conditions, lesson.edges)
    predicted = networks.unets[lesson.style](
        noisy, steps, encoder_hidden_states=words, added_cond_kwargs=conditions, **residuals
    ).sample.float()
    wanted = noise.get_velocity(latents, fresh, steps)
    error = functional.mse_loss(predicted, wanted, reduction="none").mean(dim=(1, 2, 3))
    loss: torch.Tensor = (error * _weights(noise, steps)).mean()
    return loss


def _weights(noise: DDPMScheduler, steps: torch.Tensor) -> torch.Tensor:
    kept = noise.alphas_cumprod.to(steps.device)[steps]
    ratio = kept / (1 - kept)
    # near pure noise the weight would vanish, and with it what decides ground and outline
    weights: torch.Tensor = (ratio.clamp(max=_GAMMA) / (ratio + 1)).clamp(min=_LEAST_WEIGHT)
    return weights


def _time_ids(latents: torch.Tensor) -> torch.Tensor:
    height, width = (8 * side for side in latents.shape[-2:])
    ids = torch.tensor([height, width, 0, 0, height, width], dtype=torch.float32, device=latents.device)
    return ids.expand(len(latents), -1)


def _residuals(
    networks: Networks,
    noisy: torch.Tensor,
    steps: torch.Tensor,
    words: torch.Tensor,
    conditions: dict[str, torch.Tensor],
    seen: torch.Tensor,
) -> dict[str, object]:
    down, middle = networks.controlnet(
        noisy,
        steps,
        encoder_hidden_states=words,
        controlnet_cond=seen.to(noisy.device),
        added_cond_kwargs=conditions,
        return_dict=False,
    )
    return {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
