"""The StyleRouter: which of the styles draws a request."""

from dataclasses import dataclass

from pipeline.request import GenerationRequest
from pipeline.styles import Style, Styles


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleDecision:
    """The style that draws, and why it was chosen."""

    style: Style
    reason: str


def route(request: GenerationRequest, styles: Styles, default_style: str) -> StyleDecision:
    """The style the request names, else the configured default; raises UnknownStyle."""
    if request.style != "auto":
        return StyleDecision(style=styles.find(request.style), reason="named in the request")
    return StyleDecision(style=styles.find(default_style), reason="configured default")
