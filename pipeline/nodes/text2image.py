"""The node that draws from words alone."""

from dataclasses import replace
from typing import ClassVar

from diffusers import StableDiffusionXLPipeline

from pipeline.encoding import read_prompts
from pipeline.nodes.base import BaseNode, Done
from pipeline.pipes import draw, make_pipe
from pipeline.progress import Progress
from pipeline.state import State
from store.manifest import ModelsRecord


class Text2Image(BaseNode):
    """Bring the style's checkpoint and draw from noise (SDXL, arXiv 2307.01952)."""

    name: ClassVar[str] = "text2image"
    needs: ClassVar[tuple[str, ...]] = ("style", "prompt", "sampling")
    makes: ClassVar[tuple[str, ...]] = ("models", "pictures")
    draws: ClassVar[bool] = True

    def run(self, state: State, progress: Progress) -> Done:
        """Make pictures."""
        cache, size = self.studio.checkpoints, state.sampling.size
        self._make_room(state)
        checkpoint = cache.begin(state.style)
        vae, vae_record = cache.vae()
        pipe = make_pipe(StableDiffusionXLPipeline, checkpoint, state.style, vae=vae)
        embeddings, known = read_prompts(checkpoint, cache, state)
        swap = cache.finish()
        drawn = draw(
            pipe,
            self.name,
            state,
            progress,
            embeddings,
            device=cache.device,
            width=size.drawn_width,
            height=size.drawn_height,
        )
        models = ModelsRecord(checkpoint=checkpoint.record, vae=vae_record)
        return Done(
            state=replace(drawn, models=models),
            detail={**swap.detail(), "prompts_remembered": known, "decoded": list(drawn.decoded)},
        )

    def _make_room(self, state: State) -> None:
        # the same pixels whether or not something was drawn with a reference before
        memory = self.studio.memory
        if memory is not None and not memory.leaves_controlnet(state.style, state.sampling):
            self.studio.checkpoints.release_controlnet()
