"""Requests of one checkpoint are claimed one behind the other, within a bound; a glance decides nothing else."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.styles import load_styles, weights_of
from store.errors import KeyNotFound
from tests.clock import FakeClock
from tests.watcher.house import House, build, request_bytes
from watcher.lookahead import Lookahead
from watcher.peek import checkpoint_peek
from watcher.rounds import Pace, Rounds
from watcher.window import Window

STYLES = load_styles()
SHORT = {"a": "anime", "r": "ultra_realistic", "s": "semi_realistic", "-": "auto"}


class Peeks:
    """Tells the first letter of a name, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, name: str) -> str | None:
        self.asked.append(name)
        return None if name[0] == "-" else name[0]


def ahead(quantum: int = 2, peek: Peeks | None = None, clock: FakeClock | None = None) -> Lookahead:
    return Lookahead(peek or Peeks(), lambda: quantum, clock or FakeClock())


def claimed(lookahead: Lookahead, names: list[str]) -> list[str]:
    """The order in which they are claimed, one at a time, with a fresh look before each."""
    order, left = [], list(names)
    while left:
        name = next(lookahead.arrange(left))
        lookahead.started(name)
        left.remove(name)
        order.append(name)
    return order


def named(letters: str) -> list[str]:
    return [f"{letter}{index}" for index, letter in enumerate(letters)]


def told(order: list[str]) -> str:
    return "".join(name[0] for name in order)


def test_those_of_one_checkpoint_are_claimed_together() -> None:
    assert told(claimed(ahead(4), named("arsarsars"))) == "aaarrrsss"


def test_of_one_checkpoint_who_came_first_goes_first() -> None:
    assert claimed(ahead(4), named("arara")) == ["a0", "a2", "a4", "r1", "r3"]


def test_who_names_no_style_keeps_its_place_in_any_run() -> None:
    assert claimed(ahead(4), named("ar-ar-")) == ["a0", "-2", "a3", "-5", "r1", "r4"]


def test_a_run_ends_after_twice_the_quantum() -> None:
    assert told(claimed(ahead(2), named("ar" + "a" * 10))) == "aaaa" + "r" + "a" * 7


def test_one_look_gives_the_same_order_as_many() -> None:
    names = named("arsrrasaas-ra")
    assert list(ahead(2).arrange(names)) == claimed(ahead(2), names)


def test_only_the_oldest_64_are_glanced_at_and_each_once() -> None:
    peek = Peeks()
    names = named("ar" * 50)
    lookahead = ahead(2, peek)
    order = list(lookahead.arrange(names))
    assert (sorted(order), order[64:]) == (sorted(names), names[64:])
    list(lookahead.arrange(names))
    assert peek.asked == names[:64]


