"""Listens to the queue of an inbox: each message stays there until all it announces is decided."""

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol

from pipeline.clock import Clock
from store.errors import ServiceError
from watcher.announced import Address, announced
from watcher.deliveries import Deliveries
from watcher.door import Door, NoSlot, Settled, Started
from watcher.ear import Heard
from watcher.finds import Finds
from watcher.foreign import ForeignMessages
from watcher.message import LONGEST_POLL_SECONDS, Message
from watcher.pending import Pending
from watcher.receipts import Receipts
from watcher.rounds import Bell
from watcher.window import Window

_log = logging.getLogger("imagegen.queue")
# so often a holder of a waiting message looks whether what it waits for has come
_PEEK_SECONDS = 5.0
_FAULT_SECONDS = 5.0
_LONGEST_DEAF = 60.0


class Listens(Protocol):
    """An ear; see Ear."""

    def start(self) -> None:
        """Be ready to listen."""

    def listen(self, longest: int) -> None:
        """Ask the queue, for at most so many seconds, unless that is being done."""

    def take(self) -> Heard | None:
        """The answer, once."""

    def settle(self, heard: Heard) -> None:
        """What was heard has been looked at."""

    def close(self) -> Message | None:
        """Listen no more; a message that nobody has taken yet is returned."""


