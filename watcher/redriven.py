"""Notes on redriven requests: which request's bytes come again, under which new id."""

import bisect
import itertools
import re
from collections.abc import Sequence

from pydantic import AwareDatetime, Field, ValidationError

from store.bucket import Bucket
from store.digest import Digest
from store.errors import KeyNotFound, TooLarge
from store.manifest import Document, to_bytes
from watcher.names import SUFFIX, is_request, request_id

FOLDER = "redriven/"
_MAX_BYTES = 64 * 1024
_MADE_FROM_A_NAME = re.compile(r"n-[0-9a-f]{16}")


class RedriveNote(Document):
    """Which bytes an id was made for."""

    redrive_of: str = Field(description="The id under which the bytes first came.")
    request_file: str
    request_sha256: Digest | None = Field(description="Null if the file is too large, or none, to be read.")
    at: AwareDatetime


class RedriveNotes:
    """One note for each id made by a redrive; created once, which is how the number is chosen."""

    def __init__(self, bucket: Bucket, state: str) -> None:
        """state: the prefix of what the inbox keeps for itself."""
        self._bucket = bucket
        self._prefix = state + FOLDER

    def root_of(self, identifier: str) -> str | None:
        """The id under which the bytes of this one first came; None if it is no redriven request."""
        note = self.read(identifier)
        return note.redrive_of if note else None

    def read(self, identifier: str) -> RedriveNote | None:
        """The note on an id, None if there is none that can be read."""
        try:
            return RedriveNote.model_validate_json(self._bucket.get(self._key(identifier), _MAX_BYTES))
        except (KeyNotFound, TooLarge, ValidationError):
            return None

    def create(self, identifier: str, note: RedriveNote) -> bool:
        """Take an id; False if it was taken before."""
        return self._bucket.create(self._key(identifier), to_bytes(note))

    def _key(self, identifier: str) -> str:
        return f"{self._prefix}{identifier}{SUFFIX}"


def never_redriven(identifier: str) -> str | None:
    """The answer where nothing is ever redriven."""
    return None


def redrive_name(root: str, number: int) -> str:
    """The file name of the redrive of this number, counted from 1."""
    return f"{root}.r{number}{SUFFIX}"


def beginning_of_all_alike(root: str) -> str:
    """How the names begin of all files and requests of an id and of its redrives; "" where that cannot be said."""
    return "" if _MADE_FROM_A_NAME.fullmatch(root) else f"{root}."


def others_wait(names: Sequence[str], name: str, root: str) -> bool:
    """Whether a request other than this one waits in the inbox that may need the files `<root>.<anything>`.

    names: all that lies in the inbox, sorted; those that begin otherwise than beginning_of_all_alike may be left out.
    """
    alike = itertools.takewhile(
        lambda other: other.startswith(f"{root}."), names[bisect.bisect_left(names, f"{root}.") :]
    )
    redriven = re.compile(rf"{re.escape(root)}(\.r[1-9][0-9]*)?{re.escape(SUFFIX)}")
    if any(other != name and redriven.fullmatch(other) for other in alike):
        return True
    # an id made from a name says nothing of how the name begins
    anywhere = names if _MADE_FROM_A_NAME.fullmatch(root) else ()
    return any(other != name and is_request(other) and request_id(other) == root for other in anywhere)
