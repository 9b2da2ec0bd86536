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
        assert self.open.wait(10)

    def ended(self, claim: Claim) -> None:
        self.told.append(f"ended {claim.id}")

    def freed(self) -> None:
        self.told.append("freed")


def window(gate: Gate, slots: int) -> Window:
    return Window(slots, gate, gate.ended, gate.freed)


def test_a_window_has_as_many_slots_as_it_says() -> None:
    gate = Gate()
    with window(gate, 2) as hand:
        hand.start(claim("a.json"), alone=False)
        assert hand.has_slot()
        hand.start(claim("b.json"), alone=False)
        assert not hand.has_slot()
        assert hand.holds("a.json")
        gate.open.set()
    assert hand.is_empty()


def test_beside_a_request_that_is_alone_there_is_no_slot() -> None:
    gate = Gate()
    with window(gate, 2) as hand:
        hand.start(claim("a.json"), alone=True)
        assert not hand.has_slot()
        gate.open.set()
        hand.wait_for_all()
        assert hand.has_slot()


def test_an_end_is_told_before_its_slot_is_free_and_again_after() -> None:
    gate = Gate()
    gate.open.set()
    with window(gate, 1) as hand:
        hand.start(claim("a.json"), alone=False)
        hand.wait_for_an_end(0)
    assert gate.told == ["ended a", "freed"]
    assert hand.ended == 1


def test_a_bug_in_the_carrying_frees_the_slot(caplog: pytest.LogCaptureFixture) -> None:
    def bug(claim: Claim) -> None:
        raise ValueError("nobody thought of this")

    gate = Gate()
    with Window(1, bug, gate.ended, gate.freed) as hand:
        hand.start(claim("a.json"), alone=False)
        hand.wait_for_all()
        assert hand.has_slot()
    assert "request a was left" in caplog.text


def test_a_closed_window_takes_nothing() -> None:
    hand = window(Gate(), 1)
    with pytest.raises(RuntimeError, match="closed"):
        hand.start(claim("a.json"), alone=False)
    assert hand.is_empty()
