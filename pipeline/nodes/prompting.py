"""The node that decides style, words and numbers."""

from dataclasses import replace
from typing import ClassVar

from pydantic import JsonValue

from pipeline.nodes.base import BaseNode, Done
from pipeline.progress import Progress
from pipeline.prompt.decide import decide
from pipeline.sampling import Sampling, idle_fields, resolve
from pipeline.state import State
from pipeline.styles import Style
from store.manifest import PromptRecord


class Prompting(BaseNode):
    """Extract the keywords, route to a style, build the prompt, resolve every open number."""

    name: ClassVar[str] = "prompting"
    makes: ClassVar[tuple[str, ...]] = ("style", "prompt", "sampling")

    def run(self, state: State, progress: Progress) -> Done:
        """Read the request; no picture is touched."""
        if state.words is not None:
            return self._as_given(state, state.words)
        config, request = self.studio.config, state.request
        decided = decide(request, self.studio.extractor, self.studio.styles, config.default_style)
        style, keywords = decided.decision.style, decided.keywords
        sampling = resolve(request, style, config, seed=state.seed, wish=decided.wish)
        self._require_memory(style, sampling, state)
        warnings = (*idle_fields(request, sampling), *decided.built.warnings)
        detail: dict[str, JsonValue] = {"style": style.name, "reason": decided.decision.reason}
        return Done(
            state=replace(state.warn(*warnings), style=style, prompt=decided.built.record, sampling=sampling),
            detail={**detail, "extractor": keywords.extractor, **_reference(state), **keywords.detail},
        )

    def _as_given(self, state: State, words: PromptRecord) -> Done:
        style = self.studio.styles.find(words.style)
        sampling = resolve(state.request, style, self.studio.config, seed=state.seed)
        self._require_memory(style, sampling, state)
        return Done(
            state=replace(state, style=style, prompt=words, sampling=sampling),
            detail={"style": style.name, "reason": "the words were given", **_reference(state)},
        )

    def _require_memory(self, style: Style, sampling: Sampling, state: State) -> None:
        if self.studio.memory is not None:
            self.studio.memory.require(style, sampling, referenced=state.reference is not None)


def _reference(state: State) -> dict[str, JsonValue]:
    # noted here, because the node that decodes it may be passed over
    return {} if state.reference is None else {"reference_sha256": state.reference.digest}
