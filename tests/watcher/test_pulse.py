import json
import os
import threading
from collections.abc import Iterator

import pytest

from tests.clock import FakeClock
from watcher.activity import Activity
from watcher.fleet.pulse import Beat, Lifeline, Pulse

PIPE_BUF = 4096


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(writing)


def test_a_beat_comes_at_once_and_ends_with_the_pulse() -> None:
    beats, came = [], threading.Event()

    def send(beat: Beat) -> None:
        beats.append(beat)
        came.set()

    pulse = Pulse(lambda: Beat(in_hand=("cake",)), send, seconds=3600)
    pulse.start()
    assert came.wait(10)
    pulse.stop()
    assert beats == [Beat(in_hand=("cake",))]


def test_a_beat_that_fails_does_not_end_the_pulse() -> None:
    tries, came = [], threading.Event()

    def send(beat: Beat) -> None:
        tries.append(beat)
        if len(tries) == 1:
            raise ValueError
        came.set()

    pulse = Pulse(Beat, send, seconds=0.001)
    pulse.start()
    assert came.wait(10)
    pulse.stop()


def test_a_beat_says_what_the_worker_has_in_hand() -> None:
    clock = FakeClock()
    activity = Activity(clock)
    activity.progress("cake")
    clock.advance(7)
    line = Beat(in_hand=activity.ids(), silence=activity.longest_silence()).line()
    assert json.loads(line) == {"in_hand": ["cake"], "silence": 7.0, "problem": None}


def test_the_longest_beat_stays_in_one_piece_in_a_pipe() -> None:
    beat = Beat(in_hand=tuple(f"{number:0>128}" for number in range(64)), silence=10.0**9, problem="디" * 10_000)
    assert len(beat.line()) <= PIPE_BUF


def test_the_supervisor_is_told(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    Lifeline(writing, on_loss=pytest.fail).send(Beat(silence=2.5))
    assert Beat.model_validate_json(os.read(reading, 1000)) == Beat(silence=2.5)
    os.close(reading)


def test_a_supervisor_that_reads_nothing_does_not_stop_the_worker(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    lifeline = Lifeline(writing, on_loss=pytest.fail)
    for _ in range(5000):
        lifeline.send(Beat(in_hand=("cake",)))
    os.close(reading)


def test_a_supervisor_that_is_gone_is_noticed_once(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    losses: list[None] = []
    lifeline = Lifeline(writing, on_loss=lambda: losses.append(None))
    os.close(reading)
    lifeline.send(Beat())
    lifeline.send(Beat())
    assert losses == [None]


def test_a_process_started_by_the_worker_does_not_hold_the_pipe(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.set_inheritable(writing, True)
    Lifeline(writing, on_loss=pytest.fail)
    assert not os.get_inheritable(writing)
    os.close(reading)
