"""Manners of drawing belong to styles: what is forced to be a photograph is no watercolor beside."""

from collections.abc import Mapping
from functools import cache

from pipeline.prompt.lexicon import load_lexicon
from pipeline.styles import Style

# by name or alias of a style: the manners that contradict it
_CONTRADICTING = {
    "realistic": frozenset(("anime", "illustration")),
    "illustration": frozenset(("realistic",)),
    "anime": frozenset(("realistic",)),
}


def contradicts(term: str, style: Style) -> bool:
    """Whether the term is a manner of another style, as "watercolor" is in a photograph."""
    manner = _manners().get(term.lower(), "")
    return any(manner in _CONTRADICTING.get(name, ()) for name in (style.name, *style.aliases))


@cache
def _manners() -> Mapping[str, str]:
    """The style that each manner of drawing in the lexicon names."""
    entries = (entry for readings in load_lexicon().surfaces.values() for entry, _ in readings)
    return {
        entry.gloss.lower(): entry.style
        for entry in entries
        if entry.style and (entry.group == "technique" or entry.gloss.endswith(" photo"))
    }
