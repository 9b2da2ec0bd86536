"""One drawing at a time; who is next is told why, and what the turns cost is remembered."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest

from pipeline.costs import Costs
from pipeline.turn_policy import Choice
from pipeline.turnstile import Turn, Turnstile
from store.errors import ShuttingDown
from tests.clock import FakeClock

PATIENCE = 10.0


class AnnouncingCondition(threading.Condition):
    """Tells when a thread begins to wait; whoever wants to wake it must take the lock after that."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived = threading.Semaphore(0)
        self._known: set[threading.Thread] = set()

    def wait(self, timeout: float | None = None) -> bool:
        me = threading.current_thread()
        if me not in self._known:
            self._known.add(me)
            self.arrived.release()
        return super().wait(timeout)


class WaitInterrupted(threading.Condition):
    """Somebody presses Ctrl-C while a thread waits."""

    def wait(self, timeout: float | None = None) -> NoReturn:
        raise KeyboardInterrupt


class ChosenIsInterrupted(AnnouncingCondition):
    """Somebody presses Ctrl-C as soon as a certain thread is woken."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def wait(self, timeout: float | None = None) -> bool:
        woken = super().wait(timeout)
        if threading.current_thread().name == self._name:
            raise KeyboardInterrupt
        return woken


class NobodyLooksAgain(AnnouncingCondition):
    """Whoever waits is woken by others only, never by time."""

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait()


class TheClockMovesBetweenTwoLooks(FakeClock):
    """The thread a1 looks ten minutes later than everybody else."""

    def monotonic(self) -> float:
        return self.seconds + 600 * (threading.current_thread().name == "a1")


class SwapsCostSoMuch(Costs):
    """Costs under which a run lasts two drawings at least, and four at most."""

    def quantum(self) -> int:
        return 2


class Hall:
    """Threads before a turnstile, each known to wait before the next one comes."""

    def __init__(self, clock: FakeClock | None = None, condition: AnnouncingCondition | None = None) -> None:
        self.clock = clock or FakeClock()
        self.costs = SwapsCostSoMuch()
        self.turnstile = Turnstile(self.clock, self.costs)
        self.turns: dict[str, Turn] = {}
        self.passed: list[str] = []
        self.sent_away: list[str] = []
        self._condition = condition or AnnouncingCondition()
        self.turnstile._changed = self._condition
        self._threads: list[threading.Thread] = []

    def arrive(self, name: str, inside: Callable[[], None] = lambda: None) -> None:
        """A thread comes for a turn with the checkpoint of its first letter, and is waiting when this returns."""
        thread = threading.Thread(target=self._pass, args=(name, inside), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        assert self._condition.arrived.acquire(timeout=PATIENCE)

    def all_gone(self) -> None:
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def _pass(self, name: str, inside: Callable[[], None]) -> None:
        try:
            with self.turnstile.turn(name[0]) as turn:
                self.passed.append(name)
                self.turns[name] = turn
                inside()
        except (ShuttingDown, KeyboardInterrupt):
            self.sent_away.append(name)


@pytest.fixture
def hall() -> Iterator[Hall]:
    hall = Hall()
    yield hall
    hall.turnstile.close()
    hall.all_gone()


def order(hall: Hall, *names: str) -> str:
    """The order in which these pass, if all of them come during the turn of a drawing with checkpoint a."""
    with hall.turnstile.turn("a"):
        for name in names:
            hall.arrive(name)
    hall.all_gone()
    return " ".join(hall.passed)


def test_while_one_is_inside_the_others_wait(hall: Hall) -> None:
    with hall.turnstile.turn("a"):
        hall.arrive("a1")
        hall.arrive("b1")
        assert hall.passed == []
    hall.all_gone()
    assert sorted(hall.passed) == ["a1", "b1"]


def test_of_one_checkpoint_who_came_first_goes_first(hall: Hall) -> None:
    assert order(hall, *(f"a{index}" for index in range(9))) == "a0 a1 a2 a3 a4 a5 a6 a7 a8"


def test_who_wants_what_is_loaded_goes_first_and_is_told_why(hall: Hall) -> None:
    assert order(hall, "b1", "a1") == "a1 b1"
    assert hall.turns["a1"].detail() == {"reason": "loaded", "waited_seconds": 0.0, "run": 1, "quantum": 2}
    assert hall.turns["b1"].detail() == {"reason": "alone", "waited_seconds": 0.0, "run": 2, "quantum": 2}


def test_a_swap_is_followed_by_all_that_want_the_same(hall: Hall) -> None:
    assert order(hall, "b1", "c1", "b2", "c2") == "b1 b2 c1 c2"


def test_how_long_a_request_waited_is_told(hall: Hall) -> None:
    with hall.turnstile.turn("a"):
        hall.arrive("a1")
        hall.clock.advance(12)
    hall.all_gone()
    assert hall.turns["a1"].detail()["waited_seconds"] == 12.0


def test_what_of_a_turn_was_no_swap_is_told_as_drawing() -> None:
    clock, costs = FakeClock(), Costs()
    turnstile = Turnstile(clock, costs)
    for _ in range(3):
        with turnstile.turn("a"):
            costs.swapped(8)
            clock.advance(14)
    # 8 / (0.05 x 6), rounded up
    assert costs.quantum() == 27


def test_a_turn_that_failed_says_nothing_about_drawing() -> None:
    clock, costs = FakeClock(), Costs()
    turnstile = Turnstile(clock, costs)
    costs.swapped(8)
    unknown = costs.quantum()
    with pytest.raises(ZeroDivisionError), turnstile.turn("a"):
        raise ZeroDivisionError
    assert costs.quantum() == unknown


def test_an_exception_inside_a_turn_ends_the_turn(hall: Hall) -> None:
    def fail() -> None:
        with hall.turnstile.turn("a"):
            hall.arrive("b1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    hall.all_gone()
    assert hall.passed == ["b1"]


def test_closing_sends_the_waiting_away_and_lets_the_one_inside_finish(hall: Hall) -> None:
    finished = False
    with hall.turnstile.turn("a"):
        hall.arrive("a1")
        hall.arrive("b1")
        hall.turnstile.close()
        hall.all_gone()
        finished = True
    assert finished
    assert hall.passed == []
    assert sorted(hall.sent_away) == ["a1", "b1"]


def test_once_closed_nobody_passes_any_more(hall: Hall) -> None:
    hall.turnstile.close()
    hall.turnstile.close()
    with pytest.raises(ShuttingDown) as caught, hall.turnstile.turn("a"):
        pytest.fail("passed a closed turnstile")
    assert caught.value.retryable


def test_nobody_waits_for_somebody_who_gave_up(hall: Hall) -> None:
    changed = hall.turnstile._changed
    with hall.turnstile.turn("a"):
        hall.turnstile._changed = WaitInterrupted()
        with pytest.raises(KeyboardInterrupt), hall.turnstile.turn("a"):
            pytest.fail("passed an occupied turnstile")
        hall.turnstile._changed = changed
        hall.arrive("a1")
    hall.all_gone()
    assert hall.passed == ["a1"]


def test_two_who_look_at_different_times_do_not_leave_the_turn_to_each_other() -> None:
    hall = Hall(TheClockMovesBetweenTwoLooks(), NobodyLooksAgain())
    # behind a0, b1 is overdue when a1 looks, and is not when b1 looks
    assert order(hall, "a0", "b1", "a1") == "a0 a1 b1"


def test_the_turn_is_chosen_once_however_many_wait_for_it(hall: Hall) -> None:
    choose, asked = hall.turnstile._policy.choose, 0

    def counted(*args: Any) -> Choice:
        nonlocal asked
        asked += 1
        return choose(*args)

    hall.turnstile._policy.choose = counted  # type: ignore[method-assign]
    assert order(hall, "a1", "b1", "a2", "b2") == "a1 a2 b1 b2"
    assert asked == 5


def test_a_chosen_one_who_gives_up_hands_the_choice_on() -> None:
    hall = Hall(condition=ChosenIsInterrupted("a1"))
    with hall.turnstile.turn("a"):
        hall.arrive("a1")
        hall.arrive("a2")
    hall.all_gone()
    assert (hall.sent_away, hall.passed) == (["a1"], ["a2"])
