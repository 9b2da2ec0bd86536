"""Who is in the picture: women, men and others, counted, from what the phrases of a request say."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

from pipeline.prompt.keywords import People
from pipeline.prompt.person_nouns import Mention
from pipeline.prompt.persons import persons_in
from pipeline.prompt.retelling import distinct

_COUPLES = ({"bride", "groom"}, {"husband", "wife"}, {"boyfriend", "girlfriend"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """How many there are; women and men of any age, unsaid where it is open whether woman or man.

    Where one of the three is None there are several, nobody knows how many.
    """

    women: int | None = 0
    men: int | None = 0
    unsaid: int | None = 0
    couple: bool = False
    family: bool = False
    child: bool = False
    baby: bool = False
    old_woman: bool = False
    old_man: bool = False

    @classmethod
    def of(cls, phrases: Iterable[str], people: People = "unspecified") -> Self:
        """Those whom the phrases name, one phrase a clause; where they name too few, whom people stands for."""
        mentions = distinct([persons_in(phrase) for phrase in phrases])
        return cls._from(_completed(mentions, people)) if people != "none" else cls()

    @property
    def number(self) -> int | None:
        """How many they are; None for several."""
        counts = (self.women, self.men, self.unsaid)
        return None if None in counts else sum(count for count in counts if count is not None)

    @property
    def people(self) -> People:
        """The same in one word."""
        if self.number == 0:
            return "unspecified"
        if self.couple and self.number == 2:  # noqa: PLR2004
            return "couple"
        if self.number != 1:
            return "group"
        if self.child:
            return "child"
        return "one_woman" if self.women else "one_man" if self.men else "one_person"

    @classmethod
    def _from(cls, mentions: list[Mention]) -> Self:
        nouns = {mention.noun for mention in mentions}
        old = [mention.sex for mention in mentions if mention.age == "old"]
        cast = cls(
            couple=any(pair <= nouns for pair in _COUPLES) or any(noun.endswith("couple") for noun in nouns),
            family=any(noun.endswith("family") for noun in nouns),
            child=any(mention.age == "child" for mention in mentions),
            baby=any("baby" in noun or "babies" in noun for noun in nouns),
            old_woman=bool({"female", "both"} & set(old)) or _are_old(mentions),
            old_man=bool({"male", "both"} & set(old)) or _are_old(mentions),
        )
        for mention in mentions:
            cast = cast._with(mention)
        return cast

    def _with(self, mention: Mention) -> Self:
        if mention.noun.endswith("family"):
            return self._family(mention.number)
        match mention.sex:
            case "female":
                return replace(self, women=_sum(self.women, mention.number))
            case "male":
                return replace(self, men=_sum(self.men, mention.number))
            case "both":
                number = mention.number
                women, men = (None, None) if number is None else (number - number // 2, number // 2)
                return replace(self, women=_sum(self.women, women), men=_sum(self.men, men))
        return replace(self, unsaid=_sum(self.unsaid, mention.number))

    def _family(self, number: int | None) -> Self:
        """Two grown-ups and their children."""
        children = None if number is None or number <= 2 else number - 2  # noqa: PLR2004
        return replace(self, women=_sum(self.women, 1), men=_sum(self.men, 1), unsaid=_sum(self.unsaid, children))


def _are_old(mentions: list[Mention]) -> bool:
    """Whether a group of old people was named, which is of women and men."""
    return any(one.age == "old" and one.sex == "unsaid" and one.number != 1 for one in mentions)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _completed(mentions: list[Mention], people: People) -> list[Mention]:
    """What a model says in one word fills in what its phrases leave open."""
    wanted = _WANTED.get(people)
    if wanted is None:
        return mentions
    if not mentions:
        return [wanted]
    only = mentions[0] if len(mentions) == 1 else None
    if only is not None and only.number == 1 and only.sex == "unsaid" and wanted.sex in ("female", "male"):
        return [replace(only, sex=wanted.sex)]
    if only is not None and only.number == 1 and wanted.number != 1:
        return [replace(wanted, sex=wanted.sex if wanted.sex == "both" else only.sex)]
    return mentions


_WANTED: dict[People, Mention] = {
    "one_person": Mention(noun="person"),
    "one_woman": Mention(noun="woman", sex="female"),
    "one_man": Mention(noun="man", sex="male"),
    "child": Mention(noun="child", age="child"),
    "couple": Mention(noun="couple", sex="both", number=2),
    "group": Mention(noun="people", number=None),
}
