"""What a request is about, in English words, slot by slot; the type every extractor answers with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from pydantic import JsonValue

from pipeline.request import AspectRatio, GenerationRequest, Purpose

People = Literal["none", "unspecified", "one_person", "one_woman", "one_man", "child", "couple", "group"]
StyleWord = Literal["realistic", "illustration", "anime", "unspecified"]
CopySpace = Literal["none", "somewhere", "top", "bottom", "left", "right"]
MAX_SUBJECT = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Keywords:
    """The request in slots; an empty string or tuple means that nothing was said.

    Every part is English, but for two: overlay_texts, which holds lettering word for word, in any
    language, and never reaches a prompt; and unknown_words, which holds what was not understood.
    persons are the phrases that name somebody, one a clause: "mother and son".
    people is "none" where the request keeps people out, and "unspecified" where it does not speak of any.
    aspect_ratio is what the user asked for in words.  style_confidence is in [0, 1].  detail goes into
    the record of the node: which model answered, how long it took, whether from a cache.
    """

    extractor: str
    intent: str = ""
    subject: str = ""
    attributes: tuple[str, ...] = ()
    action: str = ""
    setting: str = ""
    time_season: str = ""
    lighting: str = ""
    mood: tuple[str, ...] = ()
    palette: tuple[str, ...] = ()
    shot: str = ""
    people: People = "unspecified"
    persons: tuple[str, ...] = ()
    purpose: Purpose | None = None
    style: StyleWord = "unspecified"
    style_explicit: bool = False
    style_confidence: float = 0.0
    aspect_ratio: AspectRatio | None = None
    copy_space: CopySpace = "none"
    exclusions: tuple[str, ...] = ()
    overlay_texts: tuple[str, ...] = ()
    unknown_words: tuple[str, ...] = ()
    detail: Mapping[str, JsonValue] = field(default_factory=dict)


class Extractor(Protocol):
    """Reads what a user wrote; several threads may call it at once, and it does not fail."""

    def __call__(self, prompt: str, user_input: str) -> Keywords:
        """The keywords of a prompt and the user's extra words, both Korean or English."""
        ...


def extract(request: GenerationRequest, extractor: Extractor) -> Keywords:
    """What the extractor reads in a request; a raw prompt is not read at all."""
    if request.prompt_mode == "raw":
        return Keywords(extractor="none")
    return extractor(request.prompt, request.user_input)