@given(letters=st.text("ars-", min_size=1, max_size=150), quantum=st.integers(1, 5))
def test_nobody_among_the_64_is_passed_over_more_often_than_is_promised(letters: str, quantum: int) -> None:
    names = named(letters)
    order = claimed(ahead(quantum), names)
    assert sorted(order) == sorted(names)
    for place, name in enumerate(names[:64]):
        before = order[: order.index(name)]
        own = [other for other in before if other[0] == name[0]]
        assert own == [other for other in names[:place] if other[0] == name[0]]
        rounds = -(-(len(own) + 1) // quantum)
        strangers = sum(other[0] not in (name[0], "-") for other in before)
        assert strangers <= rounds * 2 * (2 * quantum)


def put(house: House, *letters: str) -> list[str]:
    names = [f"{index:02}-{letter}.json" for index, letter in enumerate(letters)]
    for name, letter in zip(names, letters, strict=True):
        house.drop(name, request_bytes(style=SHORT[letter]))
    house.clock.advance(10)
    return names


def test_what_is_gone_since_the_scan_counts_in_no_run() -> None:
    def peek(name: str) -> str:
        if name == "a0":
            raise KeyNotFound
        return name[0]

    assert list(Lookahead(peek, lambda: 2, FakeClock()).arrange(named("aarar"))) == ["a1", "a3", "r2", "r4", "a0"]


def test_no_more_names_are_asked_for_than_are_looked_at() -> None:
    names = iter(named("ar" * 50))
    next(ahead().arrange(names))
    assert next(names) == "a64"


def test_what_could_not_be_claimed_counts_in_no_run() -> None:
    lookahead = ahead()
    order = []
    for name in lookahead.arrange(named("rarara")):
        order.append(name)
        if name == "r0":
            lookahead.skipped(name)
    assert order == ["r0", "a1", "a3", "a5", "r2", "r4"]


def test_who_could_not_be_claimed_is_not_overdue_when_it_can() -> None:
    lookahead = ahead(2, clock=(clock := FakeClock()))
    arranged = lookahead.arrange(["r0", "a1", "a2"])
    assert next(arranged) == "r0"
    lookahead.skipped("r0")
    assert next(arranged) == "a1"
    lookahead.started("a1")
    clock.advance(100)
    assert claimed(lookahead, ["a2"]) == ["a2"]
    assert claimed(lookahead, ["r0", "a3", "a4", "a5", "a6"]) == ["a3", "a4", "a5", "r0", "a6"]


def drain(house: House) -> list[str]:
    """The styles in the order in which they were drawn, one at a time, in runs of at least two."""
    lookahead = Lookahead(checkpoint_peek(house.inbox, STYLES), lambda: 2, house.clock)
    rounds = Rounds(
        house.lane, Window(1, house.bell.ring), house.bell, house.clock,
        obstacle=lambda: None, pace=Pace(), lookahead=lookahead,
    )  # fmt: skip
    rounds.drain()
    pen: Any = house.service.draw
    return [request.style for request in pen.drawn]


def test_the_rounds_claim_run_by_run() -> None:
    house = build()
    put(house, *"arsars")
    assert drain(house) == [
        *("anime", "anime", "ultra_realistic", "ultra_realistic", "semi_realistic", "semi_realistic")
    ]


def held_by_another_worker(house: House, name: str) -> None:
    house.drop(name, request_bytes(style="ultra_realistic"))
    assert house.claims.win(name.removesuffix(".json"), 1)


def without_its_reference(house: House, name: str) -> None:
    house.drop(name, request_bytes(style="ultra_realistic", reference_image="nowhere.png"))


@pytest.mark.parametrize("keep_out", [held_by_another_worker, without_its_reference])
def test_runs_form_behind_a_hundred_requests_that_cannot_be_claimed(keep_out: Callable[[House, str], None]) -> None:
    house = build()
    for index in range(100):
        keep_out(house, f"00-{index:03}.json")
    put(house, *"arararar")
    assert drain(house) == ["anime"] * 4 + ["ultra_realistic"] * 4
    assert len(house.inbox.scan().requests) == 100


def test_what_a_dead_worker_held_is_claimed_once_its_lease_is_over() -> None:
    house = build()
    held_by_another_worker(house, "00-held.json")
    put(house, *"ar")
    assert drain(house) == ["anime", "ultra_realistic"]
    house.clock.advance(100)
    assert drain(house)[2:] == ["ultra_realistic"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (request_bytes(style="anime"), "anime"),
        (request_bytes(style="illustration"), "semi_realistic"),
        (request_bytes(style="auto"), None),
        (request_bytes(), None),
        (request_bytes(style="cubist"), None),
        (request_bytes(style=["anime"]), None),
        (b"[]", None),
        (b"{", None),
        (b"\xff\xfe", None),
        (b"[" * 5000, None),
        (json.dumps({"style": 7}).encode(), None),
        (b" " * 2_000_000, None),
    ],
    ids=[
        *("a style", "an alias", "auto", "none", "unknown", "a list", "no object", "half", "no text", "deep"),
        *("a number", "too large"),
    ],
)
def test_a_glance_never_fails(content: bytes, expected: str | None) -> None:
    house = build()
    house.drop("r.json", content)
    found = checkpoint_peek(house.inbox, STYLES)("r.json")
    assert found == (None if expected is None else weights_of(STYLES.find(expected)))
