"""The danbooru dialect of Animagine and BSS Equinox: who is there comes first, and views have names of their own."""

import re

from pipeline.prompt.keywords import Keywords, People
from pipeline.prompt.lexicon import load_lexicon

_PEOPLE: dict[People, str] = {
    "one_woman": "1girl, solo",
    "one_man": "1boy, solo",
    "one_person": "1other, solo",
    "couple": "1boy, 1girl, couple",
}
_NOBODY = "no humans"
_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5}
_COUNTED = re.compile(r"\b(two|three|four|five)\b(?: [\w-]+)*? ?\b(women|girls|daughters|men|boys|sons)\b")
_GIRLS = re.compile(r"\b(?:women|girls|woman|girl|sister|mother|schoolgirl)\b")
_BOYS = re.compile(r"\b(?:men|boys|man|boy|brother|father)\b")
_LIVING_FIGURE = re.compile(r"\b(?:character|fairy|angel|witch|elf|santa claus|mascot|goblin|demon|princess|knight)\b")
# somebody's nails or skin, but not nail polish and not a hand cream
_BODY_PART = re.compile(
    r"\b(?:hands?|fingers?|nails?|skin|faces?|lips?|eyes?|eyelash(?:es)?|eyelash extensions|eyebrows?|hairstyles?"
    r"|haircuts?|perms?|legs?|feet|makeup)(?=$|,| (?:and|with|on|in|at)\b)"
)
_FOCUS = {
    "food": "food focus, still life",
    "drink": "food focus, still life",
    "animal": "animal focus",
    "place": "scenery",
    "plant": "still life",
}
_VIEWS = {
    "close-up shot": "close-up",
    "macro shot": "close-up",
    "top-down view": "from above",
    "flat lay top-down view": "from above",
    "high angle shot": "from above",
    "low angle shot": "from below",
    "side view": "from side",
    "full body shot": "full body",
    "upper body shot": "upper body",
    "half body shot": "cowboy shot",
    "eye-level shot": "straight-on",
    "front view": "straight-on",
    "shallow depth of field": "depth of field",
    "smiling": "smile",
    "empty negative space": "negative space",
}
_LONGEST_GLOSS = 5
_BEHIND_THE_HEAD = re.compile(
    r",| (?:and|on|in|at|under|with|by|near|behind|beside|over|against|for|that|who|\w{3,}ing) "
)


def people_tag(keywords: Keywords, people: People) -> str:
    """The tags a danbooru prompt begins with: 1girl, 2girls, no humans with what it is about instead."""
    if people in _PEOPLE:
        return _PEOPLE[people]
    if people == "child":
        girl, boy = _GIRLS.search(keywords.subject), _BOYS.search(keywords.subject)
        return "1girl, child, solo" if girl else "1boy, child, solo" if boy else "1other, child, solo"
    if people == "group":
        return _group(keywords.subject)
    if _LIVING_FIGURE.search(keywords.subject) and people != "none":
        return ""
    focus = _FOCUS.get(subject_group(keywords), "")
    if not focus and people != "none" and _BODY_PART.search(keywords.subject):
        return ""
    return f"{_NOBODY}, {focus or 'still life'}"


def in_tags(phrase: str) -> str:
    """The phrase as danbooru calls it, where it has a tag."""
    return ", ".join(_VIEWS.get(part, part) for part in phrase.split(", "))


def subject_group(keywords: Keywords) -> str:
    """What the subject's first phrase is: the lexicon's group of its last known word, "" if none is known."""
    groups = load_lexicon().groups
    words = _BEHIND_THE_HEAD.split(keywords.subject.lower())[0].split()
    for end in range(len(words), 0, -1):
        for start in range(max(0, end - _LONGEST_GLOSS), end):
            phrase = " ".join(words[start:end])
            if group := groups.get(phrase) or groups.get(phrase.removesuffix("s")):
                return group.partition(".")[0]
    return ""


def _group(subject: str) -> str:
    if counted := _COUNTED.search(subject):
        number, kind = _NUMBERS[counted[1]], counted[2]
        return f"{number}{'girls' if kind in ('women', 'girls', 'daughters') else 'boys'}"
    girls, boys = _GIRLS.search(subject), _BOYS.search(subject)
    if girls and not boys:
        return "multiple girls"
    if boys and not girls:
        return "multiple boys"
    return "multiple girls, multiple boys" if girls and boys else "multiple others"
