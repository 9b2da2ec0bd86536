import threading
from dataclasses import replace
from typing import Any

import pytest

from pipeline.drawing import Drawing
from pipeline.progress import Progress
from store.digest import Digest
from store.errors import SettingsInvalid, StoreUnavailable
from store.manifest import ResultManifest
from store.memory import MemoryBucket
from tests.clock import FakeBell
from tests.watcher.house import Pen, build, picture, request_bytes
from watcher.alarm import Alarm
from watcher.names import request_id
from watcher.rounds import Pace, Rounds
from watcher.window import Window
from watcher.worker import Worker


def test_a_drain_settles_everything_that_is_there_at_the_start() -> None:
    house = build(window=4)
    names = [f"r{number:02}.json" for number in range(20)]
    for name in names:
        house.drop(name)
    drained = house.rounds.drain()
    assert sorted(drained.names) == names
    assert drained.pending == ()
    assert all(house.result(request_id(name)).status == "succeeded" for name in names)


def test_a_drain_names_what_stays_and_why() -> None:
    house = build()
    house.drop("half.json", b'{"prompt": ')
    house.drop("waits.json", request_bytes(reference_image="missing.png"))
    house.drop("whole.json")
    reasons = {pending.name: pending.reason for pending in house.rounds.drain().pending}
    assert set(reasons) == {"half.json", "waits.json"}
    assert "line 1" in reasons["half.json"]
    assert "missing.png" in reasons["waits.json"]


def test_a_drain_takes_the_second_look_a_fresh_reference_needs() -> None:
    house = build()
    house.incoming.put("cup.png", picture())
    house.drop("a.json", request_bytes(reference_image="cup.png"))
    assert house.rounds.drain().pending == ()
    assert house.result("a").branch == "image2image"


class NeverSteady(MemoryBucket):
    """Every look finds the reference changed."""

    def head(self, key: str) -> Any:
        if key == "cup.png":
            self.touch(key)
        return super().head(key)


def test_a_drain_does_not_wait_for_ever_for_a_file_that_keeps_changing() -> None:
    house = build(incoming=NeverSteady())
    house.incoming.put("cup.png", picture())
    house.drop("a.json", request_bytes(reference_image="cup.png"))
    assert [pending.name for pending in house.rounds.drain().pending] == ["a.json"]


def test_requests_are_drawn_in_the_order_they_were_first_seen() -> None:
    pen = Pen()
    house = build(draw=pen)
    house.drop("b.json", request_bytes(seed=1, reference_image="late.png"))
    house.rounds.drain()
    house.drop("a.json", request_bytes(seed=2))
    house.incoming.put("late.png", picture())
    house.clock.advance(2)
    house.inbox.look("b.json")
    house.clock.advance(2)
    house.rounds.drain()
    assert [request.seed for request in pen.drawn] == [1, 2]


def test_existing_results_are_acknowledged_and_not_drawn_again() -> None:
    pen = Pen()
    house = build(draw=pen)
    house.drop("a.json")
    house.rounds.drain()
    house.drop("a.json")
    drained = house.rounds.drain()
    assert drained.names == ("a.json",)
    assert len(pen.drawn) == 1
    assert house.inbox.scan().requests == ()


class FailsOnce:
    """The first attempt meets a passing error, the second one works."""

    def __init__(self) -> None:
        self.attempts = 0

    def __call__(self, request: Any, reference: Any, *, seed: int, progress: Progress) -> Drawing:
        self.attempts += 1
        if self.attempts == 1:
            raise StoreUnavailable("the disk is away")
        return Pen()(request, reference, seed=seed, progress=progress)


def test_a_failed_attempt_is_tried_again_only_after_a_pause() -> None:
    draw = FailsOnce()
    house = build(draw=draw)
    house.drop("a.json")
    pending = house.rounds.drain().pending
    assert [item.seconds for item in pending] == [pytest.approx(2.0, abs=0.02)]
    assert draw.attempts == 1
    house.clock.advance(3)
    assert house.rounds.drain().pending == ()
    assert house.result("a").attempt == 2


