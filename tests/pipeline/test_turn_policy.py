"""Few swaps, and nobody waits for longer than is promised, whoever else comes."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.costs import Costs
from pipeline.styles import load_styles, weights_of
from pipeline.turn_policy import TurnPolicy, Waiting

DRAWING = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One request that was drawn: when it came and began, and what stood before it of its own checkpoint."""

    checkpoint: str
    came: float
    began: float
    ahead: int
    reason: str


class Device:
    """Draws one request at a time under a clock of its own, as the policy chooses."""

    def __init__(self, quantum: int, swap: float, patience: float = 60.0) -> None:
        self.policy = TurnPolicy(lambda: quantum, patience)
        self.swaps = 0
        self._swap = swap
        self._loaded = ""

    def draw(self, arrivals: list[tuple[float, str]], failing: Mapping[int, bool] | None = None) -> list[Drawn]:
        """failing: which turns fail while their checkpoint is brought, and whether that leaves the device empty."""
        failing = failing or {}
        now, waiting, drawn = 0.0, list[tuple[Waiting, int]](), list[Drawn]()
        coming = sorted(arrivals)
        while coming or waiting:
            if not waiting:
                now = max(now, coming[0][0])
            while coming and coming[0][0] <= now:
                since, checkpoint = coming.pop(0)
                ahead = sum(other.checkpoint == checkpoint for other, _ in waiting)
                waiting.append((Waiting(checkpoint=checkpoint, since=since), ahead))
            choice = self.policy.choose([one for one, _ in waiting], now)
            self.policy.passed(choice)
            (entry,) = [entry for entry in waiting if entry[0] is choice.waiting]
            waiting.remove(entry)
            checkpoint, turn = str(choice.waiting.checkpoint), len(drawn)
            if checkpoint != self._loaded:
                self.swaps += 1
                now += self._swap
                self._loaded = ("" if failing[turn] else self._loaded) if turn in failing else checkpoint
            drawn.append(
                Drawn(checkpoint=checkpoint, came=choice.waiting.since, began=now, ahead=entry[1], reason=choice.reason)
            )
            now += DRAWING
        return drawn


def bound(one: Drawn, checkpoints: int, quantum: int, swap: float) -> float:
    """What TurnPolicy promises, for who is the k-th of its checkpoint; one drawing may be under way already."""
    k = one.ahead + 1
    visits = math.ceil(k / quantum)
    return visits * ((checkpoints - 1) * (2 * quantum * DRAWING + swap) + swap) + k * DRAWING


def letters(*names: str) -> list[tuple[float, str]]:
    return [(0.0, name) for name in names]


def told(drawn: list[Drawn]) -> str:
    return "".join(one.checkpoint for one in drawn)


def test_what_is_loaded_goes_on_for_a_quantum_and_as_long_again_while_nobody_is_overdue() -> None:
    assert told(Device(2, 1.0).draw(letters("a", "b", *"aaaaaaa"))) == "aaaabaaaa"
    assert told(Device(2, 1.0, patience=1.0).draw(letters("a", "b", *"aaaaaaa"))) == "aabaaaaaa"


def test_the_quantum_is_kept_although_everybody_is_overdue() -> None:
    drawn = Device(3, 1.0, patience=0.0).draw(letters(*"abc" * 6))
    assert told(drawn) == "aaabbbcccaaabbbccc"


def test_the_checkpoint_whose_last_turn_is_longest_ago_comes_next() -> None:
    assert told(Device(1, 1.0, patience=1e9).draw(letters(*"aaaaaabbbbbbc"))) == "aabbcaabbaabb"


def test_where_nobody_waits_for_what_is_loaded_a_swap_comes_at_once() -> None:
    assert [one.reason for one in Device(4, 1.0).draw(letters(*"abbc"))] == [
        "not_loaded",
        "not_loaded",
        "loaded",
        "alone",
    ]


def test_turns_that_nobody_else_waited_for_count_against_nobody() -> None:
    alone = [(float(index * 10), "a") for index in range(20)]
    assert told(Device(2, 1.0).draw([*alone, (195.0, "b"), (195.5, "a")])) == "a" * 21 + "b"


@given(
    arrivals=st.lists(st.tuples(st.floats(0, 600), st.sampled_from("abcd")), min_size=1, max_size=120),
    quantum=st.integers(1, 9),
    swap=st.sampled_from([0.4, 2.0, 8.0, 45.0]),
    patience=st.sampled_from([0.0, 30.0, 1e9]),
)
def test_nobody_waits_for_longer_than_is_promised(
    arrivals: list[tuple[float, str]], quantum: int, swap: float, patience: float
) -> None:
    checkpoints = len({checkpoint for _, checkpoint in arrivals})
    for one in Device(quantum, swap, patience).draw(arrivals):
        assert one.began - one.came <= bound(one, checkpoints, quantum, swap) + DRAWING + 1e-6


