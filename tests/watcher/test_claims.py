import json
from pathlib import Path

import psutil
import pytest

from store.errors import ClaimLost, StoreUnavailable
from store.memory import MemoryBucket
from tests.clock import FakeClock
from watcher.claim import Claim, Claims
from watcher.lease import Leases
from watcher.worker import Worker

PREFIX = ".imagegen/claims/"
HERE = Worker.this_process()
ELSEWHERE = HERE.model_copy(update={"name": "elsewhere", "host": "other", "boot": "another-boot"})
DEAD = HERE.model_copy(update={"name": "dead", "started": HERE.started - 1000})


def claims(bucket: MemoryBucket, clock: FakeClock, worker: Worker = HERE) -> Claims:
    return Claims(bucket, PREFIX, worker, clock, 60.0)


def held(number: int = 1) -> Claim:
    return Claim(name="a.json", id="a", attempt=number, queued=0.0)


def test_one_claim_number_is_won_once() -> None:
    bucket, clock = MemoryBucket(), FakeClock()
    assert claims(bucket, clock).win("a", 1)
    assert not claims(bucket, clock, ELSEWHERE).win("a", 1)


def test_the_claim_file_says_who_holds_it() -> None:
    bucket = MemoryBucket()
    claims(bucket, FakeClock()).win("a", 1)
    record = json.loads(bucket.get(PREFIX + "a.1", 10_000))
    assert record["worker"]["pid"] == HERE.pid
    assert record["worker"]["boot"] == HERE.boot
    assert record["token"]


def test_without_claims_there_are_no_attempts() -> None:
    found = claims(MemoryBucket(), FakeClock()).attempts("a")
    assert (found.newest, found.counted, found.alive) == (0, 0, False)


def test_a_claim_of_a_dead_process_of_this_machine_is_dead_at_once() -> None:
    bucket, clock = MemoryBucket(), FakeClock()
    claims(bucket, clock, DEAD).win("a", 1)
    found = claims(bucket, clock).attempts("a")
    assert (found.newest, found.counted, found.alive) == (1, 1, False)


def test_a_claim_from_elsewhere_lives_until_its_lease_runs_out_by_the_observers_clock() -> None:
    bucket, clock = MemoryBucket(), FakeClock()
    claims(bucket, clock, ELSEWHERE).win("a", 1)
    observer = claims(bucket, clock)
    assert observer.attempts("a").alive
    clock.advance(59)
    assert observer.attempts("a").alive
    clock.advance(2)
    assert not observer.attempts("a").alive


def test_renewing_keeps_a_claim_alive_for_every_observer() -> None:
    bucket, clock = MemoryBucket(), FakeClock()
    owner = claims(bucket, clock, ELSEWHERE)
    owner.win("a", 1)
    observer = claims(bucket, clock)
    for _ in range(5):
        assert observer.attempts("a").alive
        clock.advance(50)
        assert owner.renew(held())


def test_an_unreadable_claim_uses_its_number_and_is_judged_by_its_lease() -> None:
    bucket, clock = MemoryBucket(), FakeClock()
    bucket.create(PREFIX + "a.1", b"")
    observer = claims(bucket, clock)
    assert observer.attempts("a").alive
    clock.advance(61)
    found = observer.attempts("a")
    assert (found.newest, found.alive) == (1, False)


def test_a_released_attempt_keeps_its_number_but_does_not_count() -> None:
    bucket = MemoryBucket()
    owner = claims(bucket, FakeClock())
    owner.win("a", 1)
    owner.release(held(), counted=False)
    found = owner.attempts("a")
    assert (found.newest, found.counted, found.alive) == (1, 0, False)


def test_a_spent_attempt_counts_and_is_not_alive() -> None:
    bucket = MemoryBucket()
    owner = claims(bucket, FakeClock())
    owner.win("a", 1)
    owner.release(held(), counted=True)
    found = owner.attempts("a")
    assert (found.newest, found.counted, found.alive) == (1, 1, False)


