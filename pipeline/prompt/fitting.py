"""Cuts prompts to what the encoders read in one pass; the style's first words and the user's last longest."""

from pipeline.prompt.emphasis import fragments, plain, units
from pipeline.prompt.slots import Slots
from pipeline.prompt.templates import fill_negative, fill_positive
from pipeline.prompt.tokens import WINDOW, count_tokens
from pipeline.prompt.words import terms
from pipeline.styles import Style


def count_read(prompt: str) -> int:
    """CLIP tokens of a built prompt as the encoders see it: without the templates' weights and brackets."""
    return count_tokens(plain(fragments(prompt)))


def fitting_positive(style: Style, slots: Slots) -> tuple[str, list[str]]:
    """The filled template without the least important of the user's terms where it is too long, and those terms."""
    dropped: list[str] = []
    filled = fill_positive(style.positive, slots)
    while count_read(filled) > WINDOW and (shorter := slots.shortened()) is not None:
        slots, term = shorter
        dropped.append(term)
        filled = fill_positive(style.positive, slots)
    return filled, dropped[::-1]


def fitting_negative(style: Style, unwanted: list[str], *, with_people: bool) -> tuple[str, list[str]]:
    """The filled template, each word once, and the user's words that had no room; the style's last ones go first."""
    people = style.with_people if with_people else ""
    leading = len(_once_each(units(style.negative.partition("{negative}")[0])))
    kept, dropped = list(unwanted), list[str]()
    while True:
        filled = fill_negative(style.negative, negative=", ".join(kept), with_people=people)
        parts = _once_each(units(filled))
        least = leading + len(kept)
        while count_read(", ".join(parts)) > WINDOW and len(parts) > least:
            parts.pop()
        if count_read(", ".join(parts)) <= WINDOW or not kept:
            return ", ".join(parts), dropped[::-1]
        dropped.append(kept.pop())


def _once_each(parts: list[str]) -> list[str]:
    """The parts that say a word which no part before them says; capital letters do not matter."""
    seen: set[str] = set()
    kept = []
    for part in parts:
        words = {word.casefold() for word in terms(plain(fragments(part)))}
        if words - seen:
            seen |= words
            kept.append(part)
    return kept
