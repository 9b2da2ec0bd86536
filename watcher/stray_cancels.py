"""Cancels that no pending request answers: too late, or for an id that nobody has seen."""

import logging

from store.errors import ServiceError
from watcher.inbox import Found, Inbox
from watcher.names import request_id

_log = logging.getLogger("imagegen.cancel")


class StrayCancels:
    """Archives cancels that have nothing to cancel any more, and those that never had."""

    def __init__(self, inbox: Inbox, patience: float) -> None:
        """patience: seconds for which a cancel waits for its request."""
        self._inbox = inbox
        self._patience = patience

    def attend(self, found: Found) -> None:
        """Look at every cancel whose request is not in the inbox."""
        if not found.cancels:
            return
        pending = set(map(request_id, found.requests))
        for identifier in found.cancels.keys() - pending:
            try:
                self._settle(identifier, found.cancels[identifier])
            except ServiceError as error:
                _say("cancel_failed", identifier, error.message)

    def _settle(self, identifier: str, name: str) -> None:
        if self._inbox.has_result(identifier):
            self._inbox.put_cancel_aside(name)
            _say("cancel_late", identifier, "was decided before its cancel came; the result stays")
        elif self._inbox.age(name) >= self._patience:
            self._inbox.put_cancel_aside(name)
            _say("cancel_unknown", identifier, "never came; its cancel is archived")


def _say(action: str, identifier: str, sentence: str) -> None:
    _log.warning("request %s: %s", identifier, sentence, extra={"action": action, "request_id": identifier})
