"""Draws pictures with a diffusers pipe: what text-to-image and image-to-image have in common."""

from dataclasses import replace
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers import DiffusionPipeline
from numpy.typing import NDArray

from pipeline.checkpoints import Checkpoint, CheckpointCache
from pipeline.progress import Progress
from pipeline.state import State
from pipeline.styles import Style
from store.errors import CheckpointBroken, SettingsInvalid
from store.manifest import TokenCounts

CLIP_WINDOW = 77


def make_pipe(kind: type[Any], checkpoint: Checkpoint, cache: CheckpointCache, style: Style, **more: Any) -> Any:
    """A pipe of this class from parts that are loaded already, with a scheduler of its own.

    The parts are shared, not copied; `from_pipe` is avoided because it changes the dtype of shared
    parts in place (diffusers issue 12754).
    """
    vae, _ = cache.vae()
    parts = {**checkpoint.parts, "scheduler": make_scheduler(style, checkpoint)}
    pipe = kind(**parts, **more, vae=vae, add_watermarker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def make_scheduler(style: Style, checkpoint: Checkpoint) -> Any:
    """A fresh scheduler of the style's class; the checkpoint's own configuration gives the rest.

    Schedulers keep state between steps, so no two drawings may share one.
    """
    kind = getattr(diffusers, style.scheduler, None)
    if kind is None:
        raise SettingsInvalid(
            f"style {style.name!r}: scheduler {style.scheduler!r} is not a class of diffusers {diffusers.__version__}",
            field=f"styles.{style.name}.scheduler",
        )
    config = checkpoint.parts["scheduler"].config
    if config.get("prediction_type", "epsilon") not in ("epsilon", "v_prediction"):
        raise CheckpointBroken(f"style {style.name!r}: prediction_type {config['prediction_type']!r} is not supported")
    return kind.from_config(config, **style.scheduler_options)


def draw(pipe: DiffusionPipeline, node: str, state: State, progress: Progress, **inputs: Any) -> State:
    """Draw each image of the request by itself and add the pictures to the state.

    One CPU generator per image makes picture k independent of its neighbours and of the device.
    """
    sampling = state.sampling
    pictures: list[NDArray[np.uint8]] = []
    for index, seed in enumerate(sampling.seeds):
        result = pipe(
            prompt=state.prompt.positive,
            negative_prompt=state.prompt.negative,
            num_inference_steps=sampling.steps,
            guidance_scale=sampling.guidance_scale,
            generator=torch.Generator("cpu").manual_seed(seed),
            output_type="np",
            callback_on_step_end=_step_reporter(node, index, state, progress),
            **inputs,
        )
        pictures.append((result.images[0] * 255).round().astype(np.uint8))
    counted = _count_tokens(pipe, state)
    return replace(counted, pictures=tuple(pictures))


def _step_reporter(node: str, index: int, state: State, progress: Progress) -> Any:
    sampling = state.sampling
    per_image = max(1, int(sampling.steps * sampling.strength))
    total = per_image * len(sampling.seeds)

    def report(pipe: DiffusionPipeline, step: int, timestep: int, tensors: dict[str, Any]) -> dict[str, Any]:
        progress.step(node, min(index * per_image + step + 1, total), total)
        return tensors

    return report


def _count_tokens(pipe: Any, state: State) -> State:
    positive, negative = (
        len(pipe.tokenizer(text).input_ids) for text in (state.prompt.positive, state.prompt.negative)
    )
    counts = TokenCounts(positive=positive, negative=negative)
    cut = [
        f"the {name} prompt has {count} tokens; what goes beyond {CLIP_WINDOW} was not drawn"
        for name, count in (("positive", positive), ("negative", negative))
        if count > CLIP_WINDOW
    ]
    return replace(state.warn(*cut), prompt=state.prompt.model_copy(update={"tokens": counts}))
