"""Keeps messages out of sight of others while we work on what they announce."""

import logging
import threading
from collections.abc import Callable

from store.errors import ReceiptLost, ServiceError
from watcher.message import Message, Queue

_EXTENSIONS = 3
_log = logging.getLogger("imagegen.queue")


class Receipts:
    """Extends the visibility of every held message three times within it.

    A receipt that is ours no more is let go: the claim on the request protects the work, whoever has the message.
    """

    def __init__(self, queue: Queue, visibility: int) -> None:
        """Visibility: for how many seconds nobody else sees a message."""
        self._queue = queue
        self._visibility = visibility
        self._lock = threading.Lock()
        self._held: dict[str, tuple[Message, Callable[[], bool]]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="receipts", daemon=True)

    def start(self) -> None:
        """Begin to extend."""
        self._thread.start()

    def stop(self) -> None:
        """End the extending; messages still held are soon seen by others."""
        self._stop.set()

    def hold(self, message: Message, hangs: Callable[[], bool] = lambda: False) -> None:
        """Keep a message out of sight from now on; where its work hangs, others shall have it."""
        with self._lock:
            self._held[message.receipt] = (message, hangs)

    def drop(self, message: Message) -> bool:
        """Keep it no longer; whether it was kept."""
        with self._lock:
            return self._held.pop(message.receipt, None) is not None

    def holds(self, message: Message) -> bool:
        """Whether the message is still ours, as far as we know."""
        with self._lock:
            return message.receipt in self._held

    def extend_all(self) -> None:
        """Extend every held message once."""
        with self._lock:
            held = list(self._held.values())
        for message, hangs in held:
            try:
                if not hangs():
                    self._queue.extend(message, self._visibility)
            except ReceiptLost:
                if self.drop(message):
                    _log.warning("a message was given to somebody else meanwhile", extra={"action": "receipt_lost"})
            except ServiceError as error:
                # the next round tries again, well within the visibility
                _log.warning(error.message, extra={"action": error.code})
            except Exception:
                _log.exception("a message could not be kept out of sight", extra={"action": "bug"})

    def _keep(self) -> None:
        while not self._stop.wait(self._visibility / _EXTENSIONS):
            self.extend_all()
