"""The window: the requests that are in hand at once, each in a thread of its own."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from watcher.claim import Claim

_log = logging.getLogger("imagegen.window")


class Window:
    """As many slots as requests may be in hand; one request may have the whole window to itself.

    Leaving the block waits for what is in hand.
    """

    def __init__(
        self, slots: int, carry: Callable[[Claim], None], ended: Callable[[Claim], None], freed: Callable[[], None]
    ) -> None:
        """carry: settles a claim, in a thread of its own; ended is called there when it is done with, well or not.

        freed is called after that, when the slot can be taken again.
        """
        self._slots = slots
        self._carry = carry
        self._when_ended = ended
        self._when_freed = freed
        self._pool: ThreadPoolExecutor | None = None
        self._changed = threading.Condition()
        self._in_hand: set[str] = set()
        self._is_alone = False
        self._ended = 0

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(self._slots, thread_name_prefix="request")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    @property
    def ended(self) -> int:
        """How many requests have left the window so far."""
        with self._changed:
            return self._ended

    def holds(self, name: str) -> bool:
        """Whether a request is in hand."""
        with self._changed:
            return name in self._in_hand

    def is_empty(self) -> bool:
        """Whether nothing is in hand."""
        with self._changed:
            return not self._in_hand

    def has_slot(self) -> bool:
        """Whether one more request may start now."""
        with self._changed:
            return not self._is_alone and len(self._in_hand) < self._slots

    def start(self, claim: Claim, *, alone: bool) -> None:
        """Carry a claim, inside the block; while it is alone, there is no slot for another."""
        if self._pool is None:
            raise RuntimeError("the window is closed")
        with self._changed:
            self._in_hand.add(claim.name)
            self._is_alone = alone
        self._pool.submit(self._run, claim)

    def wait_for_an_end(self, ended: int) -> None:
        """Return when more than so many requests have ended, or nothing is in hand."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended > ended or not self._in_hand)

    def wait_for_all(self) -> None:
        """Return when nothing is in hand."""
        with self._changed:
            self._changed.wait_for(lambda: not self._in_hand)

    def _run(self, claim: Claim) -> None:
        try:
            self._carry(claim)
        except Exception:
            _log.exception("request %s was left", claim.id, extra={"action": "left", "request_id": claim.id})
        finally:
            self._when_ended(claim)
            with self._changed:
                self._in_hand.discard(claim.name)
                self._is_alone = False
                self._ended += 1
                self._changed.notify_all()
            self._when_freed()