class Listener:
    """Takes a message for each free slot, looks at its requests as the rounds do, and deletes it last.

    A redelivery, a duplicate, a late or lost message changes nothing: what is drawn is decided by the
    claims and results in the buckets, and the finds of a scan are taken when no message comes.
    """

    def __init__(
        self,
        door: Door,
        window: Window,
        ear: Listens,
        receipts: Receipts,
        deliveries: Deliveries,
        finds: Finds,
        foreign: ForeignMessages,
        bell: Bell,
        clock: Clock,
        *,
        address: Address,
        obstacle: Callable[[], str | None],
        hangs: Callable[[str], bool] = lambda name: False,
    ) -> None:
        """`obstacle` says why nothing may be claimed now; it raises StoreUnavailable when the inbox is away.

        `hangs` says whether the drawing of a request file makes no progress, so that others shall have its message.
        """
        self._door = door
        self._window = window
        self._ear = ear
        self._receipts = receipts
        self._deliveries = deliveries
        self._finds = finds
        self._foreign = foreign
        self._bell = bell
        self._clock = clock
        self._address = address
        self._obstacle = obstacle
        self._hangs = hangs
        self._stopping = threading.Event()
        self._started: set[str] = set()
        # seconds until a waiting request is looked at again
        self._waits: dict[str, float] = {}
        self._is_full = False
        self._failed: str | None = None
        self._deaf: str | None = None
        self._deaf_for = self._listen_again_at = 0.0

    @property
    def problem(self) -> str | None:
        """What keeps the listener from starting requests just now; None if all is well."""
        return self._failed or self._deaf or self._door.barred

    def stop(self) -> None:
        """Start nothing more."""
        self._stopping.set()
        self._door.close()
        self._bell.ring()

    def serve(self) -> None:
        """Listen until stopped; then wait for what is in hand, and give every other message back."""
        self._door.prepare()
        self._ear.start()
        self._receipts.start()
        with self._window:
            try:
                while not self._stopping.is_set():
                    self._bell.wait(self.go_round())
            finally:
                self.end()

    def go_round(self) -> float:
        """Hear what there is, attend to it, and listen again; for how many seconds there is nothing else to do."""
        heard = self._ear.take()
        try:
            if heard is not None:
                self._hear(heard)
            self._attend(no_message=self._deaf is not None or (heard is not None and heard.message is None))
            self._failed = None
        except ServiceError as error:
            self._failed = f"the inbox s3://{self._address.bucket} cannot be used: {error.message}"
            _log.error(self._failed, extra={"action": "scan_failed"})
            return _FAULT_SECONDS
        finally:
            if heard is not None:
                self._ear.settle(heard)
        self._listen()
        return self._pause()

    def _hear(self, heard: Heard) -> None:
        if heard.message is not None:
            self._accept(heard.message)
        if heard.problem is None:
            self._deaf, self._deaf_for = None, 0.0
            return
        if heard.problem != self._deaf:
            _log.error(heard.problem, extra={"action": "queue_unavailable"})
        self._deaf = heard.problem
        self._deaf_for = min(max(_FAULT_SECONDS, 2 * self._deaf_for), _LONGEST_DEAF)
        self._listen_again_at = self._clock.monotonic() + self._deaf_for

    def _accept(self, message: Message) -> None:
        told = announced(message.body, self._address)
        self._deliveries.accept(message, told, self._hangs)
        for name in told.files:
            self._door.wake(name)

    def _attend(self, *, no_message: bool) -> None:
        """Attend to what messages announce and, when no message came, to what a scan found."""
        is_due = self._finds.are_due()
        is_amiss = self._door.barred is not None or self._failed is not None
        if is_due or is_amiss or len(self._deliveries) or (no_message and self._finds.names):
            self._door.barred = self._obstacle()
        if is_due:
            for name in self._finds.scan():
                self._door.forget(name)
        self._attend_to_announced()
        if no_message:
            self._attend_to(self._finds.names)
        self._settle_deliveries()

    def _attend_to_announced(self) -> None:
        self._waits, self._is_full = {}, False
        ended = self._started - self._door.in_hand()
        self._started -= ended
        for name in ended:
            self._door.reopen(name)
        # what has just ended comes first: its message can mostly be deleted
        self._attend_to(ended)
        self._attend_to(self._deliveries.undecided())

    def _attend_to(self, names: Iterable[str]) -> None:
        for name in dict.fromkeys(names):
            if self._is_full:
                break
            if name in self._started or name in self._waits:
                continue
            match self._door.attend(name):
                case Started():
                    self._started.add(name)
                case Settled():
                    self._finds.settle(name)
                    self._deliveries.settle(name)
                case NoSlot():
                    self._is_full = True
                case Pending(seconds=seconds):
                    self._waits[name] = seconds

    def _settle_deliveries(self) -> None:
        for delivery in self._deliveries.decided():
            self._finds.settle_cancels(delivery.announced.files)
            if delivery.announced.foreign:
                self._foreign.keep(delivery.message.body, delivery.announced.foreign)
            self._deliveries.delete(delivery)
        if self._door.barred is not None:
            # a worker elsewhere may have room
            self._deliveries.give_back(self._door.in_hand())
        self._deliveries.let_go(self._door.in_hand())
        self._deliveries.park(self._waits)

    def _listen(self) -> None:
        """Ask for one more message, if it could be started."""
        is_heard = self._deaf is None or self._clock.monotonic() >= self._listen_again_at
        if is_heard and not self._is_full and self._door.barred is None and not self._stopping.is_set():
            self._ear.listen(self._longest())

    def _longest(self) -> int:
        """How long the queue may be asked: finds wait for it to be empty."""
        finds = set(self._finds.names) - self._started
        due = min((self._waits.get(name, 0.0) for name in finds), default=float(LONGEST_POLL_SECONDS))
        return int(min(max(due, 1), LONGEST_POLL_SECONDS))

    def _pause(self) -> float:
        pauses = [float(LONGEST_POLL_SECONDS), self._finds.seconds()]
        if self._waits:
            pauses.append(min(_PEEK_SECONDS, *self._waits.values()))
        if (deaf := self._listen_again_at - self._clock.monotonic()) > 0:
            pauses.append(deaf)
        if self._door.barred is not None or self._deliveries.decided():
            pauses.append(_FAULT_SECONDS)
        return max(0.0, min(pauses))

    def end(self) -> None:
        """Give back what was not started, and wait for the rest."""
        if (message := self._ear.close()) is not None:
            self._accept(message)
        self._deliveries.give_back(self._door.in_hand())
        self._window.wait_for(lambda: not self._door.in_hand())
        with suppress(ServiceError):
            self._attend_to_announced()
            self._settle_deliveries()
        self._deliveries.give_back()
        self._receipts.stop()
