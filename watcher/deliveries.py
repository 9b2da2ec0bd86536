"""The messages in hand: each stays on the queue until all it announces is decided."""

import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

from store.errors import ReceiptLost, ServiceError
from watcher.announced import Announced
from watcher.message import Message, Queue
from watcher.receipts import Receipts

_MOST_WAITING = 100
_SHORTEST_PARK, _LONGEST_PARK = 60.0, 900.0
_log = logging.getLogger("imagegen.queue")


@dataclass(eq=False, frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message, what it announces, and which of the requests are not decided yet."""

    message: Message
    announced: Announced
    undecided: set[str]


class Deliveries:
    """Keeps messages in the order they came; each is deleted, given back, or lost to others in the end."""

    def __init__(self, queue: Queue, receipts: Receipts, forget: Callable[[str], None]) -> None:
        """Forget: told the name of each request that nobody looks after here any more."""
        self._queue = queue
        self._receipts = receipts
        self._when_forgotten = forget
        self._kept: list[Delivery] = []

    def __len__(self) -> int:
        return len(self._kept)

    def accept(self, message: Message, told: Announced, hangs: Callable[[str], bool]) -> None:
        """Keep a message out of sight of others from now on, unless the drawing of one of its requests hangs."""
        delivery = Delivery(message=message, announced=told, undecided=set(told.requests))
        self._kept.append(delivery)
        self._receipts.hold(message, lambda: any(map(hangs, tuple(delivery.undecided))))
        if message.times > 1:
            sentence = "a message comes for the %d. time: %s"
            _log.info(sentence, message.times, ", ".join(told.requests), extra={"action": "redelivered"})

    def undecided(self) -> list[str]:
        """The requests that are not decided yet, in the order they were announced."""
        names = (name for delivery in self._kept for name in delivery.announced.requests if name in delivery.undecided)
        return list(dict.fromkeys(names))

    def settle(self, name: str) -> None:
        """A request is decided, or gone."""
        for delivery in self._kept:
            delivery.undecided.discard(name)

    def decided(self) -> tuple[Delivery, ...]:
        """The messages that have nothing undecided any more."""
        return tuple(delivery for delivery in self._kept if not delivery.undecided)

    def delete(self, delivery: Delivery) -> None:
        """Take a message off the queue; where the queue does not answer, it stays in hand for another try."""
        try:
            self._queue.delete(delivery.message)
        except ReceiptLost:
            # deleted before, or with somebody else, who will find it decided
            pass
        except ServiceError as error:
            _log.warning(error.message, extra={"action": error.code})
            return
        self._forget(delivery)

    def let_go(self, in_hand: Collection[str]) -> None:
        """Forget the messages that others have now, unless a request of theirs is being drawn here."""
        for delivery in tuple(self._kept):
            if not self._receipts.holds(delivery.message) and delivery.undecided.isdisjoint(in_hand):
                self._forget(delivery)

    def park(self, waits: Mapping[str, float]) -> None:
        """Where too many wait, give the newest back until it is time to look at them again.

        waits: the seconds until then, by the name of the request.
        """
        waiting = [delivery for delivery in self._kept if delivery.undecided and delivery.undecided <= waits.keys()]
        for delivery in waiting[_MOST_WAITING:]:
            seconds = min(waits[name] for name in delivery.undecided)
            self._give_back(delivery, int(min(max(seconds, _SHORTEST_PARK), _LONGEST_PARK)))

    def give_back(self, in_hand: Collection[str] = ()) -> None:
        """Let others have every message at once, but for those of requests that are being drawn here."""
        for delivery in tuple(self._kept):
            if delivery.undecided.isdisjoint(in_hand):
                self._give_back(delivery, 0)

    def _give_back(self, delivery: Delivery, seconds: int) -> None:
        self._forget(delivery)
        # where that fails, others see it when its time is over
        with suppress(ServiceError):
            self._queue.extend(delivery.message, seconds)

    def _forget(self, delivery: Delivery) -> None:
        self._receipts.drop(delivery.message)
        self._kept.remove(delivery)
        for name in delivery.undecided:
            self._when_forgotten(name)
