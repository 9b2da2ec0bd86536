"""The HybridPromptBuilder: the style's words around the user's, within what the encoders read."""

import re
from dataclasses import asdict, dataclass

from pydantic import JsonValue

from pipeline.prompt.keywords import Keywords
from pipeline.prompt.korean import translate
from pipeline.prompt.router import StyleDecision
from pipeline.prompt.slots import Slots, slots_of
from pipeline.prompt.templates import fill_negative, fill_positive
from pipeline.prompt.tokens import WINDOW, count_tokens
from pipeline.prompt.words import fragment, once, terms
from pipeline.request import GenerationRequest
from pipeline.styles import Style
from store.manifest import PromptRecord, TokenCounts

_BODY = re.compile(r"\b(?:hands?|fingers|faces?|arms?|legs)\b", re.IGNORECASE)
_NO_PEOPLE = ("person", "people")
_UNSAID = {"people": "unspecified", "style": "unspecified", "copy_space": "none"}
_NOT_RECORDED = frozenset(("extractor", "unknown_words", "detail"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltPrompt:
    """The prompts as they are recorded, and what the user should know about them."""

    record: PromptRecord
    warnings: tuple[str, ...] = ()


def build(request: GenerationRequest, keywords: Keywords, decision: StyleDecision) -> BuiltPrompt:
    """The positive and negative prompt; in raw mode exactly what the request says.

    The same request, keywords and style give the same prompts, byte for byte.
    """
    if request.prompt_mode == "raw":
        return BuiltPrompt(record=_record(request.prompt, request.negative_prompt, keywords, decision, ()))
    style = decision.style
    slots = slots_of(keywords, request.purpose or keywords.purpose, style)
    excluded, not_understood = translate(request.negative_prompt)
    positive, dropped = _fitting_positive(style, slots)
    negative, not_excluded = _fitting_negative(style, slots, _unwanted(keywords, slots, excluded))
    warnings = [f"the prompt is too long for {style.name}; left out: {', '.join(dropped)}"] if dropped else []
    if not_excluded:
        warnings.append(f"the negative prompt is too long for {style.name}; left out: {', '.join(not_excluded)}")
    if not any(slots.terms[name] for name in slots.terms if name not in ("people_tag", "copy_space")):
        warnings.append("no word of the prompt was understood; the picture shows what the style alone suggests")
    record = _record(positive, negative, keywords, decision, not_understood)
    return BuiltPrompt(record=record, warnings=tuple(warnings))


def _fitting_positive(style: Style, slots: Slots) -> tuple[str, list[str]]:
    """The filled template, without the least important of the user's terms where it would be too long."""
    dropped: list[str] = []
    filled = fill_positive(style.positive, slots)
    while count_tokens(filled) > WINDOW and (shorter := slots.shortened()) is not None:
        slots, term = shorter
        dropped.append(term)
        filled = fill_positive(style.positive, slots)
    return filled, dropped[::-1]


def _unwanted(keywords: Keywords, slots: Slots, excluded: tuple[str, ...]) -> list[str]:
    nobody = _NO_PEOPLE if slots.people == "none" else ()
    parts = [term for part in (*keywords.exclusions, *excluded) for term in terms(fragment(part))]
    return once([*nobody, *parts])


def _fitting_negative(style: Style, slots: Slots, unwanted: list[str]) -> tuple[str, list[str]]:
    """The filled template, each term once; the user's words outlast the style's last ones."""
    with_people = style.with_people if _shows_bodies(slots) else ""
    leading = len(once(terms(style.negative.partition("{negative}")[0])))
    dropped: list[str] = []
    while True:
        filled = fill_negative(style.negative, negative=", ".join(unwanted), with_people=with_people)
        parts = once(terms(filled))
        least = leading + len(unwanted)
        while count_tokens(", ".join(parts)) > WINDOW and len(parts) > least:
            parts.pop()
        if count_tokens(", ".join(parts)) <= WINDOW or not unwanted:
            return ", ".join(parts), dropped[::-1]
        dropped.append(unwanted.pop())


def _shows_bodies(slots: Slots) -> bool:
    """Whether there are people, or hands and faces that speak of no one."""
    if slots.people in ("none", "unspecified"):
        return slots.people == "unspecified" and any(_BODY.search(term) for term in slots.terms["subject"])
    return True


def _record(
    positive: str, negative: str, keywords: Keywords, decision: StyleDecision, not_understood: tuple[str, ...]
) -> PromptRecord:
    return PromptRecord(
        positive=positive,
        negative=negative,
        style=decision.style.name,
        style_reason=decision.reason,
        keywords=_said(keywords),
        extractor=keywords.extractor,
        unknown_words=tuple(dict.fromkeys((*keywords.unknown_words, *not_understood))),
        tokens=TokenCounts(positive=count_tokens(positive), negative=count_tokens(negative)),
    )


def _said(keywords: Keywords) -> dict[str, JsonValue]:
    """The keywords without what was not said."""
    found = {name: value for name, value in asdict(keywords).items() if name not in _NOT_RECORDED}
    found = {name: value for name, value in found.items() if value and value != _UNSAID.get(name)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}
