"""One noun phrase while it is being read: describing words, then nouns, then perhaps a count."""

from collections.abc import Sequence

from pipeline.prompt.counts import Count, plural
from pipeline.prompt.persons import WHOLE_PERSONS
from pipeline.prompt.phrases import ANIMATE, Slot, slot_of, with_article
from pipeline.prompt.word import Word
from pipeline.prompt.wording import cooked, once

_BY_SEX = {"man": "male", "woman": "female", "man and woman": "male and female"}
# who are one, whatever their number: a family of four
_ONE_OF_MANY = ("family", "team", "crew", "band", "choir", "group")
_MANY_ALREADY = ("person.group", "person.couple")
_MADE_OF_WOOD = frozenset(("tableware", "home", "object"))


class NounPhrase:
    """Describing words wait in it for their noun; nouns without a particle between them are one compound."""

    def __init__(self) -> None:
        self.waiting: list[tuple[str, Slot]] = []
        self.nouns: list[Word] = []
        self.count: Count | None = None
        self._count_ahead: Count | None = None

    @property
    def group(self) -> str:
        """The lexicon's group of the head, which is the last noun."""
        return self.nouns[-1].group

    @property
    def slot(self) -> Slot:
        """Where the phrase belongs."""
        return slot_of(self.group)

    @property
    def is_animate(self) -> bool:
        """Whether the head is a person or an animal."""
        return self.group.startswith(ANIMATE)

    def expect(self, count: Count) -> None:
        """A count that stands before its noun: 두 마리의 고양이."""
        self._count_ahead = count

    @property
    def is_person(self) -> bool:
        """Whether it speaks of a person, or several: a woman, a couple's silhouette, but no woman's shoes."""
        persons = [word.group.startswith("person") for word in self.nouns]
        return persons[-1:] == [True] or (any(persons) and self.nouns[-1].gloss in WHOLE_PERSONS)

    def text(self) -> str:
        """The phrase in English, each word once: 딸기 생크림 딸기 케이크 needs one strawberry."""
        worn = self._worn()
        persons = self._counted(self.nouns[worn:], () if worn else [gloss for gloss, _ in self.waiting])
        if not worn:
            return persons
        clothes = [gloss for gloss, _ in self.waiting] + [word.gloss for word in self.nouns[:worn]]
        wearing = "with" if self._is_hair(self.nouns[worn - 1]) else "in"
        return f"{persons} {wearing} {with_article(once(clothes))}"

    def bare(self) -> str:
        """The nouns alone, in English."""
        return once([word.english for word in self.nouns])

    def _worn(self) -> int:
        """How many nouns in front say what the persons behind them wear: 흰 원피스 여자."""
        on_them = [word.group == "fashion" or self._is_hair(word) for word in self.nouns]
        worn = max((place + 1 for place, one in enumerate(on_them) if one), default=0)
        persons = [word.group.startswith("person") for word in self.nouns[worn:]]
        return worn if persons and all(persons) else 0

    def _is_hair(self, word: Word) -> bool:
        return word.gloss.endswith("hair")

    def _counted(self, words: list[Word], describing: Sequence[str]) -> str:
        """The nouns behind what describes them; an age comes last: couple in their 60s."""
        ages = [gloss for gloss in describing if gloss.startswith("in their ")]
        describing = [gloss for gloss in describing if gloss not in ages]
        return " ".join([self._numbered(words, describing), *ages])

    def _numbered(self, words: list[Word], describing: Sequence[str]) -> str:
        nouns = [word.english for word in words]
        if self.is_animate:
            # 남자 제빵사 둘
            nouns[:-1] = [_BY_SEX.get(noun, noun) for noun in nouns[:-1]]
        parts = [cooked(gloss, nouns[-1]) if nouns else gloss for gloss in describing] + nouns
        if "tree" in parts[:-1] and self.group in _MADE_OF_WOOD:
            parts[parts.index("tree")] = "wooden"
        phrase = once(parts)
        count = self.count or self._count_ahead
        if count is None:
            return plural(phrase) if words[-1].many and self.group not in _MANY_ALREADY else phrase
        whole = count.people and phrase.endswith(_ONE_OF_MANY)
        return f"{phrase} of {count.words}" if whole else count.of(phrase)
