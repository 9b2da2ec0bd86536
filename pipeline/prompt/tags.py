"""The danbooru dialect of Animagine and BSS Equinox: who is there comes first, and views have names of their own."""

import re

from pipeline.prompt.cast import Cast
from pipeline.prompt.cast_tags import cast_tags
from pipeline.prompt.keywords import Keywords
from pipeline.prompt.lexicon import load_lexicon

_NOBODY = "no humans"
_LIVING_FIGURE = re.compile(r"\b(?:character|fairy|angel|witch|elf|santa claus|mascot|goblin|demon|princess|knight)\b")
# somebody's nails or skin, but not nail polish and not a hand cream
_BODY_PART = re.compile(
    r"\b(?:hands?|fingers?|nails?|skin|faces?|lips?|eyes?|eyelash(?:es)?|eyelash extensions|eyebrows?|hairstyles?"
    r"|haircuts?|perms?|legs?|feet|makeup)(?=$|,| (?:and|with|on|in|at)\b)"
)
_HANDS = re.compile(r"(?:^|, |\band )(?:[a-z' -]+ )?hands?(?=$|,| (?:close-up|and|with|on|in|at|holding)\b)")
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


def people_tag(keywords: Keywords, cast: Cast) -> str:
    """The tags a danbooru prompt begins with: 1girl, 2girls, no humans with what it is about instead."""
    if cast.number != 0:
        return cast_tags(cast)
    nobody = keywords.people == "none"
    if _LIVING_FIGURE.search(keywords.subject) and not nobody:
        return ""
    focus = _FOCUS.get(subject_group(keywords), "")
    if not nobody and _HANDS.search(f"{keywords.subject}, {keywords.shot}"):
        return "hand focus"
    if not focus and not nobody and _BODY_PART.search(keywords.subject):
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
