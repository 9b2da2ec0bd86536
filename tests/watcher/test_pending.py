"""Waits spare the inbox looks that cannot tell anything new."""

from collections.abc import Collection

from tests.clock import FakeClock
from watcher.look import Later
from watcher.pending import Order, Waits


class Shelf:
    """Versions that a test sets, and how often they were asked for."""

    def __init__(self) -> None:
        self.versions: dict[str, str] = {}
        self.asked = 0

    def __call__(self, keys: Collection[str]) -> tuple[str | None, ...]:
        self.asked += len(keys)
        return tuple(self.versions.get(key) for key in keys)


def waits() -> tuple[Waits, Shelf, FakeClock]:
    shelf, clock = Shelf(), FakeClock()
    return Waits(shelf, clock), shelf, clock


def test_a_request_nobody_waits_for_is_worth_a_look() -> None:
    waiting, _, _ = waits()
    assert waiting.still("a.json") is None


def test_a_wait_says_why_and_how_long_it_goes_on() -> None:
    waiting, _, clock = waits()
    waiting.begin("a.json", Later(reason="no reference", seconds=30.0))
    clock.advance(10)
    still = waiting.still("a.json")
    assert still is not None
    assert (still.reason, still.seconds) == ("no reference", 20.0)


def test_a_wait_ends_when_its_time_has_come() -> None:
    waiting, _, clock = waits()
    waiting.begin("a.json", Later(reason="no reference", seconds=30.0))
    clock.advance(30)
    assert waiting.still("a.json") is None


def test_a_wait_ends_when_what_it_watches_changes() -> None:
    waiting, shelf, _ = waits()
    waiting.begin("a.json", Later(reason="no reference", seconds=30.0, watched=("cat.png",)))
    assert waiting.still("a.json") is not None
    shelf.versions["cat.png"] = "1"
    assert waiting.still("a.json") is None


def test_of_many_waits_each_is_peeked_at_once_a_second_at_most() -> None:
    waiting, shelf, clock = waits()
    names = [f"{number}.json" for number in range(1000)]
    for name in names:
        waiting.begin(name, Later(reason="no reference", seconds=600.0, watched=(name,)))
    shelf.asked = 0
    for _ in range(5):
        for name in names:
            assert waiting.still(name) is not None
    assert shelf.asked < 200
    clock.advance(1)
    for name in names:
        waiting.still(name)
    assert shelf.asked >= 1000


def test_the_pause_after_an_attempt_doubles_and_has_an_end() -> None:
    waiting, _, _ = waits()
    pauses = []
    for attempt in (1, 2, 3, 50):
        waiting.after_attempt("a.json", attempt)
        still = waiting.still("a.json")
        assert still is not None
        pauses.append(still.seconds)
    assert pauses == [2.0, 4.0, 8.0, 256.0]


def test_waits_of_requests_that_are_gone_are_forgotten() -> None:
    waiting, _, _ = waits()
    waiting.begin("a.json", Later(reason="no reference", seconds=30.0))
    waiting.begin("b.json", Later(reason="no reference", seconds=30.0))
    waiting.retain({"b.json"})
    assert waiting.still("a.json") is None
    assert waiting.still("b.json") is not None


def test_order_puts_what_was_seen_first_first() -> None:
    order = Order()
    assert order.of(["b", "c"]) == ["b", "c"]
    assert order.of(["a", "b", "c"]) == ["b", "c", "a"]
    assert order.of(["a", "c"]) == ["c", "a"]
    assert order.of(["a", "b", "c"]) == ["c", "a", "b"]
