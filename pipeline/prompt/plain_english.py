"""Lets only plain English through, and remembers what was held back."""

import re
import unicodedata
from collections.abc import Iterable

_ASCII_SIGNS = str.maketrans({"\u2018": "'", "\u2019": "'", "\u2013": "-", "\u2014": "-", "\u3001": ",", "\u00d7": "x"})
_FOREIGN = re.compile(r"[^\x00-\x7f]+")
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9 ,.'/&-]+")
_REPEATED_HYPHENS = re.compile(r"-{2,}")
_EDGES = " ,.'/&-"
_NOTHING = frozenset(("none", "null", "n/a", "unspecified", "not specified", "unknown", "empty", "no"))
_MAX_FOREIGN = 40


class Phrases:
    """Takes English phrases one by one; words in other scripts gather in `foreign`."""

    def __init__(self) -> None:
        self.foreign: list[str] = []

    def take(self, text: str, limit: int) -> str:
        """The phrase in letters, digits and ,.'/&- of ASCII, cut between words to at most limit characters."""
        kept = " ".join(self._ascii(word) for word in text.translate(_ASCII_SIGNS).split())
        kept = _REPEATED_HYPHENS.sub("-", _NOT_ALLOWED.sub(" ", kept))
        phrase = _cut(" ".join(kept.split()).strip(_EDGES), limit)
        return "" if phrase.lower() in _NOTHING else phrase

    def take_all(self, texts: Iterable[str], limit: int, most: int) -> tuple[str, ...]:
        """At most this many phrases, without the empty ones and those that were there before."""
        phrases = (self.take(text, limit) for text in texts)
        return tuple({phrase.lower(): phrase for phrase in phrases if phrase}.values())[:most]

    def _ascii(self, word: str) -> str:
        word = unicodedata.normalize("NFKC", word)
        if word.isascii():
            return word
        bare = "".join(sign for sign in unicodedata.normalize("NFKD", word) if not unicodedata.combining(sign))
        if bare.isascii():
            return bare
        runs = _FOREIGN.findall(word)
        self.foreign += [run[:_MAX_FOREIGN] for run in runs if run[:_MAX_FOREIGN].isalnum()]
        return _FOREIGN.sub(" ", word)


def _cut(phrase: str, limit: int) -> str:
    if len(phrase) <= limit:
        return phrase
    head, _, _ = phrase[: limit + 1].rpartition(" ")
    return (head or phrase[:limit]).rstrip(_EDGES)
