"""Cancels: a file `<id>.cancel` in the inbox asks that the request of this id be dropped."""

import os

from watcher.names import SUFFIX, request_id

CANCEL_SUFFIX = ".cancel"
_LONGEST_NAME = 255


def is_cancel(name: str) -> bool:
    """Whether a name in the inbox asks for a cancel; dot files are somebody's work in progress."""
    return name.endswith(CANCEL_SUFFIX) and not name.startswith(".")


def cancelled_id(name: str) -> str:
    """The id of the request that a cancel file speaks of."""
    return request_id(name.removesuffix(CANCEL_SUFFIX) + SUFFIX)


def cancel_names(request_file: str) -> tuple[str, ...]:
    """Under which names a request may be cancelled: its file's stem, and its id where that differs."""
    names = dict.fromkeys(
        stem + CANCEL_SUFFIX for stem in (request_file.removesuffix(SUFFIX), request_id(request_file))
    )
    # a file whose own name fills the limit can only be cancelled by its id
    return tuple(name for name in names if len(os.fsencode(name)) <= _LONGEST_NAME)
