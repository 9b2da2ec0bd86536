"""Reads the English clauses of a request: signs are taken out, the rest is kept as it is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.prompt.lexicon import Entry, Lexicon

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9'&/.-]*")
_LONGEST = 3
_REQUEST = re.compile(
    r"^\s*(?:please\s+|can you\s+|could you\s+|i (?:want|need|would like)\s+)*(?:(?:draw|create|make|generate"
    r"|design|paint|give|show|render)\s+(?:me\s+|us\s+)?)?"
    r"|\b(?:landscape|portrait|square|vertical|horizontal) (?:orientation|format|mode|size)\b"
    # an oil painting of a cat is a cat, a cinematic photo of a cat a cinematic cat
    r"|(?<=[a-z] )(?<!\ba )(?<!\ban )(?<!\bthe )(?:image|picture|photo|photograph) of (?:an?|the)\b"
    r"|\b(?:please|(?:an? )?(?:image|picture|photo|photograph|illustration|drawing|painting|poster|banner"
    r"|thumbnail|flyer) of)\b",
    re.IGNORECASE,
)
_DANGLING_START = re.compile(
    r"^(?:\s*(?:of|for|in|as|with|and|a|an|the|style|on|to|my|our|that|which|featuring)\b)+(?=\s*$)"
    r"|^(?:\s*(?:of|as|style|featuring|with|for|and)\b)+",
    re.IGNORECASE,
)
_DANGLING_END = re.compile(
    r"(?:\b(?:of|for|in|as|with|and|a|an|the|style|on|to|my|our|that|says|saying|at|by)\s*)+$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnglishClause:
    """What is left of a clause, and the lexicon's entries that were found in it."""

    text: str
    entries: tuple[Entry, ...]


def read_english(clause: str, lexicon: Lexicon) -> EnglishClause:
    """Take style, purpose and layout words out of an English clause."""
    words = [match[0] for match in _WORD.finditer(_REQUEST.sub(" ", clause))]
    signs = tuple(_signs(clause, lexicon))
    kept: list[str] = []
    position = 0
    while position < len(words):
        length, entry = _longest(words, position, lexicon)
        # a concept such as watercolor says what to draw and how; it stays
        if entry is None or entry.gloss:
            kept += words[position : position + max(length, 1)]
        position += max(length, 1)
    text = _DANGLING_END.sub("", _DANGLING_START.sub("", " ".join(kept))).strip(" .-/&'")
    return EnglishClause(text=text, entries=signs)


def _signs(clause: str, lexicon: Lexicon) -> Iterator[Entry]:
    words = [match[0] for match in _WORD.finditer(clause)]
    position = 0
    while position < len(words):
        length, entry = _longest(words, position, lexicon)
        if entry is not None:
            yield entry
        position += max(length, 1)


def _longest(words: list[str], position: int, lexicon: Lexicon) -> tuple[int, Entry | None]:
    for length in range(min(_LONGEST, len(words) - position), 0, -1):
        spoken = "".join(words[position : position + length]).lower().strip(".'")
        for form in (spoken, spoken.removesuffix("s")):
            if entries := lexicon.surfaces.get(form):
                return length, entries[0][0]
    return 0, None
