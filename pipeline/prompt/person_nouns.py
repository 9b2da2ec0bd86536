"""The English nouns for persons: of which sex and age, and whether one or several."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from pipeline.prompt.counts import NUMBER_WORDS, plural
from pipeline.prompt.lexicon import load_lexicon

Sex = Literal["female", "male", "both", "unsaid"]
Age = Literal["child", "grown", "old"]
_FEMALE = (
    "woman lady girl schoolgirl mom mum mommy grandma granddaughter niece sister actress waitress businesswoman"
    " saleswoman hostess female wife bride queen princess daughter mother grandmother aunt girlfriend"
)
_MALE = (
    "man guy boy schoolboy dad daddy grandpa grandson nephew brother waiter businessman salesman fisherman male"
    " husband groom king prince son father grandfather uncle boyfriend gentleman"
)
_CHILDREN = "child kid baby toddler infant newborn preschooler grandchild granddaughter grandson kindergartner"
_OF_CHILDREN = (
    "little girl",
    "little boy",
    "kids",
    "baby",
    "elementary school",
    "kindergarten child",
    "children",
    "babies",
)
_OLD = ("grand", "elderly", "old woman", "old man", "senior")
_UNSAID = (
    "person adult teen teenager guest customer worker employee colleague student pedestrian friend neighbor sibling"
    " parent grandparent twin people couple family crowd team audience passenger shopper tourist buddy scholar"
)
_PAIRS = frozenset(("parents", "grandparents", "parents-in-law", "siblings", "sisters", "brothers", "twins"))
_BOTH = frozenset(("parents", "grandparents", "parents-in-law", "siblings"))
_CROWDS = frozenset(("people", "crowd", "team", "audience", "family"))
_NOT_PERSONS = ("person.group", "person.couple")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """Persons of one kind; number is None for several, and at least 2 where sex is "both"."""

    noun: str
    sex: Sex = "unsaid"
    age: Age = "grown"
    number: int | None = 1


@cache
def known_persons() -> Mapping[str, Mention]:
    """Every noun for a person, one and several: the lexicon's, and some that only English uses."""
    nouns: dict[str, Sex] = {}
    for gloss, group in load_lexicon().groups.items():
        parts = gloss.split()
        if group.startswith("person") and not {"and", "of"} & set(parts) and parts[0] not in NUMBER_WORDS:
            nouns[gloss] = _sex(gloss, group)
    english: tuple[tuple[Sex, str], ...] = (("unsaid", f"{_CHILDREN} {_UNSAID}"), ("female", _FEMALE), ("male", _MALE))
    for sex, words in english:
        nouns |= dict.fromkeys(words.split(), sex)
    known = {}
    for noun, sex in nouns.items():
        grouped = load_lexicon().groups.get(noun, "") == "person.group" or noun in _CROWDS
        known[noun] = _mention(noun, noun, sex, several=grouped)
        if not grouped:
            known.setdefault(plural(noun), _mention(noun, plural(noun), sex, several=True))
    return known


def _sex(gloss: str, group: str) -> Sex:
    words = gloss.split()
    if group in ("person.woman", "person.man"):
        return "female" if group == "person.woman" else "male"
    if group in _NOT_PERSONS or group == "person.child":
        last = words[0] if gloss.startswith(("girl group", "boy band")) else words[-1]
        forms = {last} | {one for one in (*_FEMALE.split(), *_MALE.split()) if plural(one) == last}
        return "female" if forms & set(_FEMALE.split()) else "male" if forms & set(_MALE.split()) else "unsaid"
    return "unsaid"


def _mention(noun: str, form: str, sex: Sex, *, several: bool) -> Mention:
    child = noun.rsplit(maxsplit=1)[-1] in _CHILDREN.split() or any(one in form for one in _OF_CHILDREN)
    age: Age = "child" if child else "old" if any(one in noun for one in _OLD) else "grown"
    couple = noun.endswith(("couple", "newlyweds"))
    both: Sex = "both" if couple or form in _BOTH else sex
    pair = (couple and form == noun) or form.startswith("twin ") or form.rsplit(maxsplit=1)[-1] in _PAIRS
    number = 2 if pair else None if several else 1
    return Mention(noun=noun, sex=both, age=age, number=number)
