"""How many people are in the picture, and who."""

import re
from collections.abc import Sequence

from pipeline.prompt.keywords import People

_ALONE: dict[str, People] = {
    "person.woman": "one_woman", "person.man": "one_man", "person.child": "child", "person.couple": "couple",
    "person.group": "group", "person.anyone": "one_person",
}  # fmt: skip
_ENGLISH: tuple[tuple[People, str], ...] = (
    ("couple", r"couples?|newlyweds|bride and groom"),
    ("group", r"people|family|friends|customers|crowd|team|women|men|girls|boys|children|kids|students|guests"),
    ("child", r"child|kid|baby|toddler|infant|little girl|little boy"),
    ("one_woman", r"woman|girl|lady|mother|mom|grandmother|bride|princess|queen|actress|female|waitress|1girl"),
    ("one_man", r"man|boy|guy|father|dad|grandfather|groom|prince|king|gentleman|male|1boy"),
    ("one_person", r"person|barista|chef|baker|doctor|teacher|student|worker|model|artist|trainer|florist|dancer"),
)  # fmt: skip
_ENGLISH_PATTERNS = tuple((people, re.compile(rf"\b(?:{words})\b", re.IGNORECASE)) for people, words in _ENGLISH)


def people_of(groups: Sequence[tuple[str, int]]) -> People:
    """From the persons that were named, each with how many of them."""
    if not groups:
        return "unspecified"
    kinds = [_ALONE.get(group, "one_person") for group, _ in groups]
    if len(groups) == 1:
        return kinds[0] if groups[0][1] == 1 or kinds[0] == "couple" else "group"
    distinct = set(kinds)
    if "group" in distinct or any(number != 1 for _, number in groups):
        return "group"
    # 모델은 20대 여성 speaks of one person twice
    if len(distinct - {"one_person"}) == 1:
        return (distinct - {"one_person"}).pop()
    return "couple" if distinct == {"one_woman", "one_man"} else "one_person" if distinct == {"one_person"} else "group"


def people_in_english(text: str) -> People:
    """From English words; the first that fits, groups before single persons."""
    found = [people for people, pattern in _ENGLISH_PATTERNS if pattern.search(text)]
    if not found:
        return "unspecified"
    if {"one_woman", "one_man"} <= set(found) and found[0] == "one_woman":
        return "couple"
    return found[0]
