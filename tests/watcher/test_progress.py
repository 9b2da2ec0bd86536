"""What ends a drawing: a lost claim, a limit of time, a cancel; and what waiting for a turn does not count."""

import pytest

from store.errors import ClaimLost, RequestTimeout
from store.memory import MemoryBucket
from store.outbox import Outbox
from tests.clock import FakeClock
from watcher.activity import Activity
from watcher.claim import Claim
from watcher.lease import Lease, Leases
from watcher.progress import LiveProgress, Oversight

CLAIM = Claim(name="a.json", id="a", attempt=1, queued=0.0)


class Watched:
    def __init__(self, max_seconds: float = 100.0) -> None:
        self.clock = FakeClock()
        self.activity = Activity(self.clock)
        self.outbox = Outbox(MemoryBucket())
        oversight = Oversight(
            outbox=self.outbox,
            clock=self.clock,
            worker="w",
            activity=self.activity,
            is_cancelled=lambda claim: False,
            max_seconds=max_seconds,
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
