"""Reads English phrases for the persons they name: who, and how many."""

import re
from collections.abc import Iterable, Iterator, Mapping
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
_OF_CHILDREN = ("little girl", "little boy", "kids", "elementary school", "kindergarten child", "children", "babies")
_OLD = ("grand", "elderly", "old woman", "old man", "senior")
_UNSAID = (
    "person adult teen teenager guest customer worker employee colleague student pedestrian friend neighbor sibling"
    " parent grandparent twin people couple family crowd team audience passenger shopper tourist buddy"
)
_PAIRS = frozenset(("parents", "grandparents", "parents-in-law", "siblings", "sisters", "brothers", "twins"))
_BOTH = frozenset(("parents", "grandparents", "parents-in-law", "siblings"))
_CROWDS = frozenset(("people", "crowd", "team", "audience", "family"))
_NOT_PERSONS = ("person.group", "person.couple")
# a person in front of one of these only says whose it is: a child car seat, a baby bed
_THINGS = frozenset((
    "object", "fashion", "place", "home", "beauty", "vehicle", "food", "drink", "tech", "sport", "medical", "tableware",
))  # fmt: skip
# but these are the person: a couple silhouette
WHOLE_PERSONS = ("silhouette", "silhouettes", "face", "faces", "portrait", "figure", "character", "back")
_WHOLE = [[word] for word in WHOLE_PERSONS]
_NUMBERS = {word: number for number, word in enumerate(NUMBER_WORDS) if number} | {"a": 1, "an": 1, "single": 1}
_UNCOUNTED = frozenset(("several", "many", "some", "few", "various", "multiple", "group"))
_STOPS = frozenset(("and", "with", "of", "in", "on", "at", "the", "her", "his", "their", "or", "for", "to", "by"))
_TOKEN = re.compile(r"[a-z0-9][a-z0-9'-]*")
_LONGEST = 5
_ADJECTIVES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """Persons of one kind; number is None for several, and at least 2 where sex is "both"."""

    noun: str
    sex: Sex = "unsaid"
    age: Age = "grown"
    number: int | None = 1


def persons_in(phrase: str) -> list[Mention]:
    """The persons that a phrase names, in its order; words that stand together name one: a woman barista."""
    # of both together it is open how many are which
    tokens = _TOKEN.findall(phrase.lower().replace("male and female ", ""))
    found: list[Mention] = []
    position = 0
    while position < len(tokens):
        run = list(_run(tokens, position))
        end = position + sum(length for length, _ in run)
        if run and not _thing_at(tokens, end):
            named = [mention for _, mention in run]
            found.append(_one(named, _number(tokens, position, end), old=_is_old(tokens, position)))
        position = max(end, position + 1)
    return found


def naming_persons(texts: Iterable[str]) -> tuple[str, ...]:
    """The parts between the commas of these texts that name somebody."""
    parts = (part.strip() for text in texts for part in text.split(","))
    return tuple(dict.fromkeys(part for part in parts if persons_in(part)))


def _run(tokens: list[str], position: int) -> Iterator[tuple[int, Mention]]:
    while (hit := _longest(tokens, position)) is not None:
        yield hit
        position += hit[0]


def _longest(tokens: list[str], position: int) -> tuple[int, Mention] | None:
    known = _known()
    for length in range(min(_LONGEST, len(tokens) - position), 0, -1):
        if mention := known.get(" ".join(tokens[position : position + length])):
            return length, mention
    return None


def _thing_at(tokens: list[str], position: int) -> bool:
    groups = load_lexicon().groups
    if tokens[position : position + 1] in _WHOLE:
        return False
    ends = range(position + 1, min(position + 2, len(tokens)) + 1)
    return any(groups.get(" ".join(tokens[position:end]), "").partition(".")[0] in _THINGS for end in ends)


def _one(named: list[Mention], number: int | None, *, old: bool) -> Mention:
    """What several nouns in a row say of the same persons."""
    sexes = {mention.sex for mention in named} - {"unsaid"}
    sex: Sex = "unsaid" if not sexes else sexes.pop() if len(sexes) == 1 else "both"
    ages = {mention.age for mention in named}
    age: Age = "child" if "child" in ages else "old" if old or "old" in ages else "grown"
    numbers = [mention.number for mention in named]
    counted = None if None in numbers else max(one for one in numbers if one is not None)
    if number is not None and (number > 1 or counted is None):
        counted = number
    if sex == "both" and counted == 1:
        counted = 2
    return Mention(noun=named[-1].noun, sex=sex, age=age, number=counted)


def _number(tokens: list[str], start: int, end: int) -> int | None:
    """The number in front, with an adjective or three between, or behind: a family of four."""
    if tokens[end : end + 1] == ["of"] and (behind := _as_number(tokens[end + 1 : end + 2])) is not None:
        return behind
    for place in range(start - 1, max(start - 2 - _ADJECTIVES, -1), -1):
        if (number := _as_number(tokens[place : place + 1])) is not None:
            return number if number > 1 else None
        if tokens[place] in _STOPS or tokens[place] in _UNCOUNTED:
            return None
    return None


def _as_number(token: list[str]) -> int | None:
    if not token:
        return None
    return int(token[0]) if token[0].isdecimal() and len(token[0]) < _ADJECTIVES else _NUMBERS.get(token[0])


def _is_old(tokens: list[str], start: int) -> bool:
    return bool({"old", "elderly", "senior", "aged"} & set(tokens[max(start - 2, 0) : start]))


@cache
def _known() -> Mapping[str, Mention]:
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
        last = words[-1]
        forms = {last} | {one for one in (*_FEMALE.split(), *_MALE.split()) if plural(one) == last}
        return "female" if forms & set(_FEMALE.split()) else "male" if forms & set(_MALE.split()) else "unsaid"
    return "unsaid"


def _mention(noun: str, form: str, sex: Sex, *, several: bool) -> Mention:
    child = noun.rsplit(maxsplit=1)[-1] in _CHILDREN.split() or any(one in form for one in _OF_CHILDREN)
    age: Age = "child" if child else "old" if any(one in noun for one in _OLD) else "grown"
    couple = noun.endswith(("couple", "newlyweds"))
    both: Sex = "both" if couple or form in _BOTH else sex
    number = 2 if couple or form.rsplit(maxsplit=1)[-1] in _PAIRS else None if several else 1
    return Mention(noun=noun, sex=both, age=age, number=number)
