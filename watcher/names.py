"""Names in the inbox: which file is a request, and what its id is."""

import os
import re

from pipeline.request import ID_PATTERN
from store.digest import Digest

SUFFIX = ".json"
_ID = re.compile(ID_PATTERN)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_HASHED = "n-"
_HASH_DIGITS = 16
_LONGEST_NAME = 255
_LONGEST_ENDING = 16


def is_request(name: str) -> bool:
    """Whether a name in the inbox is a request file; dot files are somebody's work in progress."""
    return name.endswith(SUFFIX) and not name.startswith(".")


def request_id(name: str) -> str:
    """The id of a request file: its stem, or a hash of its name where the stem cannot be an id."""
    stem = name.removesuffix(SUFFIX)
    if _ID.fullmatch(stem):
        return stem
    return _HASHED + Digest.of(os.fsencode(name))[:_HASH_DIGITS]


def belongs_to(name: str, identifier: str) -> bool:
    """Whether a file is a request's own, to be archived with it: `<id>.<anything>`, but no request itself."""
    return name.startswith(f"{identifier}.") and not is_request(name)


def kept_name(name: str) -> str:
    """The name under which a file is put aside: its own, or a hash of one that is longer than any folder takes.

    A request keeps its id under either.  S3 takes names of up to 1,024 bytes, but not with our prefixes before them.
    """
    if len(os.fsencode(name)) <= _LONGEST_NAME:
        return name
    stem, dot, ending = name.rpartition(".")
    ending = dot + ending if stem and len(os.fsencode(ending)) <= _LONGEST_ENDING else ""
    return _HASHED + Digest.of(os.fsencode(name))[:_HASH_DIGITS] + ending


def shown(name: str) -> str:
    """A name as one line of text that can always be written; a byte that is not UTF-8 stands there as its number."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return one_line(text)


def one_line(text: str) -> str:
    """The text with each control character written out, so that nobody can forge a line or steer a terminal."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
