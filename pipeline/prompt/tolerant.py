"""Reads an answer that nothing held to the form: fenced, wrapped, or nearly right."""

import json
import re
from difflib import get_close_matches
from typing import Any, Final, get_args, get_origin

from pipeline.prompt.schema import Answer

_THINKING: Final = re.compile(r"<think>.*?</think>", re.DOTALL | re.IGNORECASE)
_NEAR: Final = 0.7
_NEUTRAL: Final = ("unspecified", "low")
_MAX_TEXTS: Final = 50


def read_answer(text: str) -> Answer | None:
    """The outermost JSON object of a text as an answer, or None where there is no object.

    Fences and words around it, and keys that the form does not have, are ignored; missing ones count
    as not said; a choice that the form does not offer becomes the nearest one, else "unspecified".
    """
    found = _outermost_object(_THINKING.sub("", text))
    if found is None:
        return None
    return Answer.model_validate({name: _fitted(found.get(name), name) for name in Answer.model_fields})


def _outermost_object(text: str) -> dict[str, Any] | None:
    start, end = text.find("{"), text.rfind("}")
    try:
        found = json.loads(text[start : end + 1], strict=False)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    inner = next(iter(found.values())) if len(found) == 1 else None
    return inner if isinstance(inner, dict) else found


def _fitted(value: object, name: str) -> object:
    kind = Answer.model_fields[name].annotation
    if kind is bool:
        return value is True or str(value).strip().lower() in ("true", "yes", "1")
    if get_origin(kind) is list:
        return _texts(value)
    if kind is str:
        return ", ".join(_texts([value] if isinstance(value, str) else value))
    return _nearest(str(value), get_args(kind))


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list):
        return []
    return [text.strip() for text in value[:_MAX_TEXTS] if isinstance(text, str) and text.strip()]


def _nearest(value: str, choices: tuple[str, ...]) -> str:
    spoken = re.sub(r"[\s-]+", "_", value[:40].strip().lower())
    ratio = re.sub(r"[_/x\u00d7]+", ":", spoken)
    for candidate in (spoken, ratio, f"one_{spoken}"):
        if candidate in choices:
            return candidate
    near = get_close_matches(spoken, choices, n=1, cutoff=_NEAR)
    return near[0] if near else next(choice for choice in _NEUTRAL if choice in choices)
