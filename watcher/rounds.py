"""Goes the round of the inbox: looks at every request and starts as many as there are slots."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from pipeline.clock import Clock
from store.errors import ServiceError
from store.manifest import ResultManifest
from watcher.claim import Claim
from watcher.inbox import Found, Inbox
from watcher.look import Busy, Done, Gone, Later, Look, Ready
from watcher.names import request_id, shown
from watcher.pending import Order, Pending, Waits
from watcher.references import TWO_LOOKS_SECONDS
from watcher.stray_cancels import StrayCancels
from watcher.window import Window

_log = logging.getLogger("imagegen.rounds")
_FAULT_SECONDS = 5.0
_PATIENT_ROUNDS = 3
_TIDY_SECONDS = 600.0
_MOST_CONFLICTS = 1000
# a longer scan waits for its turn: scanning then takes a tenth of the time at most
_LONG_SCAN_SECONDS = 0.02
# a flood of file events costs a scan each so often, and no more
_SHORT_PAUSE_SECONDS = 0.01
_SCAN_SHARE = 0.1


class Bell(Protocol):
    """What the rounds wait for."""

    def wait(self, seconds: float) -> None:
        """Return when there may be something to look at, at the latest after so many seconds."""

    def ring(self) -> None:
        """Wake whoever waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How many requests are in hand at once, and the longest time between two scans, in seconds.

    cancel_seconds: how long a cancel waits for a request that is not there.
    """

    window: int = 3
    scan_seconds: float = 5.0
    cancel_seconds: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What a drain met: the names of all requests, those that stay, and the records of conflicts."""

    names: tuple[str, ...]
    pending: tuple[Pending, ...]
    conflicts: tuple[ResultManifest, ...] = ()


