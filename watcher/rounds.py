"""Goes the round of the inbox: looks at every request and starts as many as there are slots."""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from pipeline.clock import Clock
from store.errors import ServiceError
from watcher.claim import Claim
from watcher.inbox import Inbox
from watcher.look import Busy, Done, Gone, Later, Look, Ready
from watcher.names import request_id, shown
from watcher.references import TWO_LOOKS_SECONDS

_log = logging.getLogger("imagegen.rounds")
_FAULT_SECONDS = 5.0
_PATIENT_ROUNDS = 3
_MAX_BACK_OFF = 8


class Bell(Protocol):
    """What the rounds wait for."""

    def wait(self, seconds: float) -> None:
        """Return when there may be something to look at, at the latest after so many seconds."""

    def ring(self) -> None:
        """Wake whoever waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A request that is still in the inbox, and why."""

    name: str
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What a drain met: the names of all requests, and those that stay."""

    names: tuple[str, ...]
    pending: tuple[Pending, ...]


class Rounds:
    """Keeps a window of requests in flight, in the order in which they were first seen."""

    def __init__(
        self,
        inbox: Inbox,
        handle: Callable[[Claim], None],
        settle_again: Callable[[str], None],
        bell: Bell,
        clock: Clock,
        *,
        prepare: Callable[[], None],
        window: int,
        scan_seconds: float,
    ) -> None:
        """`handle` settles a claim, in a thread of its own; `window` is how many run at once.

        `settle_again` acknowledges a request, by its file name, whose id has a result already.

        `prepare` is called before a claim is made, so that what it raises ends the rounds and costs no
        request an attempt.
        """
        self._inbox = inbox
        self._handle = handle
        self._settle_again = settle_again
        self._bell = bell
        self._clock = clock
        self._prepare = prepare
        self._window = window
        self._scan_seconds = scan_seconds
        self._stopping = threading.Event()
        self._order: dict[str, None] = {}
        self._pending: dict[str, Pending] = {}
        self._is_full = False
        # what the threads of the window change, too
        self._settled = threading.Condition()
        self._in_flight: set[str] = set()
        self._retry_at: dict[str, float] = {}

    def serve(self) -> None:
        """Go round until stopped, then wait for what is in flight."""
        self._prepare()
        with ThreadPoolExecutor(self._window, thread_name_prefix="request") as pool:
            while not self._stopping.is_set():
                try:
                    self._go_round(pool)
                except ServiceError as error:
                    _log.error("the inbox cannot be read: %s", error.message, extra={"action": "scan_failed"})
                self._bell.wait(self._pause())

    def drain(self) -> Drained:
        """Go round until nothing more can be decided without waiting, or until stopped.

        A second look at a file that has just been written is taken; longer waits are not.  Raises
        StoreUnavailable if the inbox cannot be read.
        """
        patience, met = _PATIENT_ROUNDS, dict[str, None]()
        with ThreadPoolExecutor(self._window, thread_name_prefix="request") as pool:
            while not self._stopping.is_set():
                started = self._go_round(pool)
                met |= self._order
                self._wait_for_slots(1 if self._is_full else self._window)
                soon = [pending.seconds for pending in self._pending.values() if pending.seconds <= TWO_LOOKS_SECONDS]
                if not started and not self._is_full and not (soon and patience):
                    break
                if not started and not self._is_full:
                    patience -= 1
                    self._bell.wait(max(soon))
            self._wait_for_slots(self._window)
        return Drained(names=tuple(met), pending=tuple(self._left()))

    def stop(self) -> None:
        """Start nothing more."""
        self._stopping.set()
        self._bell.ring()

    def _left(self) -> Iterator[Pending]:
        """What lies in the inbox now; nothing is in flight."""
        for name in self._in_order(self._inbox.scan()):
            stopped = Pending(name=shown(name), reason="the service was stopped before its turn", seconds=0.0)
            yield self._pending.get(name, stopped)

    def _go_round(self, pool: ThreadPoolExecutor) -> int:
        """Attend to each request in order, until all slots are taken; the number of requests started."""
        self._pending, self._is_full = {}, False
        started = 0
        for name in self._in_order(self._inbox.scan()):
            if self._stopping.is_set() or self._is_full:
                break
            if name not in self._in_flight:
                started += self._attend(name, pool)
        return started

    def _wait_for_slots(self, count: int) -> None:
        with self._settled:
            self._settled.wait_for(lambda: self._window - len(self._in_flight) >= count)

    def _in_order(self, names: list[str]) -> list[str]:
        present = set(names)
        kept = [name for name in self._order if name in present]
        self._order = dict.fromkeys([*kept, *names])
        with self._settled:
            self._retry_at = {name: at for name, at in self._retry_at.items() if name in present}
        return list(self._order)

    def _attend(self, name: str, pool: ThreadPoolExecutor) -> bool:
        """Act on one look; True if the request was started."""
        look = self._look(name)
        if isinstance(look, Ready):
            self._prepare()
        try:
            return self._act(name, look, pool)
        except Exception as error:
            return self._act(name, _after(error, name), pool)

    def _act(self, name: str, look: Look, pool: ThreadPoolExecutor) -> bool:
        match look:
            case Done():
                self._settle_again(name)
            case Later():
                self._pending[name] = Pending(name=shown(name), reason=look.reason, seconds=look.seconds)
            case Busy():
                self._pending[name] = Pending(name=shown(name), reason="another worker draws it", seconds=float("inf"))
            case Ready(attempt=attempt):
                return self._start(name, attempt, pool)
            case Gone():
                pass
        return False

    def _look(self, name: str) -> Look:
        left = self._retry_at.get(name, 0.0) - self._clock.monotonic()
        if left > 0:
            return Later(reason="an attempt has just ended; it is looked at again", seconds=left)
        try:
            return self._inbox.look(name)
        except Exception as error:
            return _after(error, name)

    def _start(self, name: str, attempt: int, pool: ThreadPoolExecutor) -> bool:
        if len(self._in_flight) >= self._window:
            self._is_full = True
            return False
        if self._stopping.is_set():
            # asked after the slot was found free: what freed it may have stopped the rounds
            return False
        claim = self._inbox.claim(name, attempt)
        if claim is None:
            # somebody else was faster; what comes of it is seen at the next look
            return self._act(name, Busy(), pool)
        _say("claimed", name, f"claimed, attempt {attempt}")
        with self._settled:
            self._in_flight.add(name)
        pool.submit(self._carry, claim)
        return True

    def _carry(self, claim: Claim) -> None:
        try:
            self._handle(claim)
        except Exception:
            _log.exception("request %s was left", claim.id, extra={"action": "left", "request_id": claim.id})
        finally:
            with self._settled:
                # still in the inbox after this: the attempt failed, so the next one waits twice as long
                self._retry_at[claim.name] = self._clock.monotonic() + 2.0 ** min(claim.attempt, _MAX_BACK_OFF)
                self._in_flight.discard(claim.name)
                self._settled.notify_all()
            self._bell.ring()

    def _pause(self) -> float:
        due = [pending.seconds for pending in self._pending.values()]
        return max(0.0, min([self._scan_seconds, *due]))


def _after(error: Exception, name: str) -> Later:
    """What a look that failed comes to: no single request may stop the round."""
    if isinstance(error, ServiceError):
        _say("look_failed", name, error.message)
        return Later(reason=error.message, seconds=_FAULT_SECONDS)
    identifier = request_id(name)
    _log.error("request %s met a bug", identifier, exc_info=error, extra={"action": "bug", "request_id": identifier})
    return Later(reason=f"a bug of the service, see its log ({type(error).__name__})", seconds=_FAULT_SECONDS)


def _say(action: str, name: str, sentence: str) -> None:
    identifier = request_id(name)
    _log.info("request %s: %s", identifier, sentence, extra={"action": action, "request_id": identifier})
