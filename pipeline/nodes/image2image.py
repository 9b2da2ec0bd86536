"""The node that draws from words and a reference."""

from dataclasses import replace
from typing import Any, ClassVar

from diffusers import StableDiffusionXLControlNetImg2ImgPipeline, StableDiffusionXLControlNetPipeline

from pipeline.encoding import read_prompts
from pipeline.nodes.base import BaseNode, Done
from pipeline.pipes import draw, make_pipe
from pipeline.progress import Progress
from pipeline.state import State
from store.manifest import ModelsRecord


class Image2Image(BaseNode):
    """Bring the style's checkpoint and draw along the reference's edges (ControlNet, arXiv 2302.05543).

    A variation starts from the reference's own colours (SDEdit, arXiv 2108.01073); structure starts
    from noise and keeps only the edges.
    """

    name: ClassVar[str] = "image2image"
    needs: ClassVar[tuple[str, ...]] = ("style", "prompt", "sampling", "init_image", "control_image")
    makes: ClassVar[tuple[str, ...]] = ("models", "pictures")
    draws: ClassVar[bool] = True

    def run(self, state: State, progress: Progress) -> Done:
        """Make pictures."""
        cache = self.studio.checkpoints
        checkpoint = cache.begin(state.style)
        (vae, vae_record), (controlnet, controlnet_record) = cache.vae(), cache.controlnet()
        kind, images = _mode(state)
        pipe = make_pipe(kind, checkpoint, state.style, vae=vae, controlnet=controlnet)
        embeddings, known = read_prompts(checkpoint, cache, state)
        swap = cache.finish()
        drawn = draw(
            pipe,
            self.name,
            state,
            progress,
            embeddings,
            device=cache.device,
            controlnet_conditioning_scale=state.sampling.controlnet_scale,
            control_guidance_end=state.sampling.controlnet_end,
            **images,
        )
        models = ModelsRecord(checkpoint=checkpoint.record, vae=vae_record, controlnet=controlnet_record)
        return Done(
            state=replace(drawn, models=models),
            detail={
                **swap.detail(),
                "prompts_remembered": known,
                "decoded": list(drawn.decoded),
                "reference_mode": state.sampling.reference_mode,
            },
        )


def _mode(state: State) -> tuple[type[Any], dict[str, Any]]:
    if state.sampling.reference_mode == "structure":
        return StableDiffusionXLControlNetPipeline, {"image": state.control_image}
    images = {"image": state.init_image, "control_image": state.control_image, "strength": state.sampling.strength}
    return StableDiffusionXLControlNetImg2ImgPipeline, images
