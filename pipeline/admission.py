"""From a JSON object to a request, or a rejection that says which field to change and how."""

import difflib
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pipeline.config import Limits
from pipeline.request import GenerationRequest, ReferenceFile
from store.errors import InvalidField, RequestRejected, UnknownField, UnknownStyle
from store.manifest import Document

MAX_METADATA_BYTES = 16 * 1024
_SHOWN = 80
_LIBRARY_WORDS = re.compile(r"^(Value error, (must be )?|(Input|String|Value) should (be |have )?)")
_NAMED = 5


def admit(document: Mapping[str, Any], limits: Limits, styles: Collection[str]) -> GenerationRequest:
    """Return the request that a decoded JSON object describes.

    styles holds every name and alias that may be asked for.  Raises RequestRejected or one of its
    kinds, naming the field, what was found and what is allowed.
    """
    try:
        # through JSON, because strict mode then takes lists and digests as JSON means them
        request = GenerationRequest.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise _rejection(error.errors(include_url=False)) from error
    _require_within_limits(request, limits)
    if request.style != "auto" and request.style not in styles:
        allowed = ["auto", *sorted(styles)]
        close = difflib.get_close_matches(request.style, allowed, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise UnknownStyle(f"style: found {request.style!r}; allowed: {', '.join(allowed)}{hint}", field="style")
    return request


def _require_within_limits(request: GenerationRequest, limits: Limits) -> None:
    bounds = {"width": limits.max_side, "height": limits.max_side, "num_images": limits.max_images}
    faults = {
        field: f"{field}: found {value}; allowed: at most {most}"
        for field, most in bounds.items()
        if (value := getattr(request, field)) is not None and value > most
    }
    size = len(json.dumps(request.metadata, ensure_ascii=False).encode())
    if size > MAX_METADATA_BYTES:
        faults["metadata"] = f"metadata: found {size} bytes of JSON; allowed: at most {MAX_METADATA_BYTES}"
    if faults:
        raise InvalidField("; ".join(faults.values()), field=next(iter(faults)))


def _rejection(errors: list[ErrorDetails]) -> RequestRejected:
    # unknown fields first, so that the field the code speaks of is in the message
    ordered = sorted(errors, key=lambda error: error["type"] != "extra_forbidden")
    message = "; ".join(_sentence(error) for error in ordered[:_NAMED])
    if len(ordered) > _NAMED:
        message += f"; and {len(ordered) - _NAMED} more"
    kind = UnknownField if ordered[0]["type"] == "extra_forbidden" else InvalidField
    return kind(message, field=_field(ordered[0]) or None)


def _field(error: ErrorDetails) -> str:
    if error["type"] == "inconsistent":
        return str(error["ctx"]["field"])
    return _cut(".".join(str(part) for part in error["loc"]))


def _sentence(error: ErrorDetails) -> str:
    field = _field(error)
    if error["type"] == "extra_forbidden":
        return _unknown(field, GenerationRequest if len(error["loc"]) == 1 else ReferenceFile)
    if error["type"] == "missing":
        return f"{field}: missing; it is required"
    message = _LIBRARY_WORDS.sub("", error["msg"])
    if error["type"] == "inconsistent" or not field:
        return message
    return f"{field}: found {_shown(error['input'])}; allowed: {message}"


def _unknown(field: str, document: type[Document]) -> str:
    names = list(document.model_fields)
    close = difflib.get_close_matches(field.rpartition(".")[2], names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"allowed: {', '.join(names)}"
    return f"{field!r} is not a field of a request; {hint}"


def _shown(value: object) -> str:
    return _cut(json.dumps(value, ensure_ascii=False, default=str))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
