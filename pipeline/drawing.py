"""What comes out of the pipeline: pictures, and the story of how they were drawn."""

from dataclasses import dataclass
from typing import Any, Literal

from pipeline.sampling import Sampling
from pipeline.state import State
from store.digest import Digest
from store.manifest import ModelsRecord, NodeRecord, PromptRecord, SamplingRecord
from store.outbox import EncodedImage

# what a node of every branch must have made before a drawing is finished
RESULT = ("style", "prompt", "sampling", "models", "images")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A finished drawing: encoded pictures and everything a manifest says about them.

    cached: the pictures are those of an equal request.  fingerprint: under which they may be remembered, with
    drawing_warnings, those of the warnings that are about the pictures; None: not at all.  hindered: an equal request
    may be drawn better.
    """

    branch: str
    images: tuple[EncodedImage, ...]
    prompt: PromptRecord
    models: ModelsRecord
    sampling: SamplingRecord
    nodes: tuple[NodeRecord, ...]
    warnings: tuple[str, ...]
    hindered: bool = False
    cached: bool = False
    fingerprint: Digest | None = None
    drawing_warnings: tuple[str, ...] = ()


def finished(
    state: State,
    branch: str,
    nodes: tuple[NodeRecord, ...],
    *,
    device: str,
    dtype: str,
    threads: int,
    profile: Literal["exact", "fast"],
) -> Drawing:
    """The drawing of a state that has passed every node of its branch."""
    return Drawing(
        branch=branch,
        images=state.images,
        prompt=state.prompt,
        models=state.models,
        sampling=_record(state, device=device, dtype=dtype, threads=threads, profile=profile),
        nodes=nodes,
        warnings=state.warnings,
        hindered=state.hindered,
    )


def _record(state: State, **machine: Any) -> SamplingRecord:
    sampling: Sampling = state.sampling
    referenced = state.reference is not None
    varied = referenced and sampling.reference_mode == "variation"
    return SamplingRecord(
        scheduler=state.style.scheduler,
        steps=sampling.steps,
        guidance_scale=sampling.guidance_scale,
        width=sampling.size.width,
        height=sampling.size.height,
        drawn_width=sampling.size.drawn_width,
        drawn_height=sampling.size.drawn_height,
        num_images=len(sampling.seeds),
        seed=sampling.seeds[0],
        output_format=sampling.output_format,
        strength=sampling.strength if varied else None,
        controlnet_scale=sampling.controlnet_scale if referenced else None,
        controlnet_end=sampling.controlnet_end if referenced else None,
        reference_mode=sampling.reference_mode if referenced else None,
        decoded=tuple(dict.fromkeys(state.decoded)),
        **machine,
    )