class InboxUnmounted(MemoryBucket):
    """The folder is away for the first two scans."""

    def __init__(self) -> None:
        super().__init__()
        self.scans = 0

    def list(self, prefix: str = "", *, recursive: bool = False) -> list[str]:
        if prefix == "":
            self.scans += 1
            if self.scans <= 2:
                raise StoreUnavailable("the folder is not there")
        return super().list(prefix, recursive=recursive)


def test_a_drain_of_an_inbox_that_is_away_is_an_error_and_not_done() -> None:
    house = build(incoming=InboxUnmounted())
    with pytest.raises(StoreUnavailable):
        house.rounds.drain()


class WindowWatcher:
    """Counts how many drawings are under way at once, and holds each until the window is full."""

    def __init__(self, window: int) -> None:
        self.full = threading.Barrier(window, timeout=10)
        self.lock = threading.Lock()
        self.now = 0
        self.most = 0

    def __call__(self, request: Any, reference: Any, *, seed: int, progress: Progress) -> Drawing:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.full.wait()
        with self.lock:
            self.now -= 1
        return Pen()(request, reference, seed=seed, progress=progress)


def test_as_many_requests_are_in_flight_as_the_window_has_slots() -> None:
    draw = WindowWatcher(3)
    house = build(draw=draw, window=3)
    for number in range(9):
        house.drop(f"{number}.json")
    assert house.rounds.drain().pending == ()
    assert draw.most == 3


class StopsAfterFirst:
    """Somebody presses Ctrl-C while the first request is drawn."""

    def __init__(self) -> None:
        self.stop: Any = None

    def __call__(self, request: Any, reference: Any, *, seed: int, progress: Progress) -> Drawing:
        self.stop()
        return Pen()(request, reference, seed=seed, progress=progress)


def test_after_a_stop_what_is_being_drawn_finishes_and_nothing_new_starts() -> None:
    draw = StopsAfterFirst()
    house = build(draw=draw)
    draw.stop = house.rounds.stop
    for name in ("a.json", "b.json", "c.json"):
        house.drop(name)
    house.rounds.serve()
    assert house.outbox.has_result("a")
    assert house.inbox.scan().requests == (
        "b.json",
        "c.json",
    )
    assert house.claims.attempts("b").newest == 0


def test_nothing_is_claimed_before_the_studio_is_ready() -> None:
    house = build()
    house.drop("a.json")

    def misconfigured() -> None:
        raise SettingsInvalid("no such node")

    lane = replace(house.lane, prepare=misconfigured)
    window = Window(1, house.bell.ring)
    rounds = Rounds(lane, window, house.bell, house.clock, obstacle=lambda: None, pace=Pace())
    for start in (rounds.drain, rounds.serve):
        with pytest.raises(SettingsInvalid):
            start()
    assert house.claims.attempts("a").newest == 0


def test_other_bytes_under_a_decided_id_are_a_recorded_conflict_and_kept() -> None:
    house = build()
    house.drop("a.json")
    house.rounds.drain()
    decided = house.result("a")
    other = request_bytes(seed=99)
    house.drop("a.json", other)
    house.rounds.drain()
    assert house.result("a") == decided
    conflict = f"results/conflicts/a.{Digest.of(other)[:8]}.json"
    record = ResultManifest.model_validate_json(house.outgoing.get(conflict, 100_000))
    assert record.error is not None
    assert (record.status, record.error.code, record.request_sha256) == ("rejected", "id_conflict", Digest.of(other))
    assert house.kept("quarantine") == ["a.json"]
    assert house.inbox.scan().requests == ()


def test_an_inbox_that_is_away_is_survived_while_serving() -> None:
    draw = StopsAfterFirst()
    house = build(draw=draw, incoming=InboxUnmounted())
    draw.stop = house.rounds.stop
    house.drop("a.json")
    house.rounds.serve()
    assert house.result("a").status == "succeeded"


def test_a_stopped_drain_names_what_it_left() -> None:
    draw = StopsAfterFirst()
    house = build(draw=draw)
    draw.stop = house.rounds.stop
    for name in ("a.json", "b.json", "c.json"):
        house.drop(name)
    assert [pending.name for pending in house.rounds.drain().pending] == ["b.json", "c.json"]


