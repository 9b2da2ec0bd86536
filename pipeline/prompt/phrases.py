"""The English phrases of a request, each in its slot, and what the lexicon's groups are in a sentence."""

from dataclasses import dataclass, field
from typing import Literal

Slot = Literal["subject", "attributes", "action", "setting", "time_season", "lighting", "mood", "palette", "shot"]

_SLOTS: dict[str, Slot] = {
    "place": "setting", "time": "time_season", "holiday": "time_season", "weather": "time_season", "light": "lighting",
    "shot": "shot", "technique": "attributes", "material": "attributes", "modifier": "attributes", "mood": "mood",
    "colour": "palette", "adjective.mood": "mood", "adjective.look": "attributes", "adjective.colour": "palette",
    "verb": "action",
}  # fmt: skip
# nouns that describe the noun behind them, as adjectives do
DESCRIBING = frozenset(("material", "modifier", "mood", "colour"))
ON_THEIR_OWN = frozenset(("shot", "technique"))
ANIMATE = ("animal", "person")
_UNCOUNTED = (
    "grass", "lawn", "floor", "furniture", "bedding", "sand", "water", "snow", "soil", "moss", "background", "paper",
    "fabric", "marble", "hair",
)  # fmt: skip
_COUNTED_ALREADY = ("a", "the", "two", "three", "four", "several")


@dataclass(slots=True, kw_only=True)
class Phrases:
    """The phrases of each slot in the order they were said; people are those that name persons, clause by clause."""

    slots: dict[Slot, list[str]] = field(default_factory=dict)
    people: list[list[str]] = field(default_factory=list)

    def add(self, slot: Slot, phrase: str) -> None:
        """Lay a phrase into a slot, once."""
        known = self.slots.setdefault(slot, [])
        if phrase and phrase not in known:
            known.append(phrase)

    def counted_again(self, phrase: str, counted: str) -> str:
        """The counted phrase, in place of the one that was laid uncounted, where that names persons."""
        self.people = [[counted if one == phrase else one for one in clause] for clause in self.people]
        return counted


def slot_of(group: str) -> Slot:
    """Where words of a group of the lexicon belong; things and persons are subjects."""
    return _SLOTS.get(group, "subject")


def with_article(phrase: str) -> str:
    """The phrase behind "a" or "an", unless it is plural, a name, or no single thing."""
    first, last = phrase.split(" ", maxsplit=1)[0], phrase.rsplit(" ", 1)[-1]
    plural = last.endswith("s") and not last.endswith("ss")
    if plural or last in _UNCOUNTED or phrase[:1].isupper() or first in _COUNTED_ALREADY:
        return phrase
    return f"an {phrase}" if first[:1] in "aeiou" else f"a {phrase}"
