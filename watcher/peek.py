"""A glance at a waiting request: which checkpoint its style asks for."""

import json
from collections.abc import Callable

from pipeline.styles import Styles, weights_of
from store.errors import KeyNotFound, ServiceError
from watcher.inbox import Inbox


def checkpoint_peek(inbox: Inbox, styles: Styles) -> Callable[[str], str | None]:
    """Tells the checkpoint of a request by its file name, None where its style is open or cannot be read.

    Nothing is decided by it but the order; the request is validated when it is claimed.  Raises KeyNotFound where
    the file is gone.
    """

    def peek(name: str) -> str | None:
        try:
            document = json.loads(inbox.read(name).content)
            return weights_of(styles.find(document["style"]))
        except KeyNotFound:
            raise
        except (ServiceError, ValueError, KeyError, TypeError, RecursionError):
            return None

    return peek
