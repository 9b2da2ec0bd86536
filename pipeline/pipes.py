"""Draws pictures with a diffusers pipe: what text-to-image and image-to-image have in common."""

import inspect
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import diffusers
import torch
from diffusers import DiffusionPipeline

from pipeline.checkpoints import Checkpoint
from pipeline.decoding import SINGLE_PRECISION, WHOLE, Decoded, decode
from pipeline.device import Device
from pipeline.embeddings import Embeddings
from pipeline.progress import Progress
from pipeline.state import State
from pipeline.styles import Style
from store.errors import CheckpointBroken, SettingsInvalid


def make_pipe(kind: type[Any], checkpoint: Checkpoint, style: Style, **shared: Any) -> Any:
    """A pipe of this class from parts that are loaded already, with a scheduler of its own.

    The parts are shared, not copied; `from_pipe` is avoided because it changes the dtype of shared
    parts in place (diffusers issue 12754).
    """
    parts = {**checkpoint.parts, "scheduler": make_scheduler(style, checkpoint)}
    pipe = kind(**parts, **shared, add_watermarker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def make_scheduler(style: Style, checkpoint: Checkpoint) -> Any:
    """A fresh scheduler of the style's class; the checkpoint's own configuration gives the rest.

    Schedulers keep state between steps, so no two drawings may share one.  Raises SettingsInvalid where
    diffusers has no such class or the class no such option, CheckpointBroken on an unknown prediction_type.
    """
    _silence_numpy()
    kind = scheduler_class(style)
    config = checkpoint.parts["scheduler"].config
    if config.get("prediction_type", "epsilon") not in ("epsilon", "v_prediction"):
        raise CheckpointBroken(f"style {style.name!r}: prediction_type {config['prediction_type']!r} is not supported")
    return _configured(kind, config, style)


def scheduler_class(style: Style) -> Any:
    """The style's noise scheduler in diffusers; raises SettingsInvalid."""
    kind = getattr(diffusers, style.scheduler, None)
    if kind is None:
        raise SettingsInvalid(
            f"style {style.name!r}: scheduler {style.scheduler!r} is not a class of diffusers {diffusers.__version__}",
            field=f"styles.{style.name}.scheduler",
        )
    return kind


def _configured(kind: Any, config: Any, style: Style) -> Any:
    options, field = style.scheduler_options, f"styles.{style.name}.scheduler_options"
    try:
        # diffusers drops an option it does not know without a word
        if unknown := sorted(options.keys() - inspect.signature(kind).parameters.keys()):
            raise TypeError(f"there is no option {', '.join(unknown)}")
        return kind.from_config(config, **options)
    except (ImportError, NotImplementedError, TypeError, ValueError) as error:
        message = " ".join(str(error).split())
        raise SettingsInvalid(f"style {style.name!r}: {style.scheduler}: {message}", field=field) from error


def _silence_numpy() -> None:
    # diffusers' schedulers pass torch tensors to numpy 2, which warns about torch's side of it, at each step
    warnings.filterwarnings(
        "ignore",
        message="__array__ implementation doesn't accept a copy keyword",
        category=DeprecationWarning,
        module=r"diffusers\.schedulers",
    )


def draw(
    pipe: Any,
    node: str,
    state: State,
    progress: Progress,
    embeddings: Embeddings,
    *,
    device: Device,
    **inputs: Any,
) -> State:
    """Draw each image of the request by itself and add the pictures, and what the prompts counted, to the state.

    One CPU generator per image makes picture k independent of its neighbours and of the device.  Raises
    CheckpointBroken if what comes out is no picture, OutOfMemory.
    """
    sampling = state.sampling
    words = embeddings.inputs(pipe.device)
    decoded: list[Decoded] = []
    for index, seed in enumerate(sampling.seeds):
        result = pipe(
            **words,
            num_inference_steps=sampling.steps,
            guidance_scale=sampling.guidance_scale,
            generator=torch.Generator("cpu").manual_seed(seed),
            output_type="latent",
            callback_on_step_end=_step_reporter(node, index, state, progress),
            **inputs,
        )
        with _named(state.style):
            decoded.append(decode(pipe.vae, result.images, device))
    return replace(
        state.warn(*_warnings(decoded, _positions(state))),
        prompt=state.prompt.model_copy(update={"tokens": embeddings.tokens}),
        pictures=tuple(one.picture for one in decoded),
        decoded=(*state.decoded, *(one.rung for one in decoded)),
    )


@contextmanager
def _named(style: Style) -> Iterator[None]:
    try:
        yield
    except CheckpointBroken as error:
        raise CheckpointBroken(f"style {style.name!r}: {error.message}") from error


def _positions(state: State) -> Sequence[int]:
    """Which images of the request are drawn now: of a redraw those with lettering, else all."""
    again = [index for index, candidate in enumerate(state.candidates) if candidate.boxes]
    return again if state.candidates else range(len(state.sampling.seeds))


def _warnings(decoded: Sequence[Decoded], positions: Sequence[int]) -> Iterator[str]:
    for index, one in zip(positions, decoded, strict=True):
        if one.rung == SINGLE_PRECISION:
            yield f"images[{index}]: what was drawn was no picture until it was decoded in single precision"
        elif one.rung != WHOLE:
            yield f"images[{index}]: memory ran out, so it was decoded another way ({one.rung}), which moves pixels"
        if one.flat:
            yield f"images[{index}]: the whole picture has one colour"


def _step_reporter(node: str, index: int, state: State, progress: Progress) -> Any:
    sampling = state.sampling
    per_image = max(1, int(sampling.steps * sampling.strength))
    total = per_image * len(sampling.seeds)

    def report(pipe: DiffusionPipeline, step: int, timestep: int, tensors: dict[str, Any]) -> dict[str, Any]:
        progress.step(node, min(index * per_image + step + 1, total), total)
        return tensors

    return report
