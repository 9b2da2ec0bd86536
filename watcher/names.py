"""Names in the inbox: which file is a request, and what its id is."""

import os
import re

from pipeline.request import ID_PATTERN
from store.digest import Digest

SUFFIX = ".json"
_ID = re.compile(ID_PATTERN)
_HASHED = "n-"
_HASH_DIGITS = 16


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


def shown(name: str) -> str:
    """A name as text that can always be written, also where its bytes are not UTF-8."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