@pytest.mark.parametrize("broken", ["results/a.json", ".imagegen/seen/a.json"])
def test_a_broken_file_of_one_request_does_not_stop_the_others(broken: str) -> None:
    house = build()
    (house.outgoing if broken.startswith("results") else house.incoming).put(broken, b"")
    house.drop("a.json", request_bytes(reference_image="missing.png"))
    house.drop("b.json")
    assert [pending.name for pending in house.rounds.drain().pending] == ["a.json"]
    assert house.result("b").status == "succeeded"


class ReferenceComesMeanwhile:
    """While the first request is drawn, the reference arrives that an older one waits for."""

    def __init__(self) -> None:
        self.seeds: list[int | None] = []
        self.arrive: Any = None

    def __call__(self, request: Any, reference: Any, *, seed: int, progress: Progress) -> Drawing:
        self.seeds.append(request.seed)
        self.arrive()
        return Pen()(request, reference, seed=seed, progress=progress)


def test_an_older_request_whose_reference_came_is_drawn_before_younger_ones() -> None:
    draw, data = ReferenceComesMeanwhile(), picture()
    house = build(draw=draw)
    draw.arrive = lambda: house.incoming.put("late.png", data)
    house.drop("a.json", request_bytes(seed=0, reference_image={"name": "late.png", "sha256": Digest.of(data)}))
    for number in range(1, 6):
        house.drop(f"b{number}.json", request_bytes(seed=number))
    assert house.rounds.drain().pending == ()
    assert draw.seeds.index(0) <= 2


class StoreFailsAfterTheClaim(MemoryBucket):
    """The first read of the request after its claim was won meets a disk error."""

    def __init__(self) -> None:
        super().__init__()
        self.failed = False

    def get(self, key: str, limit: int) -> bytes:
        if key == "a.json" and self.head(".imagegen/claims/a.1") is not None and not self.failed:
            self.failed = True
            raise StoreUnavailable("the disk is away")
        return super().get(key, limit)


def test_a_disk_error_just_after_the_claim_costs_no_attempt() -> None:
    house = build(incoming=StoreFailsAfterTheClaim())
    house.drop("a.json")
    house.rounds.drain()
    assert house.claims.attempts("a").counted == 0
    house.clock.advance(10)
    house.rounds.drain()
    assert house.result("a").status == "succeeded"


def test_a_rejected_request_dropped_again_goes_to_quarantine_again() -> None:
    house = build()
    for _ in range(2):
        house.drop("a.json", b"[]")
        house.rounds.drain()
    assert house.kept("quarantine") == ["a.json", "a.json"]
    assert house.kept("archive") == []


DEAD = Worker.this_process().model_copy(update={"name": "dead", "started": 0.0})


class Company:
    """Draws, and notes which other requests were in hand while each was drawn."""

    def __init__(self) -> None:
        self.house: Any = None
        self.beside: dict[str, set[str]] = {}
        self.another_began = threading.Event()

    def __call__(self, request: Any, reference: Any, *, seed: int, progress: Progress) -> Drawing:
        name = str(request.metadata["name"])
        if self.beside:
            self.another_began.set()
        self.beside[name] = set()
        # whoever would be started beside the first one gets the time to show up
        self.another_began.wait(0.3)
        self.beside[name] = set(self.house.activity.ids()) - {name}
        return Pen()(request, reference, seed=seed, progress=progress)


def test_a_request_whose_worker_died_is_drawn_alone_and_costs_its_neighbours_nothing() -> None:
    draw = Company()
    house = build(draw=draw, window=3)
    draw.house = house
    for name in ("a", "b", "c"):
        house.drop(f"{name}.json", request_bytes(metadata={"name": name}))
    dead = build(incoming=house.incoming, outgoing=house.outgoing, worker=DEAD, clock=house.clock)
    assert dead.claims.win("a", 1)
    assert house.rounds.drain().pending == ()
    assert draw.beside["a"] == set()
    assert [house.result(name).attempt for name in ("a", "b", "c")] == [2, 1, 1]


