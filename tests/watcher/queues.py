"""A queue in memory that keeps the promises of SQS by a clock that tests move; queues that play one failure each."""

import itertools
import json
from dataclasses import dataclass, field

from store.errors import QueueUnavailable, ReceiptLost
from tests.clock import FakeClock
from tests.watcher.event_samples import direct
from watcher.ear import Heard
from watcher.message import Message

VISIBILITY = 30


@dataclass(eq=False, kw_only=True)
class Kept:
    """A message as the queue keeps it."""

    body: bytes
    visible_at: float
    receipt: str = ""
    times: int = 0


@dataclass(kw_only=True)
class MemoryQueue:
    """Standard SQS: every delivery has a receipt of its own; after max_receives a message goes to `dead`."""

    clock: FakeClock
    max_receives: int = 10
    kept: list[Kept] = field(default_factory=list)
    dead: list[bytes] = field(default_factory=list)
    polls: list[int] = field(default_factory=list)
    calls: int = 0
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def send(self, body: str | bytes) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.kept.append(Kept(body=data, visible_at=self.clock.monotonic()))

    def announce(self, *names: str, prefix: str = "") -> None:
        """One message with a record for each of these files."""
        records = [json.loads(direct(prefix + name))["Records"][0] for name in names]
        self.send(json.dumps({"Records": records}))

    def poll(self, seconds: int) -> None:
        """Somebody begins to wait for a message."""
        self.polls.append(seconds)
        self.calls += 1

    def deliver(self, visibility: int) -> Message | None:
        """What a poll that is under way gets now."""
        for kept in [kept for kept in self.kept if kept.visible_at <= self.clock.monotonic()]:
            if kept.times >= self.max_receives:
                self.kept.remove(kept)
                self.dead.append(kept.body)
                continue
            kept.times += 1
            kept.receipt, kept.visible_at = f"receipt-{next(self._numbers)}", self.clock.monotonic() + visibility
            return Message(body=kept.body, receipt=kept.receipt, times=kept.times)
        return None

    def extend(self, message: Message, seconds: int) -> None:
        self.calls += 1
        self._own(message).visible_at = self.clock.monotonic() + seconds

    def delete(self, message: Message) -> None:
        self.calls += 1
        self.kept.remove(self._own(message))

    @property
    def visible(self) -> int:
        return sum(kept.visible_at <= self.clock.monotonic() for kept in self.kept)

    def _own(self, message: Message) -> Kept:
        for kept in self.kept:
            if kept.receipt == message.receipt:
                return kept
        raise ReceiptLost


class DeleteAnswerLost(MemoryQueue):
    """Deletes, and the answer never arrives, the first time."""

    lost = False

    def delete(self, message: Message) -> None:
        super().delete(message)
        if not self.lost:
            self.lost = True
            raise QueueUnavailable


class DeletesTwiceGladly(MemoryQueue):
    """As AWS and moto: a second delete of a message succeeds."""

    def delete(self, message: Message) -> None:
        try:
            super().delete(message)
        except ReceiptLost:
            self.calls += 1


class QueueAway(MemoryQueue):
    """Does not answer until it is back."""

    is_away = True

    def poll(self, seconds: int) -> None:
        super().poll(seconds)
        if self.is_away:
            raise QueueUnavailable("the queue is away")


class PatientEar:
    """Plays the ear's thread: an answer is there once a message is, or the poll has lasted its time."""

    def __init__(self, queue: MemoryQueue) -> None:
        self._queue = queue
        self._until: float | None = None
        self._problem: str | None = None

    def start(self) -> None:
        pass

    def listen(self, longest: int) -> None:
        if self._until is not None:
            return
        self._until = self._queue.clock.monotonic() + longest
        try:
            self._queue.poll(longest)
        except QueueUnavailable as error:
            self._problem = error.message

    def take(self) -> Heard | None:
        if self._until is None:
            return None
        problem, self._problem = self._problem, None
        if problem is not None:
            return Heard(problem=problem)
        message = self._queue.deliver(VISIBILITY)
        is_over = self._queue.clock.monotonic() >= self._until
        return Heard(message=message) if message is not None or is_over else None

    def settle(self, heard: Heard) -> None:
        self._until = None

    def close(self) -> Message | None:
        return None

    def seconds(self) -> float:
        """Until the poll is over, or a message may come."""
        now = self._queue.clock.monotonic()
        if self._until is None or self._problem is not None:
            return float("inf") if self._until is None else 0.0
        return max(0.0, min([self._until, *(kept.visible_at for kept in self._queue.kept)]) - now)
