import logging
import signal

import pytest

from tests.clock import FakeClock
from watcher.fleet.post import Bounds
from watcher.fleet.pulse import Beat
from watcher.fleet.supervisor import Supervisor

HEARTBEAT, STALL = 60.0, 300.0
BUSY = Beat(in_hand=("cake",), silence=1.0)


class Healthy:
    """Gives a beat whenever it is asked, and ends when it is asked to."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.code: int | None = None
        self.signals: list[str] = []

    def heard(self) -> Beat | None:
        return BUSY

    def ended(self) -> int | None:
        return self.code

    def stop(self) -> None:
        self.signals.append("stop")
        self.code = 0

    def kill(self) -> None:
        self.signals.append("kill")
        self.code = -signal.SIGKILL


class Frozen(Healthy):
    """Never says anything, and does not end when it is asked to."""

    def heard(self) -> Beat | None:
        return None

    def stop(self) -> None:
        self.signals.append("stop")


class Stuck(Healthy):
    """Beats, but what it draws gets no further."""

    def heard(self) -> Beat | None:
        return Beat(in_hand=("cake", "bun"), silence=STALL + 1)


class Drawing(Healthy):
    """Is in the middle of a long drawing, and ends only when a test lets it."""

    def stop(self) -> None:
        self.signals.append("stop")


class Unkillable(Frozen):
    """Hangs in the kernel."""

    def kill(self) -> None:
        self.signals.append("kill")


class EndsAtOnce(Healthy):
    """Ends before anything was heard of it."""

    def __init__(self, pid: int, code: int = 1) -> None:
        super().__init__(pid)
        self.code = code


class Workplace:
    """Starts the processes a test wants, one after the other; the last kind for good."""

    def __init__(self, *kinds: type[Healthy], count: int = 1) -> None:
        self.clock = FakeClock()
        self.kinds = list(kinds)
        self.started: list[Healthy] = []
        self.starts: list[float] = []
        self.numbers: list[int] = []
        self.supervisor = Supervisor(self.start, self.clock, Bounds(heartbeat=HEARTBEAT, stall=STALL), count)

    def start(self, number: int) -> Healthy:
        self.numbers.append(number)
        self.starts.append(self.clock.monotonic())
        kind = self.kinds.pop(0) if len(self.kinds) > 1 else self.kinds[0]
        self.started.append(kind(100 + len(self.started)))
        return self.started[-1]

    def pass_time(self, seconds: float) -> int | None:
        """Tick every half second; the exit code if it comes to one."""
        for _ in range(int(seconds * 2)):
            code = self.supervisor.tick()
            if code is not None:
                return code
            self.clock.advance(0.5)
        return None


def test_every_worker_is_started_once_and_then_left_alone() -> None:
    place = Workplace(Healthy, count=3)
    assert place.pass_time(3600) is None
    assert place.numbers == [0, 1, 2]
    assert [process.signals for process in place.started] == [[], [], []]


def test_a_worker_that_ends_is_started_again_after_a_second() -> None:
    place = Workplace(Healthy)
    place.pass_time(100)
    place.started[0].code = -signal.SIGSEGV
    ended = place.clock.monotonic()
    place.pass_time(10)
    assert place.starts[1:] == [ended + 1]
    (vitals,) = place.supervisor.workers()
    assert (vitals.state, vitals.pid, vitals.restarts, vitals.in_hand) == ("running", 101, 1, 1)


def test_the_pauses_between_restarts_double_up_to_a_minute() -> None:
    place = Workplace(Healthy)
    for _ in range(9):
        count = len(place.started)
        while len(place.started) == count:
            place.pass_time(0.5)
        # lives longer than an instant, 20 s in all, but proves nothing
        place.pass_time(19.5)
        place.started[-1].code = 1
    pauses = [later - earlier - 20 for earlier, later in zip(place.starts[:-1], place.starts[1:], strict=True)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_worker_that_lived_a_minute_begins_with_a_short_pause_again() -> None:
    place = Workplace(EndsAtOnce, EndsAtOnce, EndsAtOnce, Healthy)
    place.pass_time(7.5)
    place.pass_time(61)
    place.started[3].code = 1
    ended = place.clock.monotonic()
    place.pass_time(5)
    assert place.starts == [1000, 1001.5, 1004, 1008.5, ended + 1]


def test_five_instant_failures_in_a_row_end_the_service(caplog: pytest.LogCaptureFixture) -> None:
    place = Workplace(EndsAtOnce)
    assert place.pass_time(600) == 1
    assert len(place.started) == 5
    assert "exit code 1, for the 5th time in a row" in caplog.text


def test_instant_failures_that_are_not_in_a_row_do_not() -> None:
    place = Workplace(*[EndsAtOnce] * 4, Healthy, *[EndsAtOnce] * 4, Healthy)
    place.pass_time(60)
    place.started[4].code = 1
    assert place.pass_time(600) is None
    assert len(place.started) == 10


def test_when_one_worker_cannot_live_the_others_may_finish() -> None:
    place = Workplace(Drawing, EndsAtOnce, count=2)
    assert place.pass_time(600) is None
    assert place.started[0].signals == ["stop"]
    place.started[0].code = 0
    assert place.pass_time(1) == 1


def test_a_worker_that_was_started_wrongly_is_not_started_again() -> None:
    class Misused(EndsAtOnce):
        def __init__(self, pid: int) -> None:
            super().__init__(pid, code=2)

    place = Workplace(Misused)
    assert place.pass_time(600) == 2
    assert len(place.started) == 1


def test_a_system_that_starts_no_process_is_asked_again_and_then_given_up() -> None:
    place = Workplace(Healthy)
    asked = []

    def refuse(number: int) -> Healthy:
        asked.append(number)
        raise OSError(11, "Resource temporarily unavailable")

    supervisor = Supervisor(refuse, place.clock, Bounds(heartbeat=HEARTBEAT, stall=STALL), 1)
    for _ in range(100):
        place.clock.advance(1)
        if (code := supervisor.tick()) is not None:
            break
    assert (code, len(asked)) == (1, 5)


def test_a_worker_that_is_not_heard_is_killed_and_started_again(caplog: pytest.LogCaptureFixture) -> None:
    place = Workplace(Frozen, Healthy)
    place.pass_time(HEARTBEAT)
    assert place.started[0].signals == []
    place.pass_time(5)
    assert place.started[0].signals == ["kill"]
    assert "no sign of life for 60 s" in caplog.text
    assert [record.__dict__["action"] for record in caplog.records][:1] == ["worker_killed"]
    assert len(place.started) == 2


def test_a_worker_whose_drawing_stands_still_is_killed_with_its_requests_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    place = Workplace(Stuck, Healthy)
    place.pass_time(5)
    assert place.started[0].signals == ["kill"]
    assert "no progress for 301 s with cake, bun in hand" in caplog.text


def test_workers_that_have_to_be_killed_are_no_instant_failures() -> None:
    place = Workplace(Stuck)
    assert place.pass_time(600) is None
    assert len(place.started) > 5


def test_a_worker_that_cannot_be_killed_is_killed_once_and_shown() -> None:
    place = Workplace(Unkillable)
    place.pass_time(600)
    assert place.started[0].signals == ["kill"]
    (vitals,) = place.supervisor.workers()
    assert (vitals.state, vitals.heard) == ("killed", 600)


def test_a_supervisor_that_stood_still_hears_before_it_judges() -> None:
    place = Workplace(Healthy)
    place.pass_time(5)
    place.clock.advance(3600)
    place.pass_time(5)
    assert place.started[0].signals == []


def test_a_stop_is_passed_on_once_and_waited_for() -> None:
    place = Workplace(Drawing, count=2)
    place.pass_time(5)
    place.supervisor.stop()
    place.supervisor.stop()
    assert place.pass_time(3600) is None
    assert [process.signals for process in place.started] == [["stop"], ["stop"]]
    for process in place.started:
        process.code = 0
    assert place.pass_time(1) == 0
    assert len(place.started) == 2


def test_a_worker_that_waits_for_its_restart_is_not_started_after_a_stop() -> None:
    place = Workplace(Drawing, EndsAtOnce, count=2)
    place.pass_time(1)
    place.supervisor.stop()
    assert place.pass_time(100) is None
    assert len(place.started) == 2
    place.started[0].code = 0
    assert place.pass_time(1) == 0


def test_a_stop_that_comes_before_a_worker_listens_is_graceful_too() -> None:
    place = Workplace(Drawing)
    place.pass_time(1)
    place.supervisor.stop()
    place.started[0].code = -signal.SIGTERM
    assert place.pass_time(1) == 0


def test_a_worker_that_fails_while_it_stops_is_told_by_the_exit_code() -> None:
    place = Workplace(Drawing)
    place.pass_time(1)
    place.supervisor.stop()
    place.started[0].code = -signal.SIGSEGV
    assert place.pass_time(1) == 1


def test_a_worker_that_hangs_while_it_stops_is_killed() -> None:
    place = Workplace(Frozen)
    place.pass_time(1)
    place.supervisor.stop()
    assert place.pass_time(HEARTBEAT + 5) == 1
    assert place.started[0].signals == ["stop", "kill"]


def test_killing_does_not_wait() -> None:
    place = Workplace(Drawing, count=2)
    place.pass_time(1)
    place.supervisor.stop()
    place.supervisor.kill()
    assert place.pass_time(1) == 1
    assert [process.signals for process in place.started] == [["stop", "kill"]] * 2


def test_what_a_worker_complains_of_is_the_service_problem() -> None:
    class Full(Healthy):
        def heard(self) -> Beat | None:
            return Beat(problem="the disk is low")

    place = Workplace(Healthy, Full, count=2)
    assert place.supervisor.problem() is None
    place.pass_time(1)
    assert place.supervisor.problem() == "the disk is low"


def test_before_the_first_beat_a_worker_is_starting_and_between_two_it_waits() -> None:
    place = Workplace(Frozen)
    place.pass_time(0.5)
    assert place.supervisor.workers()[0].state == "starting"
    place.started[0].code = 1
    place.pass_time(0.5)
    assert (place.supervisor.workers()[0].state, place.supervisor.workers()[0].pid) == ("waiting", None)


@pytest.fixture(autouse=True)
def heard_log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("imagegen"), "propagate", True)
    caplog.set_level(logging.WARNING, "imagegen")