class Rounds:
    """Keeps a window of requests in flight, in the order in which they were first seen."""

    def __init__(
        self,
        inbox: Inbox,
        handle: Callable[[Claim], None],
        settle_again: Callable[[str], ResultManifest | None],
        bell: Bell,
        clock: Clock,
        *,
        prepare: Callable[[], None],
        obstacle: Callable[[], str | None],
        pace: Pace,
    ) -> None:
        """`handle` settles a claim, in a thread of its own.

        `settle_again` acknowledges a request, by its file name, whose id has a result already; it returns the
        record of a conflict if the bytes are others.

        `prepare` is called before a claim is made, so that what it raises ends the rounds and costs no
        request an attempt.  `obstacle` says why nothing may be claimed now; it raises StoreUnavailable when
        the inbox itself cannot be trusted.
        """
        self._inbox = inbox
        self._window = Window(pace.window, handle, self._wait_after, bell.ring)
        self._settle_again = settle_again
        self._bell = bell
        self._clock = clock
        self._prepare = prepare
        self._obstacle = obstacle
        self._pace = pace
        self._stopping = threading.Event()
        self._order = Order()
        self._waits = Waits(inbox.versions, clock)
        self._cancels = StrayCancels(inbox, pace.cancel_seconds)
        self._found = Found(requests=(), cancels={})
        # bounded, because a service that runs on has nobody to tell them to
        self._conflicts: deque[ResultManifest] = deque(maxlen=_MOST_CONFLICTS)
        self._barred: str | None = None
        self._failed: str | None = None
        self._is_stale = False
        self._scan_again_at = self._tidy_at = clock.monotonic()
        self._pending: dict[str, Pending] = {}
        self._is_full = False

    def serve(self) -> None:
        """Go round until stopped, then wait for what is in flight."""
        self._prepare()
        with self._window:
            while not self._stopping.is_set():
                try:
                    self._go_round()
                    self._failed = None
                except ServiceError as error:
                    self._failed = f"the inbox cannot be read: {error.message}"
                    _log.error(self._failed, extra={"action": "scan_failed"})
                self._bell.wait(self._pause())

    def drain(self) -> Drained:
        """Go round until nothing more can be decided without waiting, or until stopped.

        A second look at a file that has just been written is taken; longer waits are not.  Raises
        StoreUnavailable if the inbox cannot be read.
        """
        patience, met = _PATIENT_ROUNDS, dict[str, None]()
        self._conflicts.clear()
        with self._window:
            while not self._stopping.is_set():
                ended = self._window.ended
                started = self._go_round()
                met |= dict.fromkeys(self._found.requests)
                self._window.wait_for_an_end(ended) if self._is_full else self._window.wait_for_all()
                soon = [pending.seconds for pending in self._pending.values() if pending.seconds <= TWO_LOOKS_SECONDS]
                if started or self._is_full:
                    continue
                if self._is_stale:
                    self._bell.wait(self._pause())
                elif soon and patience:
                    patience -= 1
                    self._bell.wait(max(soon))
                else:
                    break
        return Drained(names=tuple(met), pending=tuple(self._left()), conflicts=tuple(self._conflicts))

    @property
    def problem(self) -> str | None:
        """What keeps the rounds from starting requests just now; None if all is well."""
        return self._failed or self._barred

    def stop(self) -> None:
        """Start nothing more."""
        self._stopping.set()
        self._bell.ring()

    def _left(self) -> Iterator[Pending]:
        """What lies in the inbox now; nothing is in flight."""
        for name in self._order.of(self._inbox.scan().requests):
            stopped = Pending(name=shown(name), reason="the service was stopped before its turn", seconds=0.0)
            yield self._pending.get(name, stopped)

    def _go_round(self) -> int:
        """Attend to each request in order, until all slots are taken; the number of requests started."""
        self._pending, self._is_full = {}, False
        self._scan()
        started = 0
        for name in self._in_turn():
            if self._window.holds(name):
                continue
            self._is_full = self._is_full or not self._window.has_slot()
            if self._is_full or self._stopping.is_set():
                break
            started += self._attend(name)
        return started

    def _scan(self) -> None:
        """Find what lies in the inbox, unless that was done just now and takes long."""
        before = self._clock.monotonic()
        self._is_stale = before < self._scan_again_at
        if self._is_stale:
            return
        self._barred = self._obstacle()
        self._found = self._inbox.scan()
        self._cancels.attend(self._found)
        if before >= self._tidy_at:
            self._tidy_at = before + _TIDY_SECONDS
            self._inbox.tidy()
        self._waits.retain(set(self._found.requests))
        now = self._clock.monotonic()
        pause = (now - before) / _SCAN_SHARE if now - before > _LONG_SCAN_SECONDS else _SHORT_PAUSE_SECONDS
        self._scan_again_at = now + min(pause, self._pace.scan_seconds)

    def _in_turn(self) -> list[str]:
        """The cancelled ones first: they are quickly done with, and somebody wants them gone."""
        names = self._order.of(self._found.requests)
        if self._found.cancels:
            names.sort(key=lambda name: request_id(name) not in self._found.cancels)
        return names

    def _attend(self, name: str) -> bool:
        """Act on one look; True if the request was started."""
        if self._barred is not None and not self._inbox.has_result(request_id(name)):
            self._pending[name] = Pending(name=shown(name), reason=self._barred, seconds=_FAULT_SECONDS)
            return False
        if waiting := self._waits.still(name):
            self._pending[name] = waiting
            return False
        look = self._look(name)
        if isinstance(look, Ready):
            self._prepare()
        try:
            return self._act(name, look)
        except Exception as error:
            return self._act(name, _after(error, name))

    def _look(self, name: str) -> Look:
        try:
            return self._inbox.look(name)
        except Exception as error:
            return _after(error, name)

    def _act(self, name: str, look: Look) -> bool:
        match look:
            case Done():
                conflict = self._settle_again(name)
                if conflict is not None:
                    self._conflicts.append(conflict)
            case Later():
                self._pending[name] = self._waits.begin(name, look)
            case Busy():
                self._pending[name] = Pending(name=shown(name), reason="another worker draws it", seconds=float("inf"))
            case Ready():
                return self._start(name, look)
            case Gone():
                pass
        return False

    def _start(self, name: str, ready: Ready) -> bool:
        if ready.alone and not self._window.is_empty():
            # it may have killed its worker: nothing else is started until it has had the window to itself
            self._is_full = True
            return False
        if self._stopping.is_set():
            # asked after the slot was found free: what freed it may have stopped the rounds
            return False
        claim = self._inbox.claim(name, ready.attempt)
        if claim is None:
            # somebody else was faster, and may even be done
            look = self._look(name)
            return self._act(name, Busy() if isinstance(look, Ready) else look)
        _say("claimed", name, f"claimed, attempt {ready.attempt}{', drawn alone' if ready.alone else ''}")
        self._window.start(claim, alone=ready.alone)
        return True

    def _wait_after(self, claim: Claim) -> None:
        self._waits.after_attempt(claim.name, claim.attempt)

    def _pause(self) -> float:
        due = [pending.seconds for pending in self._pending.values()]
        if self._is_stale:
            due.append(self._scan_again_at - self._clock.monotonic())
        return max(0.0, min([self._pace.scan_seconds, *due]))


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
