import itertools
import threading
from collections import Counter
from collections.abc import Callable

from watcher.claim import Claim
from watcher.listening import Listening
from watcher.window import Window


class Clerks:
    """Lanes whose queues hold so many messages, played one turn after another without a thread."""

    def __init__(self, window: int, **queues: int) -> None:
        self.window = Window(window, lambda: None)
        self.queues = queues
        self.listening = Listening(self.window, tuple(queues))
        self.served: list[str] = []
        self.seconds: list[int] = []

    def play(self, turns: int) -> None:
        """Every lane wants to listen all the time; each message is drawn at once."""
        for _ in range(turns):
            lane = self.next_lane()
            self.seconds.append(self.begin(lane) or 0)
            found = self.queues[lane] > 0
            self.queues[lane] -= found
            if found:
                self.served.append(lane)
            self.listening.end(lane, found=found)

    def next_lane(self) -> str:
        self.listening._waiting.update(self.queues)
        return next(lane for lane in self.queues if self.listening._may(lane))

    def begin(self, lane: str) -> int | None:
        seconds = self.listening.begin(lane, 20, lambda: False)
        self.listening._waiting.clear()
        return seconds


def test_a_lane_alone_asks_as_long_as_it_can() -> None:
    clerks = Clerks(1, a=0)
    clerks.play(3)
    assert clerks.seconds == [20, 20, 20]


def test_the_lane_that_found_a_message_last_is_asked_first() -> None:
    clerks = Clerks(1, a=4, b=4)
    clerks.play(9)
    assert clerks.served == list("aaaabbbb")


def test_two_busy_lanes_do_not_shut_a_third_out() -> None:
    clerks = Clerks(1, a=1000, b=1000, c=3)
    clerks.play(60)
    assert "c" in clerks.served[:20]
    clerks.play(300)
    assert Counter(clerks.served)["c"] == 3
    counts = Counter(clerks.served)
    assert abs(counts["a"] - counts["b"]) <= 16


def test_no_lane_waits_longer_than_the_runs_of_all_others() -> None:
    clerks = Clerks(1, a=1000, b=1000, c=1000, d=1000)
    clerks.play(400)
    for lane in "abcd":
        turns = [number for number, served in enumerate(clerks.served) if served == lane]
        gaps = [after - before for before, after in itertools.pairwise(turns)]
        assert max(gaps) <= 3 * 8 + 1


def test_a_lane_with_nothing_costs_the_others_little() -> None:
    clerks = Clerks(1, a=100, b=0)
    clerks.play(100)
    assert clerks.served.count("a") >= 85
    assert set(clerks.seconds) == {1}


def test_quiet_lanes_share_the_slots_so_that_each_queue_is_asked_once_in_20_seconds() -> None:
    for window, lanes in ((1, 2), (1, 3), (2, 3), (3, 5)):
        clerks = Clerks(window, **{f"lane{number}": 0 for number in range(lanes)})
        clerks.play(lanes)
        clerks.seconds.clear()
        clerks.play(lanes * 5)
        # so many are asked at the same time
        assert all(seconds * lanes / window >= 20 for seconds in clerks.seconds)


def test_as_many_queues_are_asked_at_once_as_there_are_free_slots() -> None:
    window = Window(2, lambda: None)
    listening = Listening(window, ("a", "b", "c"))
    assert listening.begin("a", 20, lambda: False) == 20
    assert listening.begin("b", 20, lambda: False) == 20
    waits = Waits(listening, "c")
    listening.end("a", found=False)
    assert waits.answer() == 20


def test_the_busy_lane_is_not_held_up_by_polls_of_the_others() -> None:
    listening = Listening(Window(3, lambda: None), ("a", "b", "c"))
    for lane in ("b", "c", "a"):
        listening.begin(lane, 20, lambda: False)
    listening.end("a", found=True)
    assert listening.begin("a", 20, lambda: False) == 20


def test_while_a_request_is_alone_no_queue_is_asked() -> None:
    window = Window(3, lambda: None)
    listening = Listening(window, ("a", "b"))
    go = threading.Event()

    def carry(claim: Claim) -> None:
        assert go.wait(60)

    with window:
        assert window.reserve_all("a", "poison.json")
        window.start("a", Claim(name="poison.json", id="poison", attempt=2, queued=0.0), carry, lambda claim: None)
        waits = Waits(listening, "b")
        assert not waits.is_over
        go.set()
    listening.poke()
    assert waits.answer() == 20


def test_a_lane_that_ends_does_not_wait_for_its_turn() -> None:
    listening = Listening(Window(1, lambda: None), ("a", "b"))
    listening.begin("a", 20, lambda: False)
    is_over = threading.Event()
    waits = Waits(listening, "b", is_over.is_set)
    is_over.set()
    listening.poke()
    assert waits.answer() is None


class Waits:
    """A lane that waits for its turn in a thread of its own."""

    def __init__(self, listening: Listening, lane: str, is_over: Callable[[], bool] = lambda: False) -> None:
        self._answer: list[int | None] = []
        self._thread = threading.Thread(target=lambda: self._answer.append(listening.begin(lane, 20, is_over)))
        self._thread.start()

    @property
    def is_over(self) -> bool:
        return bool(self._answer)

    def answer(self) -> int | None:
        self._thread.join(60)
        return self._answer[0]
