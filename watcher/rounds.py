"""Goes the round of the inbox: looks at every request and starts as many as there are slots."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from pipeline.clock import Clock
from store.errors import ServiceError
from store.manifest import ResultManifest
from watcher.door import Door, Lane, NoSlot, Settled, Started
from watcher.inbox import Found
from watcher.lookahead import Lookahead
from watcher.names import request_id, shown
from watcher.pending import Order, Pending
from watcher.references import TWO_LOOKS_SECONDS
from watcher.stray_cancels import StrayCancels
from watcher.window import Window

_log = logging.getLogger("imagegen.rounds")
_PATIENT_ROUNDS = 3
_TIDY_SECONDS = 600.0
# tidying lists several prefixes: where scans are far apart, because lists are paid for, so is it
_SCANS_A_TIDYING = 60
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
    """The longest time between two scans, in seconds.

    cancel_seconds: how long a cancel waits for a request that is not there.  slot_seconds: how long to wait
    for a slot, where lanes share the window.
    """

    slot_seconds: float = 0.0
    scan_seconds: float = 5.0
    cancel_seconds: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What a drain met: the names of all requests, those that stay, and the records of conflicts."""

    names: tuple[str, ...]
    pending: tuple[Pending, ...]
    conflicts: tuple[ResultManifest, ...] = ()


class Rounds:
    """Keeps a window of requests in flight, about in the order in which they were first seen."""

    def __init__(
        self,
        lane: Lane,
        window: Window,
        bell: Bell,
        clock: Clock,
        *,
        obstacle: Callable[[], str | None],
        pace: Pace,
        lookahead: Lookahead | None = None,
    ) -> None:
        """The window's slots are shared with the other lanes, if there are any.

        lookahead: lets runs of one checkpoint form; without it, requests are started in the order they came.

        `obstacle` says why nothing may be claimed now; it raises StoreUnavailable when the inbox itself
        cannot be trusted.
        """
        self._lane = lane
        self._inbox = lane.inbox
        self._window = window
        self._door = Door(lane, window, clock, patience=pace.slot_seconds)
        self._bell = bell
        self._clock = clock
        self._obstacle = obstacle
        self._pace = pace
        self._lookahead = lookahead
        self._stopping = threading.Event()
        self._order = Order()
        self._cancels = StrayCancels(lane.inbox, pace.cancel_seconds)
        self._found = Found(requests=(), cancels={})
        # bounded, because a service that runs on has nobody to tell them to
        self._conflicts: deque[ResultManifest] = deque(maxlen=_MOST_CONFLICTS)
        self._failed: str | None = None
        self._is_stale = False
        self._scan_again_at = self._tidy_at = clock.monotonic()
        self._pending: dict[str, Pending] = {}
        self._is_full = False

    def serve(self) -> None:
        """Go round until stopped, then wait for what is in flight."""
        self._lane.prepare()
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
                started = self._go_round()
                met |= dict.fromkeys(self._found.requests)
                self._await_an_end()
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
        return self._failed or self._door.barred

    def stop(self) -> None:
        """Start nothing more."""
        self._stopping.set()
        self._door.close()
        self._bell.ring()

    def _left(self) -> Iterator[Pending]:
        """What lies in the inbox now; nothing is in flight."""
        for name in self._order.of(self._inbox.scan().requests):
            stopped = Pending(name=shown(name), reason="the service was stopped before its turn", seconds=0.0)
            yield self._pending.get(name, stopped)

    def _await_an_end(self) -> None:
        """Wait until one of our requests has left the window if it is full, else until all have."""
        before = self._door.in_hand()
        self._window.wait_for(lambda: not (now := self._door.in_hand()) or (self._is_full and now != before))

    def _go_round(self) -> int:
        """Attend to each request in order, until all slots are taken; the number of requests started."""
        self._pending, self._is_full = {}, False
        self._scan()
        started, in_hand = 0, self._door.in_hand()
        for name in self._in_turn(in_hand):
            self._is_full = self._is_full or self._door.is_full()
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
        self._door.barred = self._obstacle()
        self._found = self._inbox.scan()
        self._cancels.attend(self._found)
        if before >= self._tidy_at:
            self._tidy_at = before + max(_TIDY_SECONDS, _SCANS_A_TIDYING * self._pace.scan_seconds)
            self._inbox.tidy()
        self._door.retain(set(self._found.requests))
        now = self._clock.monotonic()
        pause = (now - before) / _SCAN_SHARE if now - before > _LONG_SCAN_SECONDS else _SHORT_PAUSE_SECONDS
        self._scan_again_at = now + min(pause, self._pace.scan_seconds)

    def _in_turn(self, in_hand: Collection[str]) -> Iterator[str]:
        """The cancelled ones first: they are quickly done with, and somebody wants them gone."""
        names = [name for name in self._order.of(self._found.requests) if name not in in_hand]
        if self._found.cancels:
            yield from (name for name in names if request_id(name) in self._found.cancels)
        rest = [name for name in names if request_id(name) not in self._found.cancels]
        if self._lookahead is None or self._door.is_full():
            yield from rest
        else:
            yield from self._lookahead.arrange(self._claimable(rest))

    def _claimable(self, names: Iterable[str]) -> Iterator[str]:
        """Those that may be claimed now; the others are waited for, and take nobody's place."""
        for name in names:
            waiting = self._door.waiting(name)
            if waiting is None:
                yield name
            else:
                self._pending[name] = waiting

    def _attend(self, name: str) -> bool:
        """True if the request was started."""
        outcome = self._door.attend(name)
        if self._lookahead is not None and not isinstance(outcome, Started | NoSlot):
            self._lookahead.skipped(name)
        match outcome:
            case Started():
                if self._lookahead is not None:
                    self._lookahead.started(name)
                return True
            case Settled(conflict=conflict):
                if conflict is not None:
                    self._conflicts.append(conflict)
            case NoSlot():
                self._is_full = True
            case Pending() as pending:
                self._pending[name] = pending
        return False

    def _pause(self) -> float:
        if self._is_full and self._pace.slot_seconds:
            # it has waited, and goes on to do so: among several lanes only who waits gets its turn
            return 0.0
        due = [pending.seconds for pending in self._pending.values()]
        if self._is_stale:
            due.append(self._scan_again_at - self._clock.monotonic())
        return max(0.0, min([self._pace.scan_seconds, *due]))
