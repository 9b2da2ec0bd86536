import threading

import pytest

from store.errors import QueueUnavailable
from tests.clock import FakeClock
from tests.watcher.queues import MemoryQueue
from watcher.ear import Ear, Heard
from watcher.listening import Listening
from watcher.message import Message
from watcher.receipts import Receipts
from watcher.window import Window

VISIBILITY = 30


class SlowQueue:
    """Answers when the test says so."""

    def __init__(self, answer: Message | Exception | None = None) -> None:
        self.answer = answer
        self.asked, self.go = threading.Event(), threading.Event()
        self.extended: list[int] = []
        self.visibilities: list[int] = []
        self.polls = 0

    def receive(self, seconds: int, visibility: int) -> Message | None:
        self.polls += 1
        self.visibilities.append(visibility)
        self.asked.set()
        assert self.go.wait(60)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def extend(self, message: Message, seconds: int) -> None:
        self.extended.append(seconds)

    def delete(self, message: Message) -> None:
        raise AssertionError("an ear deletes nothing")


class Bell:
    def __init__(self) -> None:
        self.rung = threading.Event()

    def __call__(self) -> None:
        self.rung.set()


MESSAGE = Message(body=b"{}", receipt="r")


def open_ear(queue: SlowQueue, bell: Bell, window: Window | None = None) -> tuple[Ear, Listening]:
    listening = Listening(window or Window(1, lambda: None), ("a",))
    ear = Ear("a", queue, listening, VISIBILITY, bell, FakeClock())
    ear.start()
    return ear, listening


def test_an_ear_hears_one_message_for_each_time_it_is_asked() -> None:
    queue, bell = SlowQueue(MESSAGE), Bell()
    queue.go.set()
    ear, _ = open_ear(queue, bell)
    ear.listen(20)
    assert bell.rung.wait(60)
    ear.listen(20)
    heard = ear.take()
    assert heard == Heard(message=MESSAGE)
    assert ear.take() is None
    ear.settle(heard)
    assert queue.polls == 1
    bell.rung.clear()
    ear.listen(20)
    assert bell.rung.wait(60)
    assert queue.polls == 2
    ear.close()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (None, None),
        (QueueUnavailable("away"), "away"),
        (ValueError("x"), "a bug of the service, see its log (ValueError)"),
    ],
)
def test_an_empty_queue_one_that_is_away_and_a_bug_are_answers_too(answer: Exception | None, told: str | None) -> None:
    queue, bell = SlowQueue(answer), Bell()
    queue.go.set()
    ear, _ = open_ear(queue, bell)
    ear.listen(0)
    assert bell.rung.wait(60)
    assert ear.take() == Heard(problem=told)
    ear.close()


def test_a_queue_that_answers_at_once_that_it_is_empty_is_not_asked_again_before_the_time_of_a_poll() -> None:
    queue, bell = SlowQueue(), Bell()
    queue.go.set()
    ear, _ = open_ear(queue, bell)
    ear.listen(20)
    assert queue.asked.wait(60)
    assert ear.take() is None
    ear.close()
    ear._thread.join(60)
    assert not bell.rung.is_set()
    assert queue.polls == 1


def test_a_message_handed_to_a_poll_whose_process_has_ended_is_soon_seen_again() -> None:
    queue, bell = SlowQueue(MESSAGE), Bell()
    queue.go.set()
    ear, _ = open_ear(queue, bell)
    ear.listen(20)
    assert bell.rung.wait(60)
    # as long as it takes to have it is the first time out of sight
    assert (queue.visibilities, queue.extended) == ([15], [VISIBILITY])
    ear.close()


def test_a_message_that_comes_after_the_end_is_given_back() -> None:
    queue, bell = SlowQueue(MESSAGE), Bell()
    ear, _ = open_ear(queue, bell)
    ear.listen(20)
    assert queue.asked.wait(60)
    assert ear.close() is None
    queue.go.set()
    ear._thread.join(60)
    assert queue.extended[-1] == 0


def test_a_message_that_nobody_has_taken_is_returned_at_the_end() -> None:
    queue, bell = SlowQueue(MESSAGE), Bell()
    queue.go.set()
    ear, _ = open_ear(queue, bell)
    ear.listen(20)
    assert bell.rung.wait(60)
    assert ear.close() == MESSAGE


def test_an_ear_without_a_free_slot_asks_nothing_and_can_be_closed() -> None:
    window = Window(1, lambda: None)
    assert window.reserve("a")
    queue = SlowQueue(MESSAGE)
    ear, listening = open_ear(queue, Bell(), window)
    ear.listen(20)
    ear.close()
    ear._thread.join(60)
    assert queue.polls == 0
    assert listening._waiting == set()


class ExtendAnswers(MemoryQueue):
    """The first extension gets no answer."""

    failures = 1

    def extend(self, message: Message, seconds: int) -> None:
        if self.failures:
            self.failures -= 1
            raise QueueUnavailable("no answer")
        super().extend(message, seconds)


def received(queue: MemoryQueue) -> Message:
    queue.announce("a.json")
    message = queue.deliver(VISIBILITY)
    assert message is not None
    return message


def test_one_lost_extension_does_not_lose_the_message() -> None:
    queue = ExtendAnswers(clock=FakeClock())
    receipts, message = Receipts(queue, VISIBILITY), received(queue)
    receipts.hold(message)
    for _ in range(9):
        queue.clock.advance(VISIBILITY / 3)
        receipts.extend_all()
    assert queue.visible == 0
    assert receipts.holds(message)


def test_a_message_whose_work_hangs_is_left_to_others() -> None:
    queue = MemoryQueue(clock=FakeClock())
    receipts, message, hangs = Receipts(queue, VISIBILITY), received(queue), [False]
    receipts.hold(message, lambda: hangs[0])
    queue.clock.advance(VISIBILITY - 1)
    receipts.extend_all()
    hangs[0] = True
    queue.clock.advance(VISIBILITY - 1)
    receipts.extend_all()
    queue.clock.advance(2)
    assert queue.visible == 1


def test_the_extending_begins_and_ends_with_its_thread() -> None:
    calls = threading.Semaphore(0)

    class Counting(MemoryQueue):
        def extend(self, message: Message, seconds: int) -> None:
            calls.release()

    receipts = Receipts(Counting(clock=FakeClock()), 0)
    receipts.hold(MESSAGE)
    receipts.start()
    assert calls.acquire(timeout=60)
    receipts.stop()
    receipts._thread.join(60)
    assert not receipts._thread.is_alive()
