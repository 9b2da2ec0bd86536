"""Shared references in the inbox, and whether a pending request may still need them."""

import unicodedata
from collections.abc import Collection, Iterable

from pydantic import JsonValue

from store.errors import KeyNotFound
from watcher.cancel import is_cancel
from watcher.decode import MAX_BYTES, decode
from watcher.names import is_request, request_id
from watcher.place import InboxPlace
from watcher.redriven import RedriveNotes


def shared_files(names: Iterable[str]) -> list[str]:
    """The names that are neither requests nor cancels nor somebody's work in progress."""
    return [name for name in names if not (is_request(name) or is_cancel(name) or name.startswith("."))]


def unneeded(place: InboxPlace, names: Collection[str], candidates: Collection[str]) -> list[str]:
    """Those of the candidates that no pending request owns or names.

    names: all that lies in the inbox.  Raises RequestRejected or TooLarge if a request cannot be read: it
    may name any of them.
    """
    requests = [name for name in names if is_request(name)]
    owners = _owners(place, requests)
    named = {wanted for name in requests for wanted in _references(place, name)}
    return [name for name in without(candidates, named) if not owners & _possible_owners(name)]


def without(names: Iterable[str], others: Iterable[str]) -> list[str]:
    """Those of the names that are not among the others, composed and decomposed alike."""
    known = {unicodedata.normalize("NFC", other) for other in others}
    return [name for name in names if unicodedata.normalize("NFC", name) not in known]


def _owners(place: InboxPlace, requests: Iterable[str]) -> set[str]:
    notes = RedriveNotes(place.bucket, place.state)
    ids = {request_id(name) for name in requests}
    return ids | {root for root in map(notes.root_of, ids) if root is not None}


def _possible_owners(name: str) -> set[str]:
    parts = name.split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts))}


def _references(place: InboxPlace, name: str) -> list[str]:
    try:
        reference = decode(place.bucket.get(place.incoming + name, MAX_BYTES)).get("reference_image")
    except KeyNotFound:
        # settled since the listing
        return []
    return _names_in(reference)


def _names_in(reference: JsonValue) -> list[str]:
    wanted = reference.get("name") if isinstance(reference, dict) else reference
    return [wanted] if isinstance(wanted, str) else []
