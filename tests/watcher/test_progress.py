"""What ends a drawing: a lost claim, a limit of time, a cancel; and what waiting for a turn does not count."""

import threading
from typing import Any

import pytest

from store.bucket import Head
from store.errors import Cancelled, ClaimLost, RequestTimeout, StoreUnavailable
from store.memory import MemoryBucket
from store.outbox import Outbox
from tests.clock import FakeClock
from watcher.activity import Activity
from watcher.claim import Claim
from watcher.lease import Lease, Leases
from watcher.onlooker import Onlooker
from watcher.progress import LiveProgress, Oversight

CLAIM = Claim(name="a.json", id="a", attempt=1, queued=0.0)


class RefusesEverything(MemoryBucket):
    """A store that is away, or would keep whoever asks it waiting."""

    def put(self, key: str, data: bytes, *, durable: bool = True) -> None:
        raise StoreUnavailable

    def head(self, key: str) -> Head | None:
        raise StoreUnavailable

    def delete(self, key: str) -> None:
        raise StoreUnavailable


class ClearedWhileShown(MemoryBucket):
    """Somebody is done with the request just while its progress is written."""

    def __init__(self) -> None:
        super().__init__()
        self.progress: Any = None
        self.clearing: threading.Thread | None = None

    def put(self, key: str, data: bytes, *, durable: bool = True) -> None:
        if self.clearing is None:
            self.clearing = threading.Thread(target=self.progress.clear)
            self.clearing.start()
        super().put(key, data, durable=durable)


class Falters:
    """A request that cannot be looked at the first time; tells when it was looked at again."""

    def __init__(self) -> None:
        self.looks = 0
        self.again = threading.Event()

    def look(self) -> None:
        self.looks += 1
        if self.looks == 1:
            raise ZeroDivisionError
        self.again.set()


class Watched:
    def __init__(self, max_seconds: float = 100.0, bucket: MemoryBucket | None = None) -> None:
        self.clock = FakeClock()
        self.activity = Activity(self.clock)
        self.outbox = Outbox(bucket or MemoryBucket())
        self.cancelled = False
        self.onlooker = Onlooker(0.001)
        oversight = Oversight(
            outbox=self.outbox,
            clock=self.clock,
            worker="w",
            activity=self.activity,
            is_cancelled=lambda claim: self.cancelled,
            max_seconds=max_seconds,
            onlooker=self.onlooker,
        )
        self.progress = LiveProgress(CLAIM, oversight)


def test_a_drawing_ends_when_it_takes_longer_than_allowed() -> None:
    watched = Watched(max_seconds=100)
    watched.progress.await_turn("text2image")
    watched.progress.begin("text2image")
    watched.clock.advance(100)
    watched.progress.step("text2image", 1, 30)
    watched.clock.advance(1)
    with pytest.raises(RequestTimeout, match="max_request_seconds, 100 s"):
        watched.progress.step("text2image", 2, 30)


def test_waiting_for_a_turn_does_not_count() -> None:
    watched = Watched(max_seconds=100)
    watched.progress.begin("prompting")
    watched.progress.await_turn("controlnet")
    watched.clock.advance(10_000)
    watched.progress.begin("controlnet")
    watched.clock.advance(60)
    watched.progress.await_turn("image2image")
    watched.clock.advance(10_000)
    watched.progress.begin("image2image")
    watched.clock.advance(40)
    watched.progress.step("image2image", 1, 30)
    watched.clock.advance(1)
    with pytest.raises(RequestTimeout):
        watched.progress.step("image2image", 2, 30)


def test_a_lost_claim_ends_the_drawing_at_its_next_step() -> None:
    watched, lease = Watched(), Lease(CLAIM)
    watched.progress.watch(lease)
    watched.progress.begin("text2image")
    watched.progress.step("text2image", 1, 30)
    lease.lose()
    with pytest.raises(ClaimLost):
        watched.progress.step("text2image", 2, 30)


def test_silence_grows_while_nothing_moves_and_ends_with_a_step() -> None:
    watched = Watched()
    watched.progress.begin("text2image")
    watched.clock.advance(20)
    assert watched.activity.silence("a") == watched.activity.longest_silence() == 20
    watched.progress.step("text2image", 1, 30)
    assert watched.activity.silence("a") == 0


