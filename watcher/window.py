"""The window: the requests that are in hand at once, each in a thread of its own; lanes share it."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from watcher.claim import Claim

_log = logging.getLogger("imagegen.window")


def _never() -> bool:
    return False


class Window:
    """As many slots as requests may be in hand; one request may have the whole window to itself.

    Whoever waits for a slot gets it in turn: the lane that was served the longest time ago comes first.
    """

    def __init__(self, slots: int, freed: Callable[[], None]) -> None:
        """`freed` is called whenever there may be a slot that was not there before."""
        self._slots = slots
        self._when_freed = freed
        self._pool: ThreadPoolExecutor | None = None
        self._opened = 0
        self._changed = threading.Condition()
        self._in_hand: set[tuple[str, str]] = set()
        self._reserved = 0
        self._alone: tuple[str, str] | None = None
        self._served: dict[str, int] = {}
        self._waiting: set[str] = set()

    def __enter__(self) -> Self:
        with self._changed:
            self._opened += 1
            self._pool = self._pool or ThreadPoolExecutor(self._slots, thread_name_prefix="request")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what is in hand, if nobody else is inside the block."""
        with self._changed:
            self._opened -= 1
            pool = None if self._opened else self._pool
            self._pool = None if pool else self._pool
        if pool is not None:
            pool.shutdown()

    def free(self, lane: str) -> int:
        """How many requests of a lane may start now; 0 while one is alone, or one of another lane waits to be."""
        with self._changed:
            return self._free(lane)

    @property
    def waiting(self) -> frozenset[str]:
        """The lanes that wait for a slot."""
        with self._changed:
            return frozenset(self._waiting)

    def names(self, lane: str) -> frozenset[str]:
        """The requests of a lane that are in hand."""
        with self._changed:
            return frozenset(name for owner, name in self._in_hand if owner == lane)

    def reserve(self, lane: str, *, patience: float = 0.0, is_over: Callable[[], bool] = _never) -> bool:
        """Take a slot, which `start` uses or `give_back` frees; wait for one at most so many seconds, or until over."""
        with self._changed:
            self._waiting.add(lane)
            self._changed.notify_all()
            try:
                self._changed.wait_for(lambda: is_over() or self._is_next(lane), patience)
                taken = not is_over() and self._is_next(lane)
            finally:
                self._waiting.discard(lane)
                self._changed.notify_all()
            self._reserved += taken
            return taken

    def reserve_all(self, lane: str, name: str, *, patience: float = 0.0, is_over: Callable[[], bool] = _never) -> bool:
        """Take the whole window for one request; where that is not possible yet, no other lane starts one until it is.

        `withdraw` ends that.
        """
        with self._changed:
            if self._alone is None:
                self._alone = (lane, name)
            self._changed.wait_for(lambda: is_over() or self._is_for(lane, name), patience)
            taken = not is_over() and self._is_for(lane, name)
            self._reserved += taken
            return taken

    def withdraw(self, lane: str, is_over: Callable[[str], bool]) -> None:
        """Let others start again if the request of this lane that waits to be alone does so no more."""
        with self._changed:
            alone = self._alone
            if alone is None or alone[0] != lane or alone in self._in_hand or not is_over(alone[1]):
                return
            self._alone = None
            self._changed.notify_all()
        self._when_freed()

    def give_back(self) -> None:
        """Free a slot that was reserved and not used."""
        with self._changed:
            self._reserved -= 1
            self._changed.notify_all()
        self._when_freed()

    def poke(self) -> None:
        """Whoever waits for a slot may be over."""
        with self._changed:
            self._changed.notify_all()

    def start(self, lane: str, claim: Claim, carry: Callable[[Claim], None], ended: Callable[[Claim], None]) -> None:
        """Carry a claim in the slot that was reserved, inside the block; ended is told before the slot is free."""
        if self._pool is None:
            raise RuntimeError("the window is closed")
        with self._changed:
            self._reserved -= 1
            self._in_hand.add((lane, claim.name))
            self._served[lane] = max(self._served.values(), default=0) + 1
        self._pool.submit(self._run, lane, claim, carry, ended)

    def wait_for(self, done: Callable[[], bool]) -> None:
        """Return when this holds; it is asked anew whenever a request leaves the window."""
        with self._changed:
            self._changed.wait_for(done)

    def _free(self, lane: str) -> int:
        if self._alone is not None and (self._alone in self._in_hand or self._alone[0] != lane):
            return 0
        return self._slots - len(self._in_hand) - self._reserved

    def _is_for(self, lane: str, name: str) -> bool:
        return self._alone == (lane, name) and not self._in_hand and not self._reserved

    def _is_next(self, lane: str) -> bool:
        before = sum(self._served.get(other, 0) < self._served.get(lane, 0) for other in self._waiting)
        return self._free(lane) > before

    def _run(self, lane: str, claim: Claim, carry: Callable[[Claim], None], ended: Callable[[Claim], None]) -> None:
        try:
            carry(claim)
        except Exception:
            _log.exception("request %s was left", claim.id, extra={"action": "left", "request_id": claim.id})
        finally:
            ended(claim)
            with self._changed:
                self._in_hand.discard((lane, claim.name))
                if self._alone == (lane, claim.name):
                    self._alone = None
                self._changed.notify_all()
            self._when_freed()
