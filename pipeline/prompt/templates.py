"""Fills a style's templates: places in braces become words, empty ones disappear with their comma.

Only a style may write weights; what a user or an extractor says is escaped.
"""

import re
from collections.abc import Mapping

from pipeline.prompt.emphasis import escaped
from pipeline.prompt.slots import NAMES, Slots
from pipeline.prompt.words import tidy

_PLACE = re.compile(r"\{(\w+)(?:\|([^{}]*))?\}")


def fill_positive(template: str, slots: Slots) -> str:
    """The positive prompt; {prompt} stands for all slots, {name|words} for words where the slot is empty."""
    values = {name: escaped(", ".join(slots.terms[name])) for name in NAMES}
    values["prompt"] = ", ".join(filter(None, values.values()))
    return _filled(template, values)


def fill_negative(template: str, *, negative: str, with_people: str) -> str:
    """The negative prompt of what the user excludes and what only matters where there are people."""
    return _filled(template, {"negative": escaped(negative), "with_people": with_people})


def _filled(template: str, values: Mapping[str, str]) -> str:
    # one pass: braces in the words themselves would stay what they are
    filled = _PLACE.sub(lambda match: values.get(match[1]) or match[2] or "", template)
    return tidy(filled)
