"""The StyleRouter: which of the styles draws a request."""

from dataclasses import dataclass

from pipeline.prompt.keywords import Keywords
from pipeline.request import GenerationRequest, Purpose
from pipeline.styles import Style, Styles

# names or aliases of styles, by what the extractors say
_STYLES = {"realistic": "realistic", "illustration": "illustration", "anime": "anime"}
_BY_PURPOSE: dict[Purpose, str] = {"product": "realistic", "menu": "realistic"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleDecision:
    """The style that draws, and why it was chosen."""

    style: Style
    reason: str


def route(request: GenerationRequest, keywords: Keywords, styles: Styles, default_style: str) -> StyleDecision:
    """The style of the first that speaks: request, the user's words, extractor, purpose, configuration.

    Raises UnknownStyle where the request or the configuration names a style that does not exist.
    """
    if request.style != "auto":
        return StyleDecision(style=styles.find(request.style), reason="named in the request")
    for wanted, reason in _wishes(request, keywords):
        # who replaced the three styles may have left no style of this name
        if _STYLES[wanted] in styles.names:
            return StyleDecision(style=styles.find(_STYLES[wanted]), reason=reason)
    return StyleDecision(style=styles.find(default_style), reason="configured default")


def _wishes(request: GenerationRequest, keywords: Keywords) -> list[tuple[str, str]]:
    wishes: list[tuple[str, str]] = []
    if keywords.style != "unspecified":
        how = (
            "the words ask for it"
            if keywords.style_explicit
            else f"guessed by {keywords.extractor}, confidence {keywords.style_confidence:.2f}"
        )
        wishes.append((keywords.style, f"{keywords.style}: {how}"))
    purpose = request.purpose or keywords.purpose
    if purpose in _BY_PURPOSE:
        wishes.append((_BY_PURPOSE[purpose], f"{_BY_PURPOSE[purpose]}: usual for the purpose {purpose}"))
    return wishes
