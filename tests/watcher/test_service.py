from collections.abc import Callable
from typing import Any

import pytest

from pipeline.drawing import Drawing
from pipeline.progress import Progress
from store.bucket import Head
from store.digest import Digest
from store.errors import (
    CheckpointMissing,
    ClaimLost,
    DownloadFailed,
    InvalidField,
    ReferenceUnreadable,
    ServiceError,
    ShuttingDown,
    StoreFull,
    StoreUnavailable,
)
from store.memory import MemoryBucket
from tests.fakes import BucketFullAtWrite
from tests.watcher.house import REFERENCE, SETTLE, House, Pen, build, drawing, picture, request_bytes
from watcher.aside import PutAside
from watcher.look import Later, Ready


class DrawingRaises:
    """The pipeline ends with this error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, request: Any, reference: Any, *, seed: int, progress: Progress) -> Drawing:
        raise self.error


def test_a_drawn_request_leaves_a_manifest_its_images_and_an_archived_file() -> None:
    house = build()
    house.drop("a.json", request_bytes(metadata={"order": 7}))
    house.handle("a.json")
    result = house.result("a")
    assert result.status == "succeeded"
    assert result.branch == "text2image"
    assert result.request == {"prompt": "딸기 케이크", "metadata": {"order": 7}}
    assert result.request_sha256 == Digest.of(request_bytes(metadata={"order": 7}))
    assert result.metadata == {"order": 7}
    assert result.attempt == 1
    assert result.timings.swap == 0.25
    assert house.outgoing.head(result.images[0].path) is not None
    assert house.inbox.scan().requests == ()
    assert house.kept("archive") == ["a.json"]
    assert house.kept("claims") == []


def test_a_korean_file_name_is_drawn_like_any_other() -> None:
    house = build()
    house.drop("딸기.json")
    house.handle("딸기.json")
    identifier = "n-" + Digest.of("딸기.json".encode())[:16]
    assert house.result(identifier).request_file == "딸기.json"


def test_the_seed_follows_from_id_and_bytes_so_a_retry_draws_the_same() -> None:
    seeds = []
    for name in ("a.json", "a.json", "b.json"):
        house = build()
        house.drop(name)
        house.handle(name)
        seeds.append(house.result(name.removesuffix(".json")).images[0].seed)
    assert seeds[0] == seeds[1] != seeds[2]


def test_three_requests_share_one_reference_and_it_stays() -> None:
    pen = Pen()
    house, data = build(draw=pen), picture()
    house.incoming.put("shared.png", data)
    for name in ("a", "b", "c"):
        house.drop(f"{name}.json", request_bytes(reference_image={"name": "shared.png", "sha256": Digest.of(data)}))
        house.handle(f"{name}.json")
        assert house.result(name).branch == "image2image"
    assert house.incoming.list() == ["shared.png"]


@pytest.mark.parametrize(
    ("content", "code", "field"),
    [
        (b'{"prompt": "half', "malformed_json", None),
        (request_bytes(steps=0), "invalid_field", "steps"),
        (request_bytes(stepz=3), "unknown_field", "stepz"),
        (request_bytes(style="oil"), "unknown_style", "style"),
        (request_bytes(id="other"), "id_mismatch", "id"),
        (b'{"\\ud800": 1, "\\ud800": 2}', "duplicate_key", "\\ud800"),
        ("\ufeff{}".encode("utf-16"), "not_utf8", None),
    ],
)
def test_a_bad_request_is_rejected_with_code_field_and_advice_and_its_bytes_are_kept(
    content: bytes, code: str, field: str | None
) -> None:
    house = build()
    house.drop("a.json", content)
    house.inbox.look("a.json")
    house.clock.advance(SETTLE)
    house.handle("a.json")
    result = house.result("a")
    assert result.status == "rejected"
    assert result.error is not None
    assert (result.error.code, result.error.field, result.error.retryable) == (code, field, False)
    assert result.error.message
    assert house.kept("quarantine") == ["a.json"]
    kept = house.incoming.list(".imagegen/quarantine/", recursive=True)
    assert house.incoming.get(kept[0], 10_000) == content


def test_a_reference_that_does_not_come_in_time_is_a_rejection() -> None:
    house = build()
    house.drop("a.json", request_bytes(reference_image="no.png"))
    house.inbox.look("a.json")
    house.clock.advance(REFERENCE + 1)
    house.handle("a.json")
    error = house.result("a").error
    assert error is not None
    assert (error.code, error.field) == ("reference_missing", "reference_image")


def test_a_reference_that_vanishes_before_its_deadline_is_waited_for_again() -> None:
    house = build()
    house.drop("a.json", request_bytes(reference_image="no.png"))
    house.handle("a.json")
    assert not house.outbox.has_result("a")
    assert house.claims.attempts("a").counted == 0


def test_a_rejection_echoes_what_could_be_read() -> None:
    house = build()
    house.drop("a.json", request_bytes(steps=0, metadata={"order": 7}))
    house.handle("a.json")
    assert house.result("a").request == {"prompt": "딸기 케이크", "steps": 0, "metadata": {"order": 7}}
    assert house.result("a").metadata == {"order": 7}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidField("strength", field="strength"), "rejected", "invalid_field"),
        (ReferenceUnreadable(), "rejected", "reference_unreadable"),
        (CheckpointMissing(), "failed", "checkpoint_missing"),
        (RuntimeError("a bug"), "failed", "internal_error"),
    ],
)
def test_an_error_that_trying_again_cannot_mend_ends_the_request(error: Exception, status: str, code: str) -> None:
    house = build(draw=DrawingRaises(error))
    house.drop("a.json")
    house.handle("a.json")
    result = house.result("a")
    assert result.error is not None
    assert (result.status, result.error.code) == (status, code)
    assert house.kept("quarantine") == ["a.json"]


def test_what_a_bug_says_stays_in_the_log() -> None:
    house = build(draw=DrawingRaises(RuntimeError("secret key 123")))
    house.drop("a.json")
    house.handle("a.json")
    error = house.result("a").error
    assert error is not None
    assert "secret" not in error.message


@pytest.mark.parametrize("error", [ShuttingDown(), StoreFull(), StoreUnavailable()])
def test_a_stop_or_a_disk_that_is_full_or_away_gives_the_request_back_uncounted(error: ServiceError) -> None:
    house = build(draw=DrawingRaises(error))
    house.drop("a.json")
    house.handle("a.json")
    assert not house.outbox.has_result("a")
    assert house.claims.attempts("a").counted == 0
    assert house.inbox.look("a.json") == Ready(attempt=2)


def test_a_passing_error_is_tried_again_until_the_attempts_are_used_up() -> None:
    house = build(draw=DrawingRaises(DownloadFailed()), max_attempts=3)
    house.drop("a.json")
    for attempt in (1, 2):
        house.handle("a.json", attempt)
        assert not house.outbox.has_result("a")
    house.handle("a.json", 3)
    result = house.result("a")
    assert result.error is not None
    assert (result.status, result.error.code, result.attempt) == ("failed", "download_failed", 3)


def test_a_request_whose_attempts_died_without_a_word_ends_without_being_drawn() -> None:
    pen = Pen()
    house = build(draw=pen, max_attempts=2)
    house.drop("a.json")
    for attempt in (1, 2):
        assert house.inbox.claim("a.json", attempt) is not None
    house.handle("a.json", 3)
    result = house.result("a")
    assert result.error is not None
    assert result.error.code == "attempts_exhausted"
    assert pen.drawn == []


def test_a_worker_that_lost_its_claim_publishes_nothing() -> None:
    house = build(draw=DrawingRaises(ClaimLost()))
    house.drop("a.json")
    house.handle("a.json")
    assert not house.outbox.has_result("a")
    assert house.inbox.scan().requests == ("a.json",)


class SomebodyElseWasFaster:
    """While this worker draws, another one publishes the result."""

    def __init__(self) -> None:
        self.publish: Callable[[], None] = lambda: None

    def __call__(self, request: Any, reference: Any, *, seed: int, progress: Progress) -> Drawing:
        self.publish()
        return Pen()(request, reference, seed=seed + 1, progress=progress)


def test_a_late_result_does_not_replace_the_published_one() -> None:
    slow = SomebodyElseWasFaster()
    house = build(draw=slow)
    fast = build(incoming=house.incoming, outgoing=house.outgoing)
    slow.publish = lambda: fast.handle("a.json", 2)
    house.drop("a.json")
    house.handle("a.json", 1)
    assert house.result("a").attempt == 2


@pytest.mark.parametrize("fails_at", range(1, 8))
def test_a_disk_that_fills_at_any_write_loses_nothing(fails_at: int) -> None:
    outgoing = BucketFullAtWrite(fails_at)
    house = build(outgoing=outgoing)
    house.drop("a.json")
    house.handle("a.json")
    if not house.outbox.has_result("a"):
        assert house.inbox.scan().requests == ("a.json",)
        assert house.claims.attempts("a").counted == 0
        outgoing.make_room()
        house.handle("a.json", 2)
    assert house.result("a").status == "succeeded"
    assert house.inbox.scan().requests == ()


class LooksMeanwhile:
    """Looks at the live progress while the picture is being drawn."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {}
        self.house: Any = None

    def __call__(self, request: Any, reference: Any, *, seed: int, progress: Progress) -> Drawing:
        drawn = Pen()(request, reference, seed=seed, progress=progress)
        self.house.onlooker.look_at_all()
        self.seen = self.house.outbox.progress("a")
        return drawn