def test_waiting_for_a_turn_is_no_silence() -> None:
    watched = Watched()
    watched.progress.await_turn("text2image")
    watched.clock.advance(1000)
    assert watched.activity.longest_silence() == 0
    assert watched.activity.ids() == ("a",)


def test_a_request_that_is_done_with_is_no_longer_in_hand() -> None:
    watched = Watched()
    watched.progress.begin("text2image")
    watched.clock.advance(1000)
    watched.progress.clear()
    assert watched.activity.ids() == ()
    assert watched.activity.longest_silence() == watched.activity.silence("a") == 0


def test_the_claim_of_a_hung_request_is_given_up_and_not_renewed(caplog: pytest.LogCaptureFixture) -> None:
    renewed = []

    def renew(claim: Claim) -> bool:
        renewed.append(claim.id)
        return True

    leases = Leases(renew, 60.0, hangs=lambda claim: True)
    with leases.hold(CLAIM) as lease:
        leases.renew_all()
        with pytest.raises(ClaimLost):
            lease.check()
    assert renewed == []
    assert "makes no progress" in caplog.text


def test_who_waits_for_its_turn_is_told_from_who_draws() -> None:
    watched = Watched()
    assert not watched.activity.awaits_turn("a")
    watched.progress.await_turn("text2image")
    assert watched.activity.awaits_turn("a")
    watched.progress.begin("text2image")
    assert not watched.activity.awaits_turn("a")


def test_no_step_waits_for_a_store() -> None:
    watched = Watched(bucket=RefusesEverything())
    watched.progress.begin("text2image")
    watched.progress.step("text2image", 1, 30)
    watched.onlooker.look_at_all()
    watched.progress.step("text2image", 2, 30)
    watched.progress.clear()


def test_a_cancel_is_noticed_by_who_looks_and_ends_the_drawing_at_its_next_step() -> None:
    watched = Watched()
    watched.progress.begin("text2image")
    watched.cancelled = True
    watched.progress.step("text2image", 1, 30)
    watched.onlooker.look_at_all()
    with pytest.raises(Cancelled):
        watched.progress.step("text2image", 2, 30)


def test_a_request_that_was_cancelled_before_its_claim_is_not_begun() -> None:
    watched = Watched()
    watched.cancelled = True
    with pytest.raises(Cancelled):
        watched.progress.watch(Lease(CLAIM))


def test_the_last_place_is_shown_once() -> None:
    watched = Watched()
    watched.progress.begin("text2image")
    for step in range(1, 4):
        watched.progress.step("text2image", step, 30)
    watched.onlooker.look_at_all()
    shown = watched.outbox.progress("a")
    assert (shown["node"], shown["step"], shown["steps"]) == ("text2image", 3, 30)
    watched.clock.advance(60)
    watched.onlooker.look_at_all()
    assert watched.outbox.progress("a") == shown


def test_a_look_that_is_under_way_leaves_no_progress_behind() -> None:
    bucket = ClearedWhileShown()
    watched = Watched(bucket=bucket)
    bucket.progress = watched.progress
    watched.progress.begin("text2image")
    watched.onlooker.look_at_all()
    assert bucket.clearing is not None
    bucket.clearing.join(60)
    assert not bucket.clearing.is_alive()
    watched.progress.look()
    assert watched.outbox.shown() == []


def test_who_cannot_be_looked_at_once_is_looked_at_again_and_nobody_else_is_missed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    onlooker, first, second = Onlooker(0.001), Falters(), Falters()
    onlooker.start()
    onlooker.add(first)
    onlooker.add(second)
    assert first.again.wait(60)
    assert second.again.wait(60)
    onlooker.stop()
    assert not onlooker._thread.is_alive()
    assert "could not be looked at" in caplog.text


def test_who_is_told_to_hurry_looks_at_once() -> None:
    onlooker, request = Onlooker(3600), Falters()
    onlooker.start()
    onlooker.add(request)
    while not request.again.is_set():
        onlooker.hurry()
        request.again.wait(0.01)
    onlooker.stop()
    assert request.looks >= 2


def test_an_onlooker_with_nothing_to_look_at_stops_at_once_and_one_that_never_started_as_well() -> None:
    idle = Onlooker(3600)
    idle.start()
    idle.stop()
    Onlooker(3600).stop()
    assert not idle._thread.is_alive()