def test_a_request_that_must_be_alone_waits_for_an_empty_window_and_nobody_overtakes_it() -> None:
    draw = Company()
    house = build(draw=draw, window=3)
    draw.house = house
    for name in ("a", "b", "c"):
        house.drop(f"{name}.json", request_bytes(metadata={"name": name}))
    dead = build(incoming=house.incoming, outgoing=house.outgoing, worker=DEAD, clock=house.clock)
    assert dead.claims.win("b", 1)
    house.rounds.drain()
    assert list(draw.beside) == ["a", "b", "c"]
    assert draw.beside == {"a": set(), "b": set(), "c": set()}


def test_poison_uses_up_its_attempts_and_ends_in_quarantine() -> None:
    house = build(max_attempts=3)
    dead = build(incoming=house.incoming, outgoing=house.outgoing, worker=DEAD, clock=house.clock)
    house.drop("poison.json")
    for attempt in (1, 2, 3):
        assert dead.claims.win("poison", attempt)
    house.rounds.drain()
    result = house.result("poison")
    assert (result.status, result.attempt) == ("failed", 4)
    assert result.error is not None
    assert result.error.code == "attempts_exhausted"
    assert house.kept("quarantine") == ["poison.json"]


def test_claims_that_a_killed_worker_left_behind_are_swept() -> None:
    house = build()
    house.drop("a.json")
    house.rounds.drain()
    dead = build(incoming=house.incoming, outgoing=house.outgoing, worker=DEAD, clock=house.clock)
    assert dead.claims.win("a", 1)
    house.clock.advance(600)
    house.rounds.drain()
    assert house.incoming.list(".imagegen/claims/") == []


def test_nothing_is_remembered_of_requests_that_are_done() -> None:
    house = build()
    for number in range(50):
        house.drop(f"{number}.json")
    house.rounds.drain()
    house.clock.advance(600)
    house.rounds.drain()
    kept = [house.inbox._arrivals._seen, house.claims._steadiness._seen, house.rounds._door._waits._waits]
    assert kept == [{}, {}, {}]


def test_a_drain_tells_a_conflict_from_the_result_that_stays() -> None:
    house = build()
    house.drop("a.json")
    house.rounds.drain()
    house.drop("a.json", request_bytes(prompt="other"))
    drained = house.rounds.drain()
    assert [record.error and record.error.code for record in drained.conflicts] == ["id_conflict"]
    assert house.rounds.drain().conflicts == ()


class ComesBetween(MemoryBucket):
    """A reference comes after the look that missed it, and before anybody notes what is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.is_late = True

    def head(self, key: str) -> Any:
        found = super().head(key)
        if key == "cup.png" and found is None and self.is_late:
            self.is_late = False
            self.put("cup.png", picture())
        return found


def test_a_reference_that_comes_while_its_request_is_looked_at_is_not_missed() -> None:
    house = build(incoming=ComesBetween())
    house.drop("a.json", request_bytes(reference_image={"name": "cup.png", "sha256": Digest.of(picture())}))
    assert house.rounds.drain().pending == ()
    assert house.result("a").branch == "image2image"


class CountsLists(MemoryBucket):
    """A store that is paid by the list."""

    def __init__(self) -> None:
        super().__init__()
        self.lists = 0

    def list(self, prefix: str = "", **how: Any) -> list[str]:
        self.lists += 1
        return super().list(prefix, **how)


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_an_idle_worker_lists_a_bucket_less_than_once_a_minute(fraction: float) -> None:
    incoming, outgoing = CountsLists(), CountsLists()
    house = build(incoming=incoming, outgoing=outgoing)
    alarm, lasting = Alarm(jitter=lambda: fraction), 3600.0
    end = house.clock.seconds + lasting

    class Idle(FakeBell):
        def wait(self, seconds: float) -> None:
            super().wait(alarm.lengthened(seconds))
            if house.clock.seconds >= end:
                rounds.stop()

    bell = Idle(house.clock)
    rounds = Rounds(
        house.lane,
        Window(1, bell.ring),
        bell,
        house.clock,
        obstacle=lambda: None,
        pace=Pace(scan_seconds=60),
    )
    rounds.serve()
    assert 0 < incoming.lists + outgoing.lists <= lasting / 60
