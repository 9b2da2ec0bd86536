"""The node that decides style, words and numbers."""

from dataclasses import replace
from typing import ClassVar

from pipeline.nodes.base import BaseNode, Done
from pipeline.progress import Progress
from pipeline.prompt.builder import build
from pipeline.prompt.keywords import extract
from pipeline.prompt.router import route
from pipeline.sampling import idle_fields, resolve
from pipeline.state import State


class Prompting(BaseNode):
    """Extract the keywords, route to a style, build the prompt, resolve every open number."""

    name: ClassVar[str] = "prompting"
    makes: ClassVar[tuple[str, ...]] = ("style", "prompt", "sampling")

    def run(self, state: State, progress: Progress) -> Done:
        """Read the request; no picture is touched."""
        config, styles = self.studio.config, self.studio.styles
        keywords = extract(state.request)
        decision = route(state.request, styles, config.default_style)
        prompt = build(state.request, keywords, decision)
        sampling = resolve(state.request, decision.style, config, seed=state.seed)
        return Done(
            state=replace(
                state.warn(*idle_fields(state.request, sampling)),
                style=decision.style,
                prompt=prompt,
                sampling=sampling,
            ),
            detail={"style": decision.style.name, "reason": decision.reason, "extractor": keywords.extractor},
        )
