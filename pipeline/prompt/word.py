"""One word of a Korean sentence: an entry of the lexicon, and what the rest of its eojeol makes of it."""

import re
from dataclasses import dataclass
from typing import Literal

from pipeline.prompt.counts import Count
from pipeline.prompt.endings import Role, holds_adnominal, is_ending, role_of_tail
from pipeline.prompt.lexicon import Entry, Reading

Kind = Literal["noun", "verb", "count", "latin", "unknown", "break"]

# words of so many syllables are seldom part of another
DISTINCT = 3
# 하다 and its kin behind a noun that stands in the lexicon alone
_MADE_VERB = re.compile(
    r"(?:하|한|할|해|했|되|된|될|돼|됐|시키|시킨|스러|스런|스럽|적|중|있|없|받|나는|난|같|답|지향|하면|함|됨).*"
)
_MADE_ADJECTIVE = re.compile(r"한|스러운|스런|적인|적|있는|같은|다운|중인|하고|한데|된|하는|되는|지향적인")
_EDIBLE = frozenset(("food", "drink"))
_HEADS = _EDIBLE | {"animal", "plant", "fashion", "home", "tableware", "place", "object", "beauty", "vehicle"}
_SHORT_HEADS = frozenset("빵떡꽃옷책컵숲잼죽콩쌀빛톤섬")


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word of a sentence, with what follows it: role for nouns, adnominal for what describes a noun."""

    kind: Kind
    text: str = ""
    entry: Entry | None = None
    role: Role = "none"
    adnominal: bool = False
    many: bool = False
    count: Count | None = None

    @property
    def group(self) -> str:
        """The lexicon's group; letters that are not in the lexicon are a group of their own."""
        return self.entry.group if self.entry else "latin"

    @property
    def gloss(self) -> str:
        """The English of a word from the lexicon."""
        return self.entry.gloss if self.entry else ""

    @property
    def english(self) -> str:
        """The English, or the letters themselves."""
        return self.entry.gloss if self.entry else self.text


def whole_word(surface: str, reading: Reading, tail: str) -> Word | None:
    """The word of a surface and what is left of its eojeol; None where that is no particle and no ending."""
    entry, base = reading
    if base is not None:
        if not is_ending(base, tail) or (len(surface) == 1 and not tail and base == "link"):
            return None
        return Word(kind="verb", text=surface + tail, entry=entry, adnominal=holds_adnominal(base, tail))
    role = role_of_tail(tail)
    if role is not None:
        return Word(kind="noun", text=surface, entry=entry, role=role, many=tail.startswith("들"))
    if len(surface) > 1 and _MADE_VERB.fullmatch(tail):
        adnominal = _MADE_ADJECTIVE.fullmatch(tail) is not None
        return Word(kind="noun", text=surface, entry=entry, role="none" if adnominal else "other")
    return None


def may_follow(word: Word) -> bool:
    """One syllable more often belongs to the word before: 자연산 is no mountain."""
    return (
        len(word.text) > 1
        or word.kind != "noun"
        or word.text in _SHORT_HEADS
        or (word.entry is not None and word.entry.group == "stop")
    )


def may_end_a_compound(word: Word, before: int) -> bool:
    """Whether a word behind letters nobody knows is their head; 아로마 is not Rome, so places must be long."""
    if word.kind != "noun" or word.entry is None or word.entry.group not in _HEADS:
        return False
    return len(word.text) >= DISTINCT or (len(word.text) > 1 and (before > 1 or word.entry.group in _EDIBLE))
