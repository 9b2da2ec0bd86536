"""From a request to style, prompts and shape: the whole prompt system in one call, without a GPU."""

from dataclasses import dataclass

from pipeline.prompt.builder import BuiltPrompt, build
from pipeline.prompt.keywords import Extractor, Keywords, extract
from pipeline.prompt.router import StyleDecision, route
from pipeline.request import AspectRatio, GenerationRequest
from pipeline.sizes import wished_aspect_ratio
from pipeline.styles import Styles


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What the words of a request lead to; wish is the aspect ratio where the request names none itself."""

    keywords: Keywords
    decision: StyleDecision
    built: BuiltPrompt
    wish: AspectRatio | None


def decide(request: GenerationRequest, extractor: Extractor, styles: Styles, default_style: str) -> Decided:
    """Extract the keywords, route to a style, build the prompts; raises UnknownStyle."""
    return decide_from(extract(request, extractor), request, styles, default_style)


def decide_from(keywords: Keywords, request: GenerationRequest, styles: Styles, default_style: str) -> Decided:
    """Decide with keywords that are there already: the same words for several styles need reading once."""
    decision = route(request, keywords, styles, default_style)
    return Decided(
        keywords=keywords,
        decision=decision,
        built=build(request, keywords, decision),
        wish=wished_aspect_ratio(request, keywords.aspect_ratio, keywords.purpose),
    )
