"""The door of one inbox: acts on one look at a request, so that it is started, settled, or remembered as waiting."""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from pipeline.clock import Clock
from store.errors import ServiceError
from store.manifest import ResultManifest
from watcher.claim import Claim
from watcher.inbox import Inbox
from watcher.look import Busy, Done, Gone, Later, Look, Ready
from watcher.names import request_id, shown
from watcher.pending import Pending, Versions, Waits
from watcher.window import Window

_log = logging.getLogger("imagegen.rounds")
_FAULT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The request is in hand now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Nothing is left to do for this request here: it has a result, or it is gone.

    conflict: the record, where its id had been used for other bytes.
    """

    conflict: ResultManifest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoSlot:
    """It could be started, and has to wait for a slot."""


Outcome = Started | Settled | NoSlot | Pending


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """How the requests of one inbox are carried, and by what name the window knows them.

    `handle` settles a claim, in a thread of its own.  `settle_again` acknowledges a request, by its file
    name, whose id has a result already; it returns the record of a conflict if the bytes are others.
    `prepare` is called before a claim is made, so that what it raises costs no request an attempt.
    """

    name: str
    inbox: Inbox
    handle: Callable[[Claim], None]
    settle_again: Callable[[str], ResultManifest | None]
    prepare: Callable[[], None]


class Door:
    """Attends to the requests of one lane."""

    def __init__(
        self,
        lane: Lane,
        window: Window,
        clock: Clock,
        *,
        patience: float = 0.0,
        busy_seconds: float = float("inf"),
    ) -> None:
        """patience: how long to wait for a slot, where lanes share the window.

        busy_seconds: after how long to look again at what another worker draws.
        """
        self._lane = lane
        self._inbox = lane.inbox
        self._window = window
        self._patience = patience
        self._busy_seconds = busy_seconds
        self._waits = Waits(lane.inbox.versions, clock)
        # those that another worker had at the last look, where each look asks anew
        self._busy: set[str] = set()
        self._is_closed = False
        self.barred: str | None = None

    def close(self) -> None:
        """Start nothing more."""
        self._is_closed = True
        self._window.poke()

    def prepare(self) -> None:
        """Make ready to draw."""
        self._lane.prepare()

    def is_full(self) -> bool:
        """Whether nothing could be started now, and it would not be worth waiting for a slot either."""
        return not self._patience and not self._window.free(self._lane.name)

    def in_hand(self) -> frozenset[str]:
        """The requests of this lane that are in hand."""
        return self._window.names(self._lane.name)

    def attend(self, name: str) -> Outcome:
        """Act on one look at a request that is not in hand."""
        if waiting := self.waiting(name):
            return waiting
        look, versions = self._look(name), None
        if isinstance(look, Later) and look.watched:
            # what came between the look and this would be missed, so it is looked at once more
            watched, versions = look.watched, self._inbox.versions(look.watched)
            look = self._look(name)
            versions = versions if isinstance(look, Later) and look.watched == watched else None
        if isinstance(look, Ready):
            self._lane.prepare()
        try:
            return self._act(name, look, versions)
        except Exception as error:
            return self._act(name, _after(error, name))

    def waiting(self, name: str) -> Pending | None:
        """Why a request still cannot be claimed, by what earlier looks said of it; None if it is worth attending to."""
        if self.barred is not None and not self._inbox.has_result(request_id(name)):
            return Pending(name=shown(name), reason=self.barred, seconds=_FAULT_SECONDS)
        if waiting := self._waits.still(name):
            return waiting
        if name in self._busy:
            if isinstance(self._look(name), Busy):
                return self._wait_for_another(name)
            self._busy.discard(name)
        return None

    def retain(self, present: Collection[str]) -> None:
        """Drop what is remembered of requests that are gone."""
        self._waits.retain(present)
        self._busy.intersection_update(present)
        self._window.withdraw(self._lane.name, lambda name: name not in present)

    def forget(self, name: str) -> None:
        """Drop what is remembered of a request that others look after, or that is gone."""
        self._waits.forget(name)
        self._busy.discard(name)
        self._window.withdraw(self._lane.name, lambda alone: alone == name)

    def reopen(self, name: str) -> None:
        """An attempt has ended: where it brought a result, the request need not wait to be looked at."""
        if self._inbox.has_result(request_id(name)):
            self._waits.forget(name)

    def wake(self, file: str) -> None:
        """A file has come: whoever watches for it is looked at again."""
        self._waits.wake(self._inbox.key(file))

    def _look(self, name: str) -> Look:
        try:
            return self._inbox.look(name)
        except Exception as error:
            return _after(error, name)

    def _act(self, name: str, look: Look, versions: Versions | None = None) -> Outcome:
        if not (isinstance(look, Ready) and look.alone):
            self._window.withdraw(self._lane.name, lambda alone: alone == name)
        match look:
            case Done():
                return Settled(conflict=self._lane.settle_again(name))
            case Gone():
                return Settled()
            case Later():
                return self._waits.begin(name, look, versions)
            case Busy():
                return self._wait_for_another(name)
            case Ready():
                return self._start(name, look)

    def _wait_for_another(self, name: str) -> Pending:
        reason = "another worker draws it"
        if self._busy_seconds == float("inf"):
            self._busy.add(name)
            return Pending(name=shown(name), reason=reason, seconds=self._busy_seconds)
        return self._waits.begin(name, Later(reason=reason, seconds=self._busy_seconds))

    def _start(self, name: str, ready: Ready) -> Outcome:
        if not self._reserve(name, ready):
            return NoSlot()
        claim = None
        try:
            # asked after the slot was found free: what freed it may have stopped everything
            if self._is_closed:
                return NoSlot()
            claim = self._inbox.claim(name, ready.attempt)
        finally:
            if claim is None:
                self._window.give_back()
        if claim is None:
            # somebody else was faster, and may even be done
            look = self._look(name)
            return self._act(name, Busy() if isinstance(look, Ready) else look)
        _say("claimed", name, f"claimed, attempt {ready.attempt}{', drawn alone' if ready.alone else ''}")
        self._window.start(self._lane.name, claim, self._lane.handle, self._wait_after)
        return Started()

    def _reserve(self, name: str, ready: Ready) -> bool:
        if ready.alone:
            # it may have killed its worker: nothing else is started until it has had the window to itself
            return self._window.reserve_all(self._lane.name, name, patience=self._patience, is_over=self._is_over)
        return self._window.reserve(self._lane.name, patience=self._patience, is_over=self._is_over)

    def _is_over(self) -> bool:
        return self._is_closed

    def _wait_after(self, claim: Claim) -> None:
        self._waits.after_attempt(claim.name, claim.attempt)


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
