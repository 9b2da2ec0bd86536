"""A house with a queue before its inbox: the listener over buckets and a queue in memory."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from store.memory import MemoryBucket
from tests.clock import FakeClock
from tests.watcher.house import House, build
from tests.watcher.queues import VISIBILITY, MemoryQueue, PatientEar
from watcher.announced import Address
from watcher.deliveries import Deliveries
from watcher.door import Door
from watcher.finds import Finds
from watcher.foreign import ForeignMessages
from watcher.listener import Listener
from watcher.place import InboxPlace
from watcher.receipts import Receipts
from watcher.stray_cancels import StrayCancels
from watcher.window import Window

BUCKET = "pictures"
BUSY_SECONDS, SCAN_SECONDS = 15.0, 60.0


@dataclass(frozen=True, kw_only=True)
class PostHouse:
    house: House
    queue: MemoryQueue
    window: Window
    ear: PatientEar
    receipts: Receipts
    listener: Listener

    def drop(self, name: str, content: bytes | None = None, *, announced: int = 1) -> None:
        """Put a file, and announce it so many times."""
        self.house.drop(name, content)
        for _ in range(announced):
            self.queue.announce(name)

    def round(self) -> None:
        """Go round once, and let the time pass until there may be something to do."""
        pause = self.listener.go_round()
        self.window.wait_for(lambda: not self.window.names("inbox"))
        if self._has_ended():
            return
        self.house.clock.advance(min(pause, self.ear.seconds(), VISIBILITY / 3))
        self.receipts.extend_all()

    def rounds(self, number: int) -> None:
        for _ in range(number):
            self.round()

    def run(self, seconds: float) -> None:
        """Go round for so long, on the clock."""
        end = self.house.clock.monotonic() + seconds
        while self.house.clock.monotonic() < end:
            self.round()

    def _has_ended(self) -> bool:
        """Whether something drawn has ended, which rings at once."""
        return bool(self.listener._started - self.window.names("inbox"))

    def until(self, done: Callable[[], bool], rounds: int = 200) -> None:
        for _ in range(rounds):
            if done():
                return
            self.round()
        raise AssertionError("it never came to that")


def build_post(
    queue: MemoryQueue | None = None,
    *,
    clock: FakeClock | None = None,
    incoming: MemoryBucket | None = None,
    window: int = 1,
    scan_seconds: float = 0.0,
    **house_options: Any,
) -> PostHouse:
    """Without a scan, unless asked for."""
    clock = clock or (queue.clock if queue else FakeClock())
    queue = queue or MemoryQueue(clock=clock)
    house = build(clock=clock, incoming=incoming, **house_options)
    slots = Window(window, lambda: None).__enter__()
    door = Door(house.lane, slots, clock, busy_seconds=BUSY_SECONDS)
    receipts = Receipts(queue, VISIBILITY)
    ear = PatientEar(queue)
    cancels = StrayCancels(house.inbox, 600.0)
    place = InboxPlace(bucket=house.incoming)
    listener = Listener(
        door,
        slots,
        ear,
        receipts,
        Deliveries(queue, receipts, door.forget),
        Finds(house.inbox, cancels, clock, scan_seconds=scan_seconds, jitter=lambda: 0.0),
        ForeignMessages(place),
        house.bell,
        clock,
        address=Address(bucket=BUCKET, prefix=place.incoming),
        obstacle=house_options.get("obstacle", lambda: None),
    )
    return PostHouse(house=house, queue=queue, window=slots, ear=ear, receipts=receipts, listener=listener)
