"""The HybridPromptBuilder: the style's words around the user's."""

import re

from pipeline.prompt.emphasis import escaped
from pipeline.prompt.keywords import Keywords
from pipeline.prompt.router import StyleDecision
from pipeline.request import GenerationRequest
from store.manifest import PromptRecord

_EMPTY_PARTS = re.compile(r"\s*,(?:\s*,)+\s*")


def build(request: GenerationRequest, keywords: Keywords, decision: StyleDecision) -> PromptRecord:
    """The positive and negative prompt; in raw mode exactly what the request says."""
    style = decision.style
    if request.prompt_mode == "raw":
        positive, negative = request.prompt, request.negative_prompt
    else:
        positive = _filled(style.positive, "{prompt}", escaped(keywords.subject))
        negative = _filled(style.negative, "{negative}", escaped(request.negative_prompt))
    return PromptRecord(
        positive=positive,
        negative=negative,
        style=style.name,
        style_reason=decision.reason,
        keywords={"subject": keywords.subject},
        extractor=keywords.extractor,
    )


def _filled(template: str, place: str, words: str) -> str:
    # replace, not format: braces in the user's words must stay what they are
    filled = template.replace(place, words.strip(" ,"))
    return _EMPTY_PARTS.sub(", ", filled).strip(" ,")
