"""Looks at the requests in hand from a thread of its own, so that no drawing waits for a store."""

import logging
import threading
from typing import Protocol

_log = logging.getLogger("imagegen.progress")


class LookedAfter(Protocol):
    """A request in hand."""

    def look(self) -> None:
        """Show how it is going, and notice whether somebody asks that it be dropped."""


class Onlooker:
    """Looks at each request every so often and when it is told to hurry; rests while none is in hand."""

    def __init__(self, every_seconds: float) -> None:
        self._every = every_seconds
        self._changed = threading.Condition()
        self._in_hand: set[LookedAfter] = set()
        self._stopped = False
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._keep_looking, name="onlooker", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._hurry.set()
        if self._thread.is_alive():
            self._thread.join()

    def add(self, request: LookedAfter) -> None:
        """A request is in hand."""
        with self._changed:
            self._in_hand.add(request)
            self._changed.notify_all()

    def remove(self, request: LookedAfter) -> None:
        """A request is no longer in hand; a look at it may still be under way."""
        with self._changed:
            self._in_hand.discard(request)

    def hurry(self) -> None:
        """Something is worth a look now; returns at once."""
        self._hurry.set()

    def look_at_all(self) -> None:
        """Look at each request once; whatever goes wrong at one is logged and concerns no other."""
        with self._changed:
            in_hand = list(self._in_hand)
        for request in in_hand:
            try:
                request.look()
            except Exception:
                _log.exception("a request in hand could not be looked at", extra={"action": "look_failed"})

    def _keep_looking(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._in_hand or self._stopped)
                if self._stopped:
                    return
                self._hurry.clear()
            self.look_at_all()
            self._hurry.wait(self._every)
