"""The closed form that a language model fills in, and how it becomes keywords."""

import unicodedata
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from pipeline.prompt.keywords import MAX_SUBJECT, Keywords, People, StyleWord
from pipeline.prompt.persons import naming_persons
from pipeline.prompt.plain_english import Phrases
from pipeline.request import AspectRatio, Purpose

NAME: Final = "llm"
MAX_PHRASE: Final = 40
MAX_LETTERING: Final = 100
# long enough for what people ask, short enough that a small model comes to an end
MAX_ITEMS: Final = 6
MAX_FEW: Final = 4
_CONFIDENCE: Final = {"low": 0.3, "medium": 0.6, "high": 0.9}


def _at_most(keyword: str, number: int) -> Any:
    # a hint for servers that write along the schema; a longer answer is cut, not refused
    return Field(json_schema_extra={keyword: number})


Line = Annotated[str, _at_most("maxLength", MAX_SUBJECT)]
Phrase = Annotated[str, _at_most("maxLength", MAX_PHRASE)]
Lettering = Annotated[str, _at_most("maxLength", MAX_LETTERING)]
PhraseList = Annotated[list[Phrase], _at_most("maxItems", MAX_ITEMS)]
ShortList = Annotated[list[Phrase], _at_most("maxItems", MAX_FEW)]
LetteringList = Annotated[list[Lettering], _at_most("maxItems", MAX_FEW)]


class Answer(BaseModel):
    """What a request says, in English, slot by slot; "" or [] where it says nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    subject: Line
    attributes: PhraseList
    action: Phrase
    setting: Phrase
    time_season: Phrase
    lighting: Phrase
    mood: ShortList
    palette: ShortList
    shot: Phrase
    people: People
    intent: Line
    purpose: Literal[Purpose, "unspecified"]
    style: StyleWord
    style_explicit: bool
    style_confidence: Literal["low", "medium", "high"]
    aspect_ratio: Literal[AspectRatio, "unspecified"]
    exclusions: PhraseList
    overlay_texts: LetteringList
    untranslated: PhraseList


class UnboundedAnswer(Answer):
    """The same form for OpenAI, whose strict mode refuses a schema that bounds lengths."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /) -> JsonSchemaValue:
        """The schema without maxLength and maxItems."""
        schema = handler(core_schema)
        for field in handler.resolve_ref_schema(schema)["properties"].values():
            for part in (field, field.get("items", {})):
                part.pop("maxLength", None)
                part.pop("maxItems", None)
        return schema


def keywords_of(answer: Answer, *texts: str) -> Keywords:
    """What a model answered about these texts, as far as it can be trusted.

    Only plain ASCII comes through, cut to length; what is in another script becomes an unknown word.
    Lettering and untranslated words are kept only if they stand in the texts, so that a model can
    neither invent lettering nor put its own words into a result; and lettering that is the subject, or
    a whole text, is a misunderstanding.  The subject may come out empty.
    """
    phrases = Phrases()
    subject = phrases.take(answer.subject, MAX_SUBJECT)
    action = phrases.take(answer.action, MAX_PHRASE)
    return Keywords(
        extractor=NAME,
        intent=phrases.take(answer.intent, MAX_SUBJECT),
        subject=subject,
        attributes=phrases.take_all(answer.attributes, MAX_PHRASE, MAX_ITEMS),
        action=action,
        setting=phrases.take(answer.setting, MAX_PHRASE),
        time_season=phrases.take(answer.time_season, MAX_PHRASE),
        lighting=phrases.take(answer.lighting, MAX_PHRASE),
        mood=phrases.take_all(answer.mood, MAX_PHRASE, MAX_FEW),
        palette=phrases.take_all(answer.palette, MAX_PHRASE, MAX_FEW),
        shot=phrases.take(answer.shot, MAX_PHRASE),
        people=answer.people,
        persons=naming_persons((subject, action)),
        purpose=None if answer.purpose == "unspecified" else answer.purpose,
        style=answer.style,
        style_explicit=answer.style_explicit and answer.style != "unspecified",
        style_confidence=0.0 if answer.style == "unspecified" else _CONFIDENCE[answer.style_confidence],
        aspect_ratio=None if answer.aspect_ratio == "unspecified" else answer.aspect_ratio,
        exclusions=phrases.take_all(answer.exclusions, MAX_PHRASE, MAX_ITEMS),
        overlay_texts=_said(answer.overlay_texts, texts, MAX_LETTERING, but=(answer.subject, *texts)),
        unknown_words=tuple(
            dict.fromkeys((*_said(answer.untranslated, texts, MAX_PHRASE), *phrases.foreign[: 2 * MAX_ITEMS]))
        ),
    )


def _said(found: Iterable[str], texts: Iterable[str], limit: int, but: Iterable[str] = ()) -> tuple[str, ...]:
    """What of the found stands in one of the texts and is not one of the others, white space aside."""
    whole, others = [_tidy(text) for text in texts], {_tidy(text) for text in but}
    tidy = (_tidy(text) for text in found)
    kept = (text for text in tidy if text and len(text) <= limit and any(text in one for one in whole))
    return tuple(dict.fromkeys(text for text in kept if text not in others))[:MAX_ITEMS]


def _tidy(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
