"""Messages that are none of ours: kept in quarantine, so that they can be taken off the queue."""

import logging
from collections.abc import Sequence

from store.digest import Digest
from watcher.names import one_line
from watcher.place import InboxPlace

# no request lies there: their folders are named <id>.<eight digits>
FOLDER = "quarantine/messages/"
_SHOWN = 300
_log = logging.getLogger("imagegen.queue")


class ForeignMessages:
    """Keeps the bytes of each message once, under their digest."""

    def __init__(self, place: InboxPlace) -> None:
        self._bucket = place.bucket
        self._prefix = place.state + FOLDER

    def keep(self, body: bytes, reasons: Sequence[str]) -> None:
        """Keep a message; raises StoreFull or StoreUnavailable, and then it must stay on the queue."""
        key = self._prefix + Digest.of(body)
        self._bucket.create(key, body)
        why = one_line("; ".join(reasons))[:_SHOWN]
        _log.warning("a message that announces no request is kept as %s: %s", key, why, extra={"action": "foreign"})