def test_live_progress_is_there_while_drawing_and_gone_afterwards() -> None:
    pen = LooksMeanwhile()
    house = build(draw=pen)
    pen.house = house
    house.drop("a.json")
    house.handle("a.json")
    assert (pen.seen["node"], pen.seen["step"], pen.seen["steps"]) == ("text2image", 1, 2)
    assert pen.seen["attempt"] == 1
    assert house.outgoing.list("progress/") == []


class LeavesInView:
    """Notes whether progress still lies in the outbox when the request leaves the inbox."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._ack = house.inbox.ack
        self.shown: list[list[str]] = []

    def __call__(self, name: str) -> PutAside | None:
        self.shown.append(self._house.outbox.shown())
        return self._ack(name)


def test_progress_is_cleared_before_the_request_leaves_so_that_no_crash_leaves_it_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = build()
    leaving = LeavesInView(house)
    monkeypatch.setattr(house.inbox, "ack", leaving)
    house.drop("a.json")
    house.handle("a.json")
    assert leaving.shown == [[]]


def test_other_bytes_that_come_while_a_request_is_acknowledged_are_a_conflict_and_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = build()
    ack = house.inbox.ack
    other = request_bytes(prompt="other")

    def ack_too_late(name: str) -> PutAside | None:
        # another worker was faster, and the backend used the id again
        ack(name)
        house.drop(name, other)
        return ack(name)

    monkeypatch.setattr(house.inbox, "ack", ack_too_late)
    house.drop("a.json")
    house.handle("a.json")
    (conflict,) = house.outgoing.list("results/conflicts/")
    assert Digest.of(other)[:8] in conflict
    (kept,) = house.incoming.list(".imagegen/quarantine/", recursive=True)
    assert house.incoming.get(kept, 10_000) == other


class TakenOverMeanwhile:
    """The worker stands still until another one has taken the request over, and then fails."""

    def __init__(self) -> None:
        self.house: Any = None

    def __call__(self, request: Any, reference: Any, *, seed: int, progress: Progress) -> Drawing:
        assert self.house.claims.win("a", 2)
        raise CheckpointMissing("it was there a minute ago")


def test_a_worker_that_lost_its_claim_does_not_publish_its_failure_either() -> None:
    draw = TakenOverMeanwhile()
    house = build(draw=draw)
    draw.house = house
    house.drop("a.json")
    house.handle("a.json")
    assert not house.outbox.has_result("a")
    assert house.inbox.scan().requests == ("a.json",)


def test_a_file_too_large_under_a_decided_id_is_a_conflict() -> None:
    house = build()
    house.drop("a.json")
    house.handle("a.json")
    house.drop("a.json", b"[" * 2_000_000)
    house.service.settle_again("a.json")
    assert len(house.outgoing.list("results/conflicts/")) == 1
    assert house.kept("quarantine") == ["a.json"]


def test_a_good_request_under_the_id_of_one_that_could_not_be_read_is_a_conflict() -> None:
    house = build()
    house.drop("a.json", b"[" * 2_000_000)
    house.handle("a.json")
    assert house.result("a").status == "rejected"
    house.drop("a.json")
    house.service.settle_again("a.json")
    assert len(house.outgoing.list("results/conflicts/")) == 1


class ReplacedWhileDrawn:
    """The backend uses the id again while its first request is drawn."""

    def __init__(self) -> None:
        self.house: Any = None

    def __call__(self, request: Any, reference: Any, *, seed: int, progress: Progress) -> Drawing:
        self.house.drop("a.json", request_bytes(prompt="other"))
        return drawing(seed)


def test_a_request_replaced_while_it_is_drawn_is_a_conflict_and_kept() -> None:
    draw = ReplacedWhileDrawn()
    house = build(draw=draw)
    draw.house = house
    house.drop("a.json")
    house.handle("a.json")
    assert house.result("a").status == "succeeded"
    assert len(house.outgoing.list("results/conflicts/")) == 1
    assert house.kept("quarantine") == ["a.json"]


def test_a_request_half_rewritten_between_look_and_claim_is_given_time() -> None:
    house = build()
    house.drop("a.json")
    assert house.inbox.look("a.json") == Ready(attempt=1)
    house.drop("a.json", b'{"prompt":')
    house.handle("a.json")
    assert not house.outbox.has_result("a")
    house.drop("a.json")
    house.handle("a.json", 2)
    assert house.result("a").status == "succeeded"
    assert house.claims.attempts("a").counted == 0


def test_a_reference_that_does_not_decode_is_given_time_and_then_rejected() -> None:
    house = build(draw=DrawingRaises(ReferenceUnreadable("half of it is missing", field="reference_image")))
    house.incoming.put("cup.png", picture())
    house.drop("a.json", request_bytes(reference_image="cup.png"))
    house.inbox.look("a.json")
    house.clock.advance(2)
    assert house.inbox.look("a.json") == Ready(attempt=1)
    house.handle("a.json")
    assert not house.outbox.has_result("a")
    assert isinstance(house.inbox.look("a.json"), Later)
    house.clock.advance(SETTLE)
    assert house.inbox.look("a.json") == Ready(attempt=2)
    house.handle("a.json", 2)
    result = house.result("a")
    assert result.error is not None
    assert (result.status, result.error.code) == ("rejected", "reference_unreadable")


class CancelCannotBeLookedFor(MemoryBucket):
    """The inbox blinks while a request is drawn."""

    def head(self, key: str) -> Head | None:
        if key.endswith(".cancel"):
            raise StoreUnavailable
        return super().head(key)


def test_an_inbox_that_blinks_while_a_request_is_drawn_does_not_end_the_drawing() -> None:
    house = build(incoming=CancelCannotBeLookedFor())
    house.drop("a.json")
    house.handle("a.json")
    assert house.result("a").status == "succeeded"
