"""What single words decide beyond the picture's content: its purpose and its style."""

from collections.abc import Iterable

from pipeline.prompt.keywords import StyleWord
from pipeline.prompt.lexicon import Entry
from pipeline.request import Purpose

# where several are named, the one that says most about the picture's shape
_BY_RANK: tuple[Purpose, ...] = (
    "story", "reels", "thumbnail", "banner", "poster", "menu", "profile", "feed", "product", "event"
)  # fmt: skip
_STYLES: tuple[StyleWord, ...] = ("anime", "illustration", "realistic")
_HINTED = 0.6
INTENTS: dict[Purpose, str] = {
    "feed": "social media post", "story": "full-screen story", "reels": "short video cover", "banner": "wide banner",
    "thumbnail": "video thumbnail", "poster": "poster", "menu": "menu picture", "product": "product picture",
    "profile": "profile picture", "event": "event picture", "other": "picture",
}  # fmt: skip


def purpose_of(entries: Iterable[Entry]) -> Purpose | None:
    """The purpose the words name."""
    named = {entry.purpose for entry in entries if entry.purpose}
    return next((purpose for purpose in _BY_RANK if purpose in named), None)


def style_of(entries: Iterable[Entry]) -> tuple[StyleWord, bool, float]:
    """The style, whether it is named outright, and how sure that is; anime, illustration, realistic on ties."""
    named = {entry.style for entry in entries if entry.style}
    for style in _STYLES:
        if style in named:
            return style, True, 1.0
    hinted = {entry.hint for entry in entries if entry.hint}
    for style in _STYLES:
        if style in hinted:
            return style, False, _HINTED
    return "unspecified", False, 0.0
