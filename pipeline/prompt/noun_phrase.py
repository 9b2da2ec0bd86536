"""One noun phrase while it is being read: describing words, then nouns, then perhaps a count."""

from collections.abc import Sequence

from pipeline.prompt.counts import Count, plural
from pipeline.prompt.matcher import Word
from pipeline.prompt.persons import WHOLE_PERSONS
from pipeline.prompt.phrases import ANIMATE, Slot, slot_of, with_article

_OF_PLACES = (
    "interior", "exterior", "entrance", "terrace", "background", "scenery", "view", "rooftop", "counter", "beach",
    "street", "village",
)  # fmt: skip
_OPPOSITES = {"person.woman", "person.man"}
_MANY_ALREADY = ("person.group", "person.couple")
_MADE_OF_WOOD = frozenset(("tableware", "home", "object"))


_BAKED = (
    "bread", "bun", "buns", "cake", "cakes", "cookie", "cookies", "croissant", "croissants", "pie", "bagel", "bagels",
    "scone", "scones", "baguette", "muffin", "muffins", "tart", "pretzel", "madeleines", "pastry", "waffle", "pizza",
    "biscuit", "biscuits", "ciabatta", "focaccia", "donut", "donuts", "toast", "macarons",
)  # fmt: skip


def cooked(gloss: str, food: str) -> str:
    """굽다 in English: bread is baked, the rest roasted or grilled."""
    if food.rsplit(" ", 1)[-1] not in _BAKED:
        return gloss
    return {"roasted": "baked", "grilling": "baking"}.get(gloss, gloss)


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
        return group_of(self.nouns[-1])

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

    def continues_with(self, word: Word) -> bool:
        """Whether the word makes a compound with the nouns so far."""
        last, group = self.nouns[-1], group_of(word)
        if last.role == "of" and self.group == "fashion" and group.startswith("person"):
            # 검은 드레스의 마녀
            return True
        if last.role != "none" or self.count is not None or {self.group, group} == _OPPOSITES:
            return False
        to, of = slot_of(group), self.slot
        if to == "lighting":
            return of in ("time_season", "lighting")
        if self.group.startswith("person") and to == "setting":
            # 바리스타 학원, 신부 대기실: whose place it is
            return last.role == "none" and not self.waiting
        if of == "setting":
            return group.startswith("person") or (to == "setting" and _one_place(last, word))
        return of == to or (self.group == "holiday" and to == "subject")

    @property
    def is_person(self) -> bool:
        """Whether it speaks of a person, or several: a woman, a couple's silhouette, but no woman's shoes."""
        persons = [group_of(word).startswith("person") for word in self.nouns]
        return persons[-1:] == [True] or (any(persons) and gloss_of(self.nouns[-1]) in WHOLE_PERSONS)

    def text(self) -> str:
        """The phrase in English, each word once: 딸기 생크림 딸기 케이크 needs one strawberry."""
        worn = self._worn()
        persons = self._counted(self.nouns[worn:], () if worn else [gloss for gloss, _ in self.waiting])
        if not worn:
            return persons
        clothes = [gloss for gloss, _ in self.waiting] + [gloss_of(word) for word in self.nouns[:worn]]
        wearing = "with" if self._is_hair(self.nouns[0]) else "in"
        return f"{persons} {wearing} {with_article(_once(clothes))}"

    def bare(self) -> str:
        """The nouns alone, in English."""
        return _once([word.entry.gloss if word.entry else word.text for word in self.nouns])

    def _worn(self) -> int:
        """How many nouns in front say what the persons behind them wear: 흰 원피스 여자."""
        on_them = [group_of(word) == "fashion" or self._is_hair(word) for word in self.nouns]
        worn = on_them.index(False) if False in on_them else 0
        return worn if all(group_of(word).startswith("person") for word in self.nouns[worn:]) else 0

    def _is_hair(self, word: Word) -> bool:
        return gloss_of(word).endswith("hair")

    def _counted(self, words: list[Word], describing: Sequence[str]) -> str:
        nouns = [word.entry.gloss if word.entry else word.text for word in words]
        parts = [cooked(gloss, nouns[-1]) if nouns else gloss for gloss in describing] + nouns
        if "tree" in parts[:-1] and self.group in _MADE_OF_WOOD:
            parts[parts.index("tree")] = "wooden"
        phrase = _once(parts)
        count = self.count or self._count_ahead
        if count is None:
            return plural(phrase) if words[-1].many and self.group not in _MANY_ALREADY else phrase
        return f"{phrase} of {count.words}" if count.people and phrase.endswith("family") else count.of(phrase)


def _once(parts: Sequence[str]) -> str:
    return " ".join(dict.fromkeys(piece for part in parts for piece in part.split(" ")))


def group_of(word: Word) -> str:
    """The lexicon's group of a word; letters that are not in the lexicon are a group of their own."""
    return word.entry.group if word.entry else "latin"


def gloss_of(word: Word) -> str:
    """The English of a word from the lexicon."""
    return word.entry.gloss if word.entry else ""


def _one_place(last: Word, word: Word) -> bool:
    """제주 바다, 카페 인테리어 are one place; 골목길 포장마차 are two."""
    return gloss_of(last)[:1].isupper() or gloss_of(word).endswith(_OF_PLACES)
