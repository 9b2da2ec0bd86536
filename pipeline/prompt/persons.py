"""Reads English phrases for the persons they name: who, and how many."""

import re
from collections.abc import Iterable, Iterator

from pipeline.prompt.counts import NUMBER_WORDS
from pipeline.prompt.lexicon import load_lexicon
from pipeline.prompt.person_nouns import Age, Mention, Sex, known_persons

# a person in front of one of these only says whose it is: a child car seat, a baby bed
_THINGS = frozenset((
    "object", "fashion", "place", "animal", "plant", "home", "beauty", "vehicle", "food", "drink", "tech",
    "sport", "medical", "tableware",
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
    known = known_persons()
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
        counted = 2 * number if named[-1].noun.endswith("couple") else number
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
