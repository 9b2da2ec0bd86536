"""From the bytes of a request file to a JSON object, strictly; every fault has its own name."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import JsonValue

from store.errors import (
    BadNumber,
    BadText,
    DuplicateKey,
    MalformedJson,
    NotAnObject,
    NotUtf8,
    RequestTooLarge,
    TooDeep,
)

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
_MAX_DIGITS = 19
_SHOWN = 80
_OTHER_ENCODINGS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
# the first characters of a JSON text are ASCII; a file that was only given its length in advance is NULs to its end
_WIDE = re.compile(rb"[^\0]\0[^\0]\0|\0[^\0]\0[^\0]|[^\0]\0\0\0[^\0]|\0\0\0[^\0]")


def decode(content: bytes) -> dict[str, JsonValue]:
    """The object a request file holds.

    Raises MalformedJson for what more bytes might mend, and NotUtf8, DuplicateKey, BadNumber, BadText,
    TooDeep, NotAnObject or RequestTooLarge for what they cannot.
    """
    if len(content) > MAX_BYTES:
        raise RequestTooLarge(f"the request has {len(content)} bytes; allowed: at most {MAX_BYTES}")
    text = _text(content)
    if max(_depths(text), default=0) > MAX_DEPTH:
        raise TooDeep(f"the request is nested more than {MAX_DEPTH} levels deep; make it flatter")
    try:
        document = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=_integer, parse_float=_float
        )
    except json.JSONDecodeError as error:
        raise MalformedJson(
            f"not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}; correct it there"
        ) from error
    if not isinstance(document, dict):
        raise NotAnObject(f"the request is a JSON {type(document).__name__}; wrap its fields in {{ }}")
    _require_unicode(document)
    return document


def _text(content: bytes) -> str:
    for mark, name in _OTHER_ENCODINGS.items():
        if content.startswith(mark):
            raise NotUtf8(f"the request is saved as {name}; save it as UTF-8")
    if _WIDE.match(content):
        raise NotUtf8("the request looks like UTF-16 or UTF-32 without a mark; save it as UTF-8")
    try:
        return content.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            raise MalformedJson("not valid JSON: the file ends within a character; write it whole") from error
        guess = _guess(content)
        raise NotUtf8(f"byte {error.start} is not UTF-8{guess}; save the request as UTF-8") from error


def _guess(content: bytes) -> str:
    if b"\0" in content:
        return " (the file looks like UTF-16)"
    try:
        content.decode("cp949")
    except UnicodeDecodeError:
        return ""
    return " (the file looks like CP949/EUC-KR)"


def _depths(text: str) -> Iterator[int]:
    """The nesting depth at each bracket outside strings; json itself would recurse to its end first."""
    depth, in_string, escaped = 0, False, False
    for character in text:
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            yield depth
        elif character in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            named = key[:_SHOWN].encode("utf-8", "backslashreplace").decode()
            raise DuplicateKey(f"{named!r} stands twice; keep one of them", field=named)
        found[key] = value
    return found


def _no_constant(name: str) -> Any:
    raise BadNumber(f"{name} is not a JSON number; leave the field out or write a number")


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise BadNumber(f"a number of {len(digits)} digits; allowed: at most {_MAX_DIGITS}")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise BadNumber(f"the number {digits[:40]} is too large")
    return value


def _require_unicode(document: object) -> None:
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadText(
            "a text holds half of a surrogate pair (\\ud800 to \\udfff); write the whole character"
        ) from error
