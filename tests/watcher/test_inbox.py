import hashlib
import unicodedata

import pytest

from store.errors import StoreFull, StoreUnavailable
from store.memory import MemoryBucket
from tests.clock import FakeClock
from tests.watcher.house import REFERENCE, SETTLE, build, picture, request_bytes
from watcher.look import Busy, Done, Gone, Later, Ready
from watcher.worker import Worker


def described(data: bytes, name: str = "cup.png") -> dict[str, object]:
    return {"name": name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def test_a_scan_finds_every_request_file_and_nothing_else() -> None:
    house = build()
    for name in ("b.json", "a.json", "cup.png", ".hidden.json", ".imagegen/archive/x/old.json"):
        house.drop(name)
    assert house.inbox.scan().requests == (
        "a.json",
        "b.json",
    )


def test_a_whole_request_is_ready_for_its_first_attempt() -> None:
    house = build()
    house.drop("a.json")
    assert house.inbox.look("a.json") == Ready(attempt=1)


def test_a_look_changes_nothing() -> None:
    house = build()
    house.drop("a.json")
    house.inbox.look("a.json")
    house.inbox.look("a.json")
    assert house.incoming.list("", recursive=True) == ["a.json"]


def test_a_vanished_request_is_gone() -> None:
    assert build().inbox.look("a.json") == Gone()


def test_a_request_with_a_result_is_done() -> None:
    house = build()
    house.drop("a.json")
    house.handle("a.json")
    house.drop("a.json")
    assert house.inbox.look("a.json") == Done()


def test_a_half_written_request_is_given_time_and_then_rejected() -> None:
    house = build()
    house.drop("a.json", b'{"prompt": "half')
    assert isinstance(house.inbox.look("a.json"), Later)
    house.clock.advance(SETTLE + 1)
    assert house.inbox.look("a.json") == Ready(attempt=1)


def test_a_request_that_is_still_being_written_is_never_rejected() -> None:
    house = build()
    whole = request_bytes(user_input="천천히 쓰는 중")
    for length in range(1, len(whole), 7):
        house.drop("a.json", whole[:length])
        assert isinstance(house.inbox.look("a.json"), Later)
        house.clock.advance(SETTLE - 1)
    house.drop("a.json", whole)
    assert house.inbox.look("a.json") == Ready(attempt=1)


@pytest.mark.parametrize("content", [b'{"prompt": NaN}', b'{"prompt": "a", "prompt": "b"}', b"[]", b"\xff", b"{}"])
def test_a_fault_that_more_bytes_cannot_mend_is_ready_at_once(content: bytes) -> None:
    house = build()
    house.drop("a.json", content)
    assert house.inbox.look("a.json") == Ready(attempt=1)


def test_a_described_reference_is_taken_as_soon_as_it_matches() -> None:
    house, data = build(), picture()
    house.drop("a.json", request_bytes(reference_image=described(data)))
    house.incoming.put("cup.png", data[:-5])
    assert isinstance(house.inbox.look("a.json"), Later)
    house.incoming.put("cup.png", data)
    assert house.inbox.look("a.json") == Ready(attempt=1)


def test_a_described_reference_that_stays_different_is_ready_to_be_rejected() -> None:
    house, data = build(), picture()
    house.drop("a.json", request_bytes(reference_image=described(data)))
    house.incoming.put("cup.png", picture("blue"))
    assert isinstance(house.inbox.look("a.json"), Later)
    house.clock.advance(SETTLE + 1)
    assert house.inbox.look("a.json") == Ready(attempt=1)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
def test_a_reference_by_name_needs_two_looks_a_second_apart(image_format: str) -> None:
    house = build()
    house.drop("a.json", request_bytes(reference_image="cup.png"))
    house.incoming.put("cup.png", picture(image_format=image_format))
    first = house.inbox.look("a.json")
    assert isinstance(first, Later)
    assert first.seconds <= 1
    house.clock.advance(1)
    assert house.inbox.look("a.json") == Ready(attempt=1)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
def test_a_reference_without_its_end_waits_to_settle(image_format: str) -> None:
    house = build()
    house.drop("a.json", request_bytes(reference_image="cup.png"))
    house.incoming.put("cup.png", picture(size=(200, 200), image_format=image_format)[:-12])
    house.inbox.look("a.json")
    house.clock.advance(SETTLE - 1)
    assert isinstance(house.inbox.look("a.json"), Later)
    house.clock.advance(2)
    assert house.inbox.look("a.json") == Ready(attempt=1)


def test_a_missing_reference_is_waited_for_until_its_deadline() -> None:
    house = build()
    house.drop("a.json", request_bytes(reference_image="cup.png"))
    assert isinstance(house.inbox.look("a.json"), Later)
    house.clock.advance(REFERENCE - 1)
    assert isinstance(house.inbox.look("a.json"), Later)
    house.clock.advance(2)
    assert house.inbox.look("a.json") == Ready(attempt=1)


def test_the_deadline_of_a_reference_outlives_a_restart() -> None:
    first = build()
    first.drop("a.json", request_bytes(reference_image="cup.png"))
    first.inbox.look("a.json")
    second = build(incoming=first.incoming, clock=first.clock)
    first.clock.advance(REFERENCE + 1)
    assert second.inbox.look("a.json") == Ready(attempt=1)


@pytest.mark.parametrize(("asked", "written"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_korean_reference_name_is_found_composed_and_decomposed(asked: str, written: str) -> None:
    house, data = build(), picture()
    house.incoming.put(unicodedata.normalize(written, "컵.png"), data)
    house.drop("a.json", request_bytes(reference_image=described(data, unicodedata.normalize(asked, "컵.png"))))
    assert house.inbox.look("a.json") == Ready(attempt=1)


def test_a_claimed_request_is_busy_for_everybody_else() -> None:
    house = build()
    house.drop("a.json")
    assert house.inbox.claim("a.json", 1) is not None
    assert house.inbox.look("a.json") == Busy()
    assert house.inbox.claim("a.json", 1) is None


def test_a_released_request_is_ready_for_the_next_number() -> None:
    house = build()
    house.drop("a.json")
    claim = house.inbox.claim("a.json", 1)
    assert claim is not None
    house.inbox.release(claim, counted=False)
    assert house.inbox.look("a.json") == Ready(attempt=2)


def test_a_claim_won_after_the_decision_is_given_up_and_the_next_look_says_done() -> None:
    house = build()
    house.drop("a.json")
    house.handle("a.json")
    house.drop("a.json")
    assert house.inbox.claim("a.json", 1) is None
    assert house.inbox.look("a.json") == Done()
    assert house.kept("claims") == []


def test_a_claim_won_behind_a_gap_after_the_decision_is_given_up_too() -> None:
    house = build()
    other = build(incoming=house.incoming, outgoing=house.outgoing)
    house.drop("a.json")
    assert house.claims.win("a", 1)
    house.handle("a.json", 2)
    # the other one had counted while the first was clearing its claims away
    assert other.inbox.claim("a.json", 2) is None
    assert house.kept("claims") == []


def test_claims_behind_a_gap_are_swept() -> None:
    house = build()
    house.drop("a.json")
    house.handle("a.json")
    assert house.claims.win("a", 3)
    house.inbox.tidy()
    assert house.kept("claims") == []


def test_progress_that_a_killed_worker_left_of_a_decided_request_is_swept() -> None:
    house = build()
    house.drop("a.json")
    house.handle("a.json")
    house.outbox.show_progress("a", {"node": "text2image"})
    house.outbox.show_progress("b", {"node": "text2image"})
    house.drop("b.json")
    house.inbox.tidy()
    assert house.outbox.shown() == ["b"]


def test_a_request_that_vanished_before_the_claim_leaves_no_counted_attempt() -> None:
    house = build()
    assert house.inbox.claim("a.json", 1) is None
    assert house.claims.attempts("a").counted == 0


def test_the_claim_holds_the_bytes_of_its_moment() -> None:
    house = build()
    house.drop("a.json", request_bytes(seed=1))
    claim = house.inbox.claim("a.json", 1)
    house.drop("a.json", request_bytes(seed=2))
    assert claim is not None
    assert claim.content == request_bytes(seed=1)


def test_queued_counts_from_the_first_look() -> None:
    house = build()
    house.drop("a.json")
    house.inbox.look("a.json")
    house.clock.advance(12)
    house.inbox.look("a.json")
    claim = house.inbox.claim("a.json", 1)
    assert claim is not None
    assert claim.queued == 12


def test_ack_archives_the_request_with_its_own_files_and_leaves_shared_ones() -> None:
    house = build()
    for name in ("a.json", "a.png", "a.notes.txt", "shared.png", "ab.png"):
        house.drop(name)
    house.inbox.scan()
    house.inbox.ack("a.json")
    assert house.kept("archive") == ["a.json", "a.notes.txt", "a.png"]
    assert sorted(house.incoming.list()) == ["ab.png", "shared.png"]


def test_a_file_that_a_request_with_a_longer_id_may_own_is_left_to_it() -> None:
    house = build()
    for name in ("a.json", "a.b.json", "a.b.png"):
        house.drop(name)
    house.inbox.scan()
    house.inbox.ack("a.json")
    assert sorted(house.incoming.list()) == ["a.b.json", "a.b.png"]


def test_acknowledging_twice_is_harmless() -> None:
    house = build()
    house.drop("a.json")
    house.inbox.ack("a.json")
    house.inbox.ack("a.json")
    assert house.kept("archive") == ["a.json"]


def test_two_requests_of_one_name_are_both_kept_in_the_archive() -> None:
    house = build()
    for content in (b"first", b"second"):
        house.drop("a.json", content)
        house.inbox.ack("a.json")
    keys = house.incoming.list(".imagegen/archive/", recursive=True)
    assert sorted(house.incoming.get(key, 10) for key in keys) == [b"first", b"second"]


def test_the_wait_for_a_reference_is_measured_by_the_clock_of_the_store_alone() -> None:
    first = build()
    first.drop("a.json", request_bytes(reference_image="cup.png"))
    assert isinstance(first.inbox.look("a.json"), Later)
    ahead = FakeClock()
    ahead.advance(15 * 60)
    second = build(incoming=first.incoming, clock=ahead)
    look = second.inbox.look("a.json")
    assert isinstance(look, Later)
    assert look.seconds == pytest.approx(REFERENCE, abs=1)


def test_a_withdrawn_request_that_comes_again_has_its_whole_time_and_all_its_attempts() -> None:
    house = build()
    house.drop("a.json", request_bytes(reference_image="cup.png"))
    house.inbox.look("a.json")
    dead = Worker.this_process().model_copy(update={"name": "dead", "started": 0.0})
    assert build(incoming=house.incoming, worker=dead, clock=house.clock).claims.win("a", 1)
    house.incoming.delete("a.json")
    house.clock.advance(7 * 24 * 3600)
    house.inbox.tidy()
    house.drop("a.json", request_bytes(reference_image="cup.png"))
    assert isinstance(house.inbox.look("a.json"), Later)
    assert house.claims.attempts("a").counted == 0


class SyncFailsBehindTheLink(MemoryBucket):
    """The name is made, and then the disk says that it is full."""

    def __init__(self) -> None:
        super().__init__()
        self.is_full = True

    def create(self, key: str, data: bytes) -> bool:
        made = super().create(key, data)
        if self.is_full and "claims/" in key:
            raise StoreFull
        return made


def test_a_claim_that_was_made_although_the_store_failed_costs_no_attempt() -> None:
    bucket = SyncFailsBehindTheLink()
    house = build(incoming=bucket)
    house.drop("a.json")
    for attempt in (1, 2, 3):
        with pytest.raises(StoreFull):
            house.inbox.claim("a.json", attempt)
        assert house.inbox.look("a.json") == Ready(attempt=attempt + 1)
    bucket.is_full = False
    assert house.inbox.claim("a.json", 4) is not None
    assert house.claims.attempts("a").counted == 1


class ReleaseFails(MemoryBucket):
    """The inbox is away at the moment when a claim is to be given back."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False

    def move(self, source: str, target: str) -> None:
        if self.is_away and target.endswith((".released", ".spent")):
            raise StoreUnavailable
        super().move(source, target)


def test_a_claim_that_could_not_be_given_back_is_given_back_later_and_costs_no_attempt() -> None:
    bucket = ReleaseFails()
    house = build(incoming=bucket)
    house.drop("a.json")
    claim = house.inbox.claim("a.json", 1)
    assert claim is not None
    bucket.is_away = True
    with pytest.raises(StoreUnavailable):
        house.inbox.release(claim, counted=False)
    with pytest.raises(StoreUnavailable):
        house.inbox.look("a.json")
    bucket.is_away = False
    assert house.inbox.look("a.json") == Ready(attempt=2)
    assert house.claims.attempts("a").counted == 0


def test_a_file_under_a_decided_id_that_is_still_written_is_given_time() -> None:
    house = build()
    content = request_bytes()
    house.drop("a.json", content)
    house.handle("a.json")
    house.drop("a.json", content[:10])
    assert isinstance(house.inbox.look("a.json"), Later)
    house.drop("a.json", content)
    assert house.inbox.look("a.json") == Done()
    house.drop("a.json", content[:10])
    house.inbox.look("a.json")
    house.clock.advance(SETTLE)
    assert house.inbox.look("a.json") == Done()


def test_broken_bytes_that_were_decided_already_are_done_at_once() -> None:
    house = build()
    house.drop("a.json", b'{"prompt":')
    house.inbox.look("a.json")
    house.clock.advance(SETTLE)
    house.handle("a.json")
    house.drop("a.json", b'{"prompt":')
    assert house.inbox.look("a.json") == Done()
