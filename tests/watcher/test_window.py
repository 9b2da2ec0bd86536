"""The window: slots, and the whole of it for one that may kill its worker."""

import threading

import pytest

from watcher.claim import Claim
from watcher.window import Window


def claim(name: str) -> Claim:
    return Claim(name=name, id=name.removesuffix(".json"), attempt=1, queued=0.0)


class Gate:
    """Carries claims that stay in hand until the test lets them go."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.told: list[str] = []

    def __call__(self, claim: Claim) -> None:
        assert self.open.wait(60)

    def ended(self, claim: Claim) -> None:
        self.told.append(f"ended {claim.id}")

    def freed(self) -> None:
        self.told.append("freed")


def start(window: Window, gate: Gate, name: str, lane: str = "one") -> bool:
    taken = window.reserve(lane)
    if taken:
        window.start(lane, claim(name), gate, gate.ended)
    return taken


def start_alone(window: Window, gate: Gate, name: str, lane: str = "one") -> bool:
    taken = window.reserve_all(lane, name)
    if taken:
        window.start(lane, claim(name), gate, gate.ended)
    return taken


def wait_for_all(window: Window) -> None:
    window.wait_for(lambda: not any(map(window.names, ("one", "two", "three"))))


def test_a_window_has_as_many_slots_as_it_says() -> None:
    gate = Gate()
    with Window(2, gate.freed) as window:
        assert start(window, gate, "a.json")
        assert window.free("one") == 1
        assert start(window, gate, "b.json")
        assert not start(window, gate, "c.json")
        assert window.names("one") == {"a.json", "b.json"}
        gate.open.set()
    assert window.names("one") == frozenset()


def test_a_slot_that_was_reserved_and_not_used_is_free_again() -> None:
    window = Window(1, lambda: None)
    assert window.reserve("one")
    assert window.free("one") == 0
    window.give_back()
    assert window.free("one") == 1


def test_beside_a_request_that_is_alone_there_is_no_slot_in_any_lane() -> None:
    gate = Gate()
    with Window(2, gate.freed) as window:
        assert start_alone(window, gate, "a.json")
        assert window.free("one") == window.free("two") == 0
        assert not start(window, gate, "b.json", "two")
        gate.open.set()
        wait_for_all(window)
        assert window.free("one") == 2


def test_who_waits_to_be_alone_is_overtaken_by_no_other_lane_and_by_its_own_only_if_that_was_first() -> None:
    gate = Gate()
    with Window(3, gate.freed) as window:
        start(window, gate, "a.json", "two")
        assert not start_alone(window, gate, "poison.json")
        assert not start(window, gate, "b.json", "two")
        assert not start_alone(window, gate, "other.json", "two")
        assert window.free("one") == 2
        gate.open.set()
        wait_for_all(window)
        gate.open.clear()
        assert start_alone(window, gate, "poison.json")
        gate.open.set()


def test_who_waits_to_be_alone_no_longer_lets_the_others_start() -> None:
    gate = Gate()
    with Window(3, gate.freed) as window:
        start(window, gate, "a.json")
        assert not start_alone(window, gate, "poison.json")
        window.withdraw("two", lambda name: True)
        window.withdraw("one", lambda name: name == "another.json")
        assert window.free("two") == 0
        window.withdraw("one", lambda name: name == "poison.json")
        assert window.free("two") == 2
        gate.open.set()


def test_a_slot_goes_to_the_waiting_lane_that_was_served_the_longest_time_ago() -> None:
    gate, got = Gate(), list[str]()
    with Window(1, gate.freed) as window:

        def wait(lane: str) -> None:
            if window.reserve(lane, patience=60):
                got.append(lane)
                window.start(lane, claim(f"{lane}.json"), gate, gate.ended)

        start(window, gate, "a.json", "two")
        threads = [threading.Thread(target=wait, args=(lane,)) for lane in ("two", "three")]
        for thread in threads:
            thread.start()
        window.wait_for(lambda: len(window.waiting) == 2)
        gate.open.set()
        for thread in threads:
            thread.join()
    assert got == ["three", "two"]


def test_who_is_over_waits_for_no_slot() -> None:
    gate, over, answers = Gate(), threading.Event(), list[bool]()
    with Window(1, gate.freed) as window:
        start(window, gate, "a.json")

        def wait() -> None:
            answers.append(window.reserve("two", patience=60, is_over=over.is_set))
            answers.append(window.reserve_all("two", "b.json", patience=60, is_over=over.is_set))

        thread = threading.Thread(target=wait)
        thread.start()
        over.set()
        window.poke()
        thread.join(30)
        assert answers == [False, False]
        gate.open.set()


def test_who_waits_to_be_alone_gets_the_window_as_soon_as_it_is_empty() -> None:
    gate = Gate()
    with Window(2, gate.freed) as window:
        start(window, gate, "a.json")
        gate.open.set()
        assert window.reserve_all("two", "poison.json", patience=60)
        window.start("two", claim("poison.json"), gate, gate.ended)


def test_an_end_is_told_before_its_slot_is_free_and_again_after() -> None:
    gate = Gate()
    gate.open.set()
    with Window(1, gate.freed) as window:
        start(window, gate, "a.json")
        wait_for_all(window)
    assert gate.told == ["ended a", "freed"]


def test_a_bug_in_the_carrying_frees_the_slot(caplog: pytest.LogCaptureFixture) -> None:
    def bug(claim: Claim) -> None:
        raise ValueError("nobody thought of this")

    gate = Gate()
    with Window(1, gate.freed) as window:
        assert window.reserve("one")
        window.start("one", claim("a.json"), bug, gate.ended)
        wait_for_all(window)
        assert window.free("one") == 1
    assert "request a was left" in caplog.text


def test_a_closed_window_takes_nothing() -> None:
    window = Window(1, lambda: None)
    with pytest.raises(RuntimeError, match="closed"):
        start(window, Gate(), "a.json")
    assert window.names("one") == frozenset()
