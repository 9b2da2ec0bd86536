"""One drawing at a time; the style that is loaded goes first, but nobody waits for ever."""

import threading
from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest

from pipeline.turnstile import Turnstile
from store.errors import ShuttingDown

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


class Hall:
    """Threads before a turnstile, each known to wait before the next one comes."""

    def __init__(self, max_run: int) -> None:
        self.turnstile = Turnstile(max_run=max_run)
        self.passed: list[str] = []
        self.sent_away: list[str] = []
        self._condition = AnnouncingCondition()
        self.turnstile._changed = self._condition
        self._threads: list[threading.Thread] = []

    def arrive(self, name: str, inside: Callable[[], None] = lambda: None) -> None:
        """A thread comes for a turn in the style of its first letter, and is waiting when this returns."""
        thread = threading.Thread(target=self._pass, args=(name, inside), daemon=True)
        self._threads.append(thread)
        thread.start()
        assert self._condition.arrived.acquire(timeout=PATIENCE)

    def all_gone(self) -> None:
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def _pass(self, name: str, inside: Callable[[], None]) -> None:
        try:
            with self.turnstile.turn(name[0]):
                self.passed.append(name)
                inside()
        except ShuttingDown:
            self.sent_away.append(name)


@pytest.fixture
def hall() -> Iterator[Hall]:
    hall = Hall(max_run=3)
    yield hall
    hall.turnstile.close()
    hall.all_gone()


def order(hall: Hall, *names: str) -> str:
    """The order in which these pass, if all of them come during the turn of a drawing in style a."""
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


def test_within_one_style_who_came_first_goes_first(hall: Hall) -> None:
    assert order(hall, *(f"a{index}" for index in range(9))) == "a0 a1 a2 a3 a4 a5 a6 a7 a8"


def test_other_styles_go_in_the_order_of_their_first(hall: Hall) -> None:
    assert order(hall, "c1", "b1", "d1") == "c1 b1 d1"


def test_the_style_that_went_last_goes_first(hall: Hall) -> None:
    assert order(hall, "b1", "a1") == "a1 b1"


def test_a_swap_is_followed_by_all_of_the_new_style(hall: Hall) -> None:
    assert order(hall, "b1", "c1", "b2", "c2") == "b1 b2 c1 c2"


def test_a_style_passes_at_most_max_run_times_in_a_row_while_another_waits(hall: Hall) -> None:
    # the turn that was under way when b1 came is the first of the three
    assert order(hall, "b1", "a1", "a2", "a3", "a4") == "a1 a2 b1 a3 a4"


def test_nobody_is_overtaken_more_than_max_run_times_however_many_keep_coming(hall: Hall) -> None:
    coming = iter(f"a{index}" for index in range(2, 20))

    def another_comes() -> None:
        if name := next(coming, None):
            hall.arrive(name, another_comes)

    with hall.turnstile.turn("a"):
        hall.arrive("b1")
        hall.arrive("a1", another_comes)
    hall.all_gone()
    assert len(hall.passed) == 20
    assert 1 <= hall.passed.index("b1") <= 3


def test_two_busy_styles_do_not_shut_a_third_out(hall: Hall) -> None:
    names = [f"{style}{index}" for index in range(8) for style in "ab"]
    passed = order(hall, "a0", "b0", "c1", *names[2:]).split()
    assert passed.index("c1") <= 2 * 3


def test_turns_taken_while_nobody_else_waited_do_not_count_against_a_style(hall: Hall) -> None:
    for _ in range(10):
        with hall.turnstile.turn("a"):
            pass
    assert order(hall, "b1", "a1") == "a1 b1"


def test_a_style_whose_run_is_over_goes_on_when_nobody_else_waits(hall: Hall) -> None:
    assert order(hall, "b1", "a1", "a2", "a3") == "a1 a2 b1 a3"
    hall.passed.clear()
    assert order(hall, "a4", "a5", "a6", "a7") == "a4 a5 a6 a7"


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