@given(
    names=st.text("abcd", min_size=1, max_size=60),
    failing=st.dictionaries(st.integers(0, 59), st.booleans()),
    quantum=st.integers(1, 4),
)
def test_a_turn_that_fails_changes_no_order_and_costs_at_most_one_swap_more(
    names: str, failing: dict[int, bool], quantum: int
) -> None:
    well, badly = Device(quantum, 1.0, patience=1e9), Device(quantum, 1.0, patience=1e9)
    assert told(badly.draw(letters(*names), failing)) == told(well.draw(letters(*names)))
    assert badly.swaps <= well.swaps + len([turn for turn in failing if turn < len(names)])


def flood(period: float) -> Iterator[tuple[float, str]]:
    """Two checkpoints whose requests never end, and one request of a third."""
    for index in range(400):
        yield index * period, "a"
        yield index * period + 0.001, "b"
    yield 50.0, "c"


def stingy(period: float) -> Iterator[tuple[float, str]]:
    """Somebody sends another request for what is loaded whenever a run would end."""
    yield 0.0, "a"
    yield 1.0, "c"
    for index in range(300):
        yield 2.0 + index * period, "ab"[index // 7 % 2]


@pytest.mark.parametrize("arrivals", [flood, stingy])
@pytest.mark.parametrize("period", [0.5, 3.0, 6.0])
def test_an_adversary_keeps_a_single_request_from_its_turn_no_longer_than_is_promised(
    arrivals: Callable[[float], Iterator[tuple[float, str]]], period: float
) -> None:
    for quantum, swap in ((2, 0.4), (7, 2.0), (27, 8.0)):
        drawn = Device(quantum, swap).draw(list(arrivals(period)))
        (lone,) = [one for one in drawn if one.checkpoint == "c"]
        assert lone.began - lone.came <= bound(lone, 3, quantum, swap) + DRAWING


def test_swaps_stay_within_a_twentieth_of_the_drawing_where_everybody_waits() -> None:
    swap = 8.0
    device = Device(math.ceil(swap / (0.05 * DRAWING)), swap)
    drawn = device.draw(letters(*"abc" * 200))
    assert device.swaps * swap <= 0.05 * len(drawn) * DRAWING + 3 * swap


def test_a_look_ahead_changes_nothing() -> None:
    policy = TurnPolicy(lambda: 1)
    waiting = [Waiting(checkpoint=name, since=0.0) for name in "aabb"]
    policy.passed(policy.choose(waiting, 0.0))
    before = policy.choose(waiting, 0.0)
    ahead = policy.fork()
    for _ in range(4):
        ahead.passed(ahead.choose(waiting, 0.0))
    assert policy.choose(waiting, 0.0) == before


def test_who_takes_any_checkpoint_swaps_nothing() -> None:
    policy = TurnPolicy(lambda: 4)
    policy.passed(policy.choose([Waiting(checkpoint="a", since=0.0)], 0.0))
    waiting = [Waiting(checkpoint=name, since=0.0) for name in ("b", None, "a")]
    choice = policy.choose(waiting, 0.0)
    assert (choice.waiting is waiting[1], choice.reason) == (True, "loaded")
    policy.passed(choice)
    assert policy.choose(waiting[2:], 0.0).reason == "alone"


def test_before_anything_is_measured_a_run_is_of_a_size_that_fits_most() -> None:
    costs = Costs()
    assert costs.quantum() == 8
    costs.swapped(1.0)
    assert costs.quantum() == 8


@pytest.mark.parametrize(
    ("swap", "drawing", "quantum"), [(0.4, 6.0, 2), (2.0, 6.0, 7), (45.0, 6.0, 150), (45.0, 0.01, 512), (1.0, 0.0, 512)]
)
def test_the_quantum_follows_what_was_measured(swap: float, drawing: float, quantum: int) -> None:
    costs = Costs()
    costs.begin_turn()
    costs.swapped(swap)
    costs.end_turn(swap + drawing)
    assert costs.quantum() == quantum


def test_one_slow_swap_and_one_large_picture_move_nothing() -> None:
    costs = Costs()
    for swap in (2.0, 2.0, 45.0):
        costs.begin_turn()
        costs.swapped(swap)
        costs.end_turn(swap + (6.0 if swap == 2.0 else 60.0))
    assert costs.quantum() == 7


def test_two_styles_on_one_checkpoint_need_no_swap_between_them() -> None:
    styles = load_styles(
        {
            "wordy": {"based_on": "anime", "positive": "a drawing of {prompt}"},
            "mine": {"checkpoint": "/x", "based_on": "anime"},
        }
    )
    anime, wordy, mine, real = (weights_of(styles.find(name)) for name in ("anime", "wordy", "mine", "realistic"))
    assert anime == wordy
    assert len({anime, mine, real}) == 3
