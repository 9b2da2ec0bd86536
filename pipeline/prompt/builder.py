"""The HybridPromptBuilder: the style's words around the user's, within what the encoders read."""

import re
from dataclasses import asdict, dataclass

from pydantic import JsonValue

from pipeline.prompt.fitting import count_read, fitting_negative, fitting_positive
from pipeline.prompt.keywords import Keywords
from pipeline.prompt.router import StyleDecision
from pipeline.prompt.slots import Slots, slots_of
from pipeline.prompt.tokens import count_tokens
from pipeline.prompt.translation import translate
from pipeline.prompt.words import fragment, once, terms
from pipeline.request import GenerationRequest
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
        raw = TokenCounts(positive=count_tokens(request.prompt), negative=count_tokens(request.negative_prompt))
        return BuiltPrompt(record=_record(request.prompt, request.negative_prompt, raw, keywords, decision))
    style = decision.style
    slots = slots_of(keywords, request.purpose or keywords.purpose, style)
    excluded, not_understood = translate(request.negative_prompt)
    positive, dropped = fitting_positive(style, slots)
    unwanted = _unwanted(keywords, slots, excluded)
    negative, not_excluded = fitting_negative(style, unwanted, with_people=_shows_bodies(slots))
    warnings = [f"the prompt is too long for {style.name}; left out: {', '.join(dropped)}"] if dropped else []
    if not_excluded:
        warnings.append(f"the negative prompt is too long for {style.name}; left out: {', '.join(not_excluded)}")
    if not any(slots.terms[name] for name in slots.terms if name not in ("people_tag", "copy_space")):
        warnings.append("no word of the prompt was understood; the picture shows what the style alone suggests")
    tokens = TokenCounts(positive=count_read(positive), negative=count_read(negative))
    record = _record(positive, negative, tokens, keywords, decision, not_understood)
    return BuiltPrompt(record=record, warnings=tuple(warnings))


def _unwanted(keywords: Keywords, slots: Slots, excluded: tuple[str, ...]) -> list[str]:
    nobody = _NO_PEOPLE if slots.people == "none" else ()
    parts = [term for part in (*keywords.exclusions, *excluded) for term in terms(fragment(part))]
    return once([*nobody, *parts])


def _shows_bodies(slots: Slots) -> bool:
    """Whether there are people, or hands and faces that speak of no one."""
    if slots.people in ("none", "unspecified"):
        return slots.people == "unspecified" and any(_BODY.search(term) for term in slots.terms["subject"])
    return True


def _record(
    positive: str,
    negative: str,
    tokens: TokenCounts,
    keywords: Keywords,
    decision: StyleDecision,
    not_understood: tuple[str, ...] = (),
) -> PromptRecord:
    return PromptRecord(
        positive=positive,
        negative=negative,
        style=decision.style.name,
        style_reason=decision.reason,
        keywords=_said(keywords),
        extractor=keywords.extractor,
        unknown_words=tuple(dict.fromkeys((*keywords.unknown_words, *not_understood))),
        tokens=tokens,
    )


def _said(keywords: Keywords) -> dict[str, JsonValue]:
    """The keywords without what was not said."""
    found = {name: value for name, value in asdict(keywords).items() if name not in _NOT_RECORDED}
    found = {name: value for name, value in found.items() if value and value != _UNSAID.get(name)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}