def test_ids_that_look_like_claims_of_each_other_are_kept_apart() -> None:
    bucket = MemoryBucket()
    owner = claims(bucket, FakeClock())
    owner.win("a.1", 1)
    assert owner.attempts("a").newest == 0
    assert owner.attempts("a.1").newest == 1


def test_forgetting_removes_every_claim_of_a_request_and_no_other() -> None:
    bucket = MemoryBucket()
    owner = claims(bucket, FakeClock())
    owner.win("a", 1)
    owner.release(held(), counted=False)
    owner.win("a", 2)
    owner.win("b", 1)
    owner.forget("a")
    assert bucket.list(PREFIX) == [PREFIX + "b.1"]


def test_an_overtaken_owner_learns_it_at_the_next_renewal() -> None:
    bucket, clock = MemoryBucket(), FakeClock()
    owner = claims(bucket, clock)
    owner.win("a", 1)
    leases = Leases(owner.renew, 60.0)
    with leases.hold(held()) as lease:
        leases.renew_all()
        lease.check()
        claims(bucket, clock, ELSEWHERE).win("a", 2)
        leases.renew_all()
        with pytest.raises(ClaimLost):
            lease.check()


class DiskErrorOnce:
    """Renewing fails the first time and works ever after."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, claim: Claim) -> bool:
        self.calls += 1
        if self.calls == 1:
            raise StoreUnavailable
        return True


def test_one_passing_disk_error_does_not_end_the_renewing() -> None:
    renew = DiskErrorOnce()
    leases = Leases(renew, 60.0)
    with leases.hold(held()) as lease:
        leases.renew_all()
        leases.renew_all()
        lease.check()
    assert renew.calls == 2


def test_a_claim_is_no_longer_renewed_after_its_block() -> None:
    renew = DiskErrorOnce()
    leases = Leases(renew, 60.0)
    with leases.hold(held()):
        pass
    leases.renew_all()
    assert renew.calls == 0


def test_this_process_is_seen_alive_by_itself() -> None:
    assert not HERE.sees_dead(HERE)


def test_a_reused_pid_is_told_apart_by_its_start() -> None:
    assert HERE.sees_dead(DEAD)


def test_nothing_is_said_about_processes_of_another_boot_or_namespace() -> None:
    assert not HERE.sees_dead(ELSEWHERE)
    assert not HERE.sees_dead(DEAD.model_copy(update={"pid_namespace": "pid:[1]"}))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells without the wall clock")
def test_a_step_of_the_wall_clock_does_not_make_the_living_look_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = psutil.Process().create_time()
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: seen + 3600)
    assert not HERE.sees_dead(HERE)
    assert HERE.started != pytest.approx(seen, abs=3600)


def test_an_attempt_that_ended_without_a_word_is_told_from_those_given_back() -> None:
    bucket, clock = MemoryBucket(), FakeClock()
    here = claims(bucket, clock)
    claims(bucket, clock, DEAD).win("a", 1)
    assert here.attempts("a").died
    here.win("b", 1)
    assert not here.attempts("b").died
    here.release(Claim(name="b.json", id="b", attempt=1, queued=0.0), counted=True)
    here.win("b", 2)
    here.release(Claim(name="b.json", id="b", attempt=2, queued=0.0), counted=False)
    assert not here.attempts("b").died


def test_a_takeover_of_a_dead_attempt_remembers_that_it_died() -> None:
    bucket, clock = MemoryBucket(), FakeClock()
    here = claims(bucket, clock)
    claims(bucket, clock, DEAD).win("a", 1)
    here.win("a", 2)
    found = here.attempts("a")
    assert (found.alive, found.died, found.counted) == (True, True, 2)


def test_the_ids_that_have_claims_are_told_whatever_their_names_hold() -> None:
    bucket = MemoryBucket()
    here = claims(bucket, FakeClock())
    for identifier in ("a", "a.1", "b.released", "c"):
        here.win(identifier, 1)
    here.release(Claim(name="c.json", id="c", attempt=1, queued=0.0), counted=False)
    here.win("c", 2)
    assert here.ids() == {"a", "a.1", "b.released", "c"}
