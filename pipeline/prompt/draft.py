"""The phrase that is being read, and the slots into which finished phrases are laid."""

from pipeline.prompt.noun_phrase import NounPhrase
from pipeline.prompt.phrases import Phrases, Slot, with_article

_HOLLOW = (
    "bowl", "cup", "glass", "basket", "box", "pot", "vase", "jar", "bathtub", "mug", "bag", "bottle", "oven", "car",
    "tent", "container", "steamer",
)  # fmt: skip
_OF_A_BACKGROUND = ("palette", "attributes", "setting", "mood", "time_season")
_NO_PLACES = ("food", "drink", "latin")


class Draft:
    """One noun phrase at a time; each phrase that is over becomes part of a slot.

    background: what describes comes behind 배경 and speaks of it.  seen: the lexicon's groups of the phrases
    that were laid in this clause.
    """

    def __init__(self, phrases: Phrases) -> None:
        self.phrases = phrases
        self.current = NounPhrase()
        self.background = False
        self.seen: set[str] = set()
        self._paired = False

    @property
    def shows_somebody(self) -> bool:
        """Whether this clause spoke of a person or an animal."""
        return not self.seen.isdisjoint(("person", "animal"))

    @property
    def rides(self) -> bool:
        """Whether this clause is about a vehicle."""
        return "vehicle" in self.seen and not self.shows_somebody

    def begin(self) -> None:
        """A clause begins."""
        self.background = self._paired = False
        self.seen.clear()
        self.phrases.people.append([])

    def flush(self) -> None:
        """Lay the phrase that was being read into its slot."""
        current = self.current
        if not current.nouns:
            return
        is_thing = current.slot == "subject" and not current.is_animate
        role = current.nouns[-1].role
        if role == "place" and is_thing and current.group not in _NO_PLACES:
            self.place(self.preposition())
        elif role == "like" and not current.is_animate and current.slot in ("subject", "setting"):
            self.lay("attributes", f"like {with_article(self.taken())}")
        elif current.slot == "subject":
            self._lay_subject()
        else:
            slot = current.slot
            self.lay(slot, self.taken())

    def loosen(self) -> None:
        """Lay what still waits for a noun into its own slots."""
        waiting, self.current.waiting = self.current.waiting, []
        for gloss, slot in waiting:
            self.lay(slot, gloss)

    def taken(self) -> str:
        """The phrase that was being read; a new one begins."""
        phrase = self.current.text()
        if self.current.is_person:
            self.phrases.people[-1].append(phrase)
        self.seen.add(self.current.group.partition(".")[0])
        self.current = NounPhrase()
        return phrase

    def preposition(self) -> str:
        """How one is at the thing that is being read."""
        return "in" if self.current.text().endswith(_HOLLOW) else "on"

    def place(self, preposition: str) -> None:
        """Lay the phrase as a place: on a table, by the window."""
        group = self.current.group
        phrase = self.taken()
        if group == "light":
            self.lay("lighting", phrase)
        elif group == "place" and (preposition in ("in", "on") or phrase.startswith("by the")):
            self.lay("setting", phrase)
        else:
            self.lay("setting", f"{preposition} {phrase if group == 'place' else with_article(phrase)}")

    def lay(self, slot: Slot, phrase: str) -> None:
        """Add a finished phrase to a slot."""
        if self.background and slot in _OF_A_BACKGROUND and phrase:
            self.background = False
            phrase = phrase if slot in ("setting", "time_season") else f"{phrase} background"
            slot = "setting"
        self.phrases.add(slot, phrase)

    def _lay_subject(self) -> None:
        """A person or a thing, together with the one before it where that was said: mother and son."""
        paired, count = self._paired, self.current.count
        self._paired = self.current.nouns[-1].role == "with" or (count is not None and count.joins)
        phrase = self.taken()
        before = self.phrases.slots.get("subject", [])
        if paired and before and phrase not in before:
            before[-1] = f"{before[-1]} and {phrase}"
        else:
            self.lay("subject", phrase)
