"""The node that decides style, words and numbers."""

from dataclasses import replace
from typing import ClassVar

from pipeline.nodes.base import BaseNode, Done
from pipeline.progress import Progress
from pipeline.prompt.decide import decide
from pipeline.sampling import idle_fields, resolve
from pipeline.state import State


class Prompting(BaseNode):
    """Extract the keywords, route to a style, build the prompt, resolve every open number."""

    name: ClassVar[str] = "prompting"
    makes: ClassVar[tuple[str, ...]] = ("style", "prompt", "sampling")

    def run(self, state: State, progress: Progress) -> Done:
        """Read the request; no picture is touched."""
        config, request = self.studio.config, state.request
        decided = decide(request, self.studio.extractor, self.studio.styles, config.default_style)
        style, keywords = decided.decision.style, decided.keywords
        sampling = resolve(request, style, config, seed=state.seed, wish=decided.wish)
        warnings = (*idle_fields(request, sampling), *decided.built.warnings)
        detail = {"style": style.name, "reason": decided.decision.reason, "extractor": keywords.extractor}
        return Done(
            state=replace(state.warn(*warnings), style=style, prompt=decided.built.record, sampling=sampling),
            detail={**detail, **keywords.detail},
        )
