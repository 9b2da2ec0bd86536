import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from store.memory import MemoryBucket
from tests.watcher.house import LEASE, House, build, request_bytes
from watcher.place import InboxPlace
from watcher.upkeep.running import Workers
from watcher.upkeep.status import Status, Waiting, status
from watcher.worker import Worker

HERE = Worker.this_process()
ELSEWHERE = HERE.model_copy(update={"name": "gpu-2-7", "host": "gpu-2", "boot": "another"})
NOW = datetime(2026, 5, 1, tzinfo=UTC)


def house_of(worker: Worker = HERE) -> House:
    return build(incoming=MemoryBucket(lambda: NOW), outgoing=MemoryBucket(lambda: NOW), worker=worker)


def seen(house: House, after: float = 0.0, me: Worker = HERE) -> Status:
    place = InboxPlace(bucket=house.incoming)
    workers = Workers(place, house.outgoing, LEASE, me, lambda: NOW + timedelta(seconds=after))
    return status(place, house.outgoing, workers)


def decide(house: House, identifier: str, content: Any) -> None:
    house.outgoing.put(f"results/{identifier}.json", json.dumps(content).encode())


def result(state: str) -> dict[str, Any]:
    return {"status": state, "created_at": "2026-01-01T00:00:00Z", "images": []}


def test_an_empty_house_counts_nothing_and_names_every_state() -> None:
    found = seen(house_of())
    assert found.counts == dict.fromkeys(
        (
            "pending",
            "running",
            "succeeded",
            "failed",
            "rejected",
            "cancelled",
            "broken",
            "quarantined",
            "conflicts",
        ),
        0,
    )
    assert (found.running, found.pending) == ((), ())


def test_every_status_of_a_result_is_counted() -> None:
    house = house_of()
    for number, state in enumerate(["succeeded", "failed", "rejected", "cancelled", "cancelled"]):
        decide(house, f"r{number}", result(state))
    counts = seen(house).counts
    assert [counts[state] for state in ("succeeded", "failed", "rejected", "cancelled", "broken")] == [1, 1, 1, 2, 0]


@pytest.mark.parametrize(
    "content",
    [None, [], 7, {}, {"status": "running"}, result("odd"), result("failed") | {"created_at": 3}, {"status": []}],
)
def test_a_broken_result_is_counted_as_broken(content: Any) -> None:
    house = house_of()
    decide(house, "a", content)
    assert seen(house).counts["broken"] == 1


@pytest.mark.parametrize("data", [b"", b"\xff", b"{", b"[" * 100_000])
def test_a_result_that_is_no_json_is_counted_as_broken(data: bytes) -> None:
    house = house_of()
    house.outgoing.put("results/a.json", data)
    assert seen(house).counts["broken"] == 1


def test_a_request_that_nobody_works_on_is_pending() -> None:
    house = house_of()
    house.drop("딸기.json")
    house.drop("shared.png")
    assert seen(house).pending == (Waiting(file="딸기.json", id="n-d0bddce5152373f4", tried=0),)


def test_attempts_that_count_are_told_and_those_given_back_are_not() -> None:
    house = house_of()
    house.drop("a.1.json")
    for number, counted in ((1, True), (2, False), (3, True)):
        claim = house.inbox.claim("a.1.json", number)
        assert claim is not None
        house.inbox.release(claim, counted=counted)
    assert seen(house).pending == (Waiting(file="a.1.json", id="a.1", tried=2),)


def test_a_claimed_request_is_running_with_its_worker_and_its_progress() -> None:
    house = house_of()
    house.drop("a.json")
    house.inbox.claim("a.json", 1)
    shown = {"attempt": 1, "node": "text2image", "step": 7, "steps": 30, "updated_at": "2026-05-01T00:00:00+00:00"}
    house.outbox.show_progress("a", shown)
    found = seen(house)
    [running] = found.running
    assert (running.id, running.attempt, running.worker, running.host) == ("a", 1, HERE.name, HERE.host)
    assert (running.node, running.step, running.steps, running.updated_at) == tuple(list(shown.values())[1:])
    assert running.claimed_at == "2026-01-01T00:16:40+00:00"
    assert running.alive
    assert found.pending == ()
    assert (found.counts["pending"], found.counts["running"]) == (0, 1)


def test_the_newest_claim_is_the_one_with_the_highest_number_in_whatever_order_they_are_listed() -> None:
    house = house_of()
    house.drop("a.json")
    for key in ("a.10", "a.9.spent", "a.2.spent"):
        house.incoming.put(f".imagegen/claims/{key}", b"")
    [running] = seen(house).running
    assert running.attempt == 10


@pytest.mark.parametrize("shown", [{"attempt": 1, "node": "old"}, {"attempt": "x"}, {"attempt": 2, "step": "many"}, {}])
def test_progress_of_another_attempt_or_in_another_shape_is_not_shown(shown: dict[str, Any]) -> None:
    house = house_of()
    house.drop("a.json")
    claim = house.inbox.claim("a.json", 1)
    assert claim is not None
    house.inbox.release(claim, counted=True)
    house.inbox.claim("a.json", 2)
    house.outbox.show_progress("a", shown)
    [running] = seen(house).running
    assert (running.attempt, running.node, running.step) == (2, None, None)


@pytest.mark.parametrize(("after", "alive"), [(LEASE - 1, True), (LEASE + 1, False)])
def test_a_worker_elsewhere_lives_while_its_lease_does(after: float, alive: bool) -> None:
    house = house_of(ELSEWHERE)
    house.drop("a.json")
    house.inbox.claim("a.json", 1)
    [running] = seen(house, after).running
    assert running.alive is alive


def test_a_dead_worker_on_this_machine_is_seen_at_once() -> None:
    house = house_of(HERE.model_copy(update={"started": 1.0}))
    house.drop("a.json")
    house.inbox.claim("a.json", 1)
    [running] = seen(house).running
    assert not running.alive


@pytest.mark.parametrize("data", [b"", b"null", b"{}", b"\xff", b"x" * 70_000])
def test_a_claim_that_cannot_be_read_is_running_by_its_lease_alone(data: bytes) -> None:
    house = house_of()
    house.drop("a.json")
    house.incoming.put(".imagegen/claims/a.1", data)
    [running] = seen(house).running
    assert (running.worker, running.alive) == (None, True)


def test_a_decided_request_is_done_even_while_it_lies_in_the_inbox_with_a_claim() -> None:
    house = house_of()
    house.drop("a.json")
    house.inbox.claim("a.json", 1)
    decide(house, "a", result("succeeded"))
    found = seen(house)
    assert (found.pending, found.running, found.counts["succeeded"]) == ((), (), 1)


def test_quarantined_requests_and_conflicts_are_counted_by_request() -> None:
    house = house_of()
    house.drop("a.png")
    house.drop("a.json", b"{}")
    house.handle("a.json")
    house.drop("a.json", request_bytes())
    house.service.settle_again("a.json")
    counts = seen(house).counts
    assert (counts["quarantined"], counts["conflicts"], counts["rejected"]) == (2, 1, 1)


def test_looking_changes_nothing() -> None:
    house = house_of()
    for name in ("a.json", "b.json"):
        house.drop(name)
    house.inbox.claim("a.json", 1)
    before = {key: house.incoming.head(key) for key in house.incoming.list(recursive=True)}
    seen(house)
    assert {key: house.incoming.head(key) for key in house.incoming.list(recursive=True)} == before
    assert house.outgoing.list(recursive=True) == []
