"""From a text as it was written to the words of its clauses."""

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

from pipeline.prompt.lexicon import Lexicon, Reading
from pipeline.prompt.matcher import Clause
from pipeline.prompt.word import Word

_BETWEEN = re.compile(r"[^가-힣ㄱ-ㆎA-Za-z0-9'& -]+")
_SPACES = re.compile(r"[^\S\n]+")
_LINES = re.compile(r" ?\n[ \n]*")
_ENDLESS = re.compile(r"(\w{200})\w+")
_NO_HOMOGRAPHS: Mapping[str, Reading] = MappingProxyType({})


def normalised(text: str) -> str:
    """The text with whole syllables, whatever the keyboard sent, single spaces, and no endless words.

    What follows works in time that grows with the square of these.
    """
    text = _LINES.sub("\n", _SPACES.sub(" ", unicodedata.normalize("NFC", text)))
    return _ENDLESS.sub(r"\1", text)


def clauses_of(text: str) -> list[str]:
    """What stands between the marks of a text, with single spaces; Hangul, letters, digits, ' & and - only."""
    return [" ".join(clause.split()) for clause in _BETWEEN.split(text) if clause.strip()]


def words_of(clause: str, lexicon: Lexicon, settled: Mapping[str, Reading] = _NO_HOMOGRAPHS) -> list[Word]:
    """The words of one clause; of a text with marks, as if there were none."""
    return list(Clause(" ".join(clauses_of(clause)), lexicon, settled).words())
