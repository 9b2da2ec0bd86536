"""A cancel ends a waiting request at once and a running one at its next step; it never undoes a result."""

from typing import Any

import pytest

from pipeline.drawing import Drawing
from pipeline.progress import Progress
from tests.watcher.house import House, Pen, build, drawing, request_bytes
from watcher.cancel import cancel_names, cancelled_id, is_cancel


class CancelledMidway:
    """Somebody drops a cancel while the first step is drawn."""

    def __init__(self) -> None:
        self.house: Any = None
        self.steps = 0

    def __call__(self, request: Any, reference: Any, *, seed: int, progress: Progress) -> Drawing:
        progress.begin("text2image")
        self.house.drop("a.cancel", b"")
        self.house.onlooker.look_at_all()
        for step in range(1, 10):
            self.house.clock.advance(1)
            progress.step("text2image", step, 9)
            self.steps += 1
        return drawing(seed)


def actions(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.__dict__["action"] for record in caplog.records if record.name == "imagegen.cancel"]


def test_a_waiting_request_that_is_cancelled_is_not_drawn_and_ends_as_cancelled() -> None:
    pen = Pen()
    house = build(draw=pen)
    house.drop("a.json")
    house.drop("a.cancel", b"")
    assert house.rounds.drain().pending == ()
    result = house.result("a")
    assert result.status == "cancelled"
    assert result.error is not None
    assert result.error.code == "cancelled"
    assert pen.drawn == []
    assert house.kept("archive") == ["a.cancel", "a.json"]


def test_a_running_request_ends_at_its_next_step() -> None:
    draw = CancelledMidway()
    house = build(draw=draw)
    draw.house = house
    house.drop("a.json")
    house.rounds.drain()
    assert house.result("a").status == "cancelled"
    assert draw.steps == 0
    assert house.outgoing.list("generated_images/", recursive=True) == []


def test_a_request_that_waits_for_its_reference_can_be_cancelled() -> None:
    house = build()
    house.drop("a.json", request_bytes(reference_image="never.png"))
    assert len(house.rounds.drain().pending) == 1
    house.drop("a.cancel", b"")
    assert house.rounds.drain().pending == ()
    assert house.result("a").status == "cancelled"


def test_cancelled_requests_do_not_wait_for_their_turn() -> None:
    pen = Pen()
    house = build(draw=pen)
    for name in ("a.json", "b.json", "c.json"):
        house.drop(name)
    house.drop("c.cancel", b"")
    house.rounds.drain()
    assert house.result("c").created_at <= house.result("a").created_at
    assert len(pen.drawn) == 2


def test_a_cancel_of_a_decided_request_is_archived_at_once_and_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = build()
    house.drop("a.json")
    house.rounds.drain()
    before = house.result("a")
    house.drop("a.cancel", b"")
    house.rounds.drain()
    assert house.result("a") == before
    assert house.inbox.scan().cancels == {}
    assert actions(caplog) == ["cancel_late"]


def test_a_cancel_that_comes_first_waits_for_its_request() -> None:
    house = build()
    house.drop("a.cancel", b"")
    house.rounds.drain()
    house.clock.advance(599)
    house.drop("a.json")
    house.rounds.drain()
    assert house.result("a").status == "cancelled"


def test_a_cancel_of_an_unknown_id_is_archived_after_its_patience_and_leaves_no_manifest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = build()
    house.drop("ghost.cancel", b"")
    house.rounds.drain()
    house.clock.advance(599)
    house.rounds.drain()
    assert house.inbox.scan().cancels == {"ghost": "ghost.cancel"}
    house.clock.advance(1)
    house.rounds.drain()
    assert house.inbox.scan().cancels == {}
    assert house.kept("archive") == ["ghost.cancel"]
    assert not house.outbox.has_result("ghost")
    assert actions(caplog) == ["cancel_unknown"]


def test_only_the_holder_of_the_claim_writes_cancelled() -> None:
    house = build()
    house.drop("a.json")
    # another worker of this machine holds it, and lives
    assert house.claims.win("a", 1)
    house.drop("a.cancel", b"")
    house.rounds.drain()
    assert not house.outbox.has_result("a")


def _cancelled(house: House, request_file: str, cancel: str) -> bool:
    house.drop(request_file)
    house.drop(cancel, b"")
    house.rounds.drain()
    (result,) = [key for key in house.outgoing.list("results/") if key.endswith(".json")]
    return house.result(result.removeprefix("results/").removesuffix(".json")).status == "cancelled"


def test_a_korean_request_is_cancelled_by_its_file_name_or_its_id() -> None:
    identifier = cancelled_id("딸기.cancel")
    assert identifier.startswith("n-")
    assert _cancelled(build(), "딸기.json", "딸기.cancel")
    assert _cancelled(build(), "딸기.json", f"{identifier}.cancel")


def test_a_cancel_is_not_taken_along_by_a_request_with_a_shorter_id() -> None:
    house = build()
    house.drop("a.json")
    house.drop("a.b.cancel", b"")
    house.rounds.drain()
    assert house.result("a").status == "succeeded"
    assert house.inbox.scan().cancels == {"a.b": "a.b.cancel"}


@pytest.mark.parametrize(("name", "cancels"), [("a.cancel", True), (".a.cancel", False), ("a.json", False)])
def test_which_names_are_cancels(name: str, cancels: bool) -> None:
    assert is_cancel(name) == cancels


def test_a_name_too_long_for_a_cancel_beside_it_is_cancelled_by_its_id() -> None:
    (only,) = cancel_names("x" * 250 + ".json")
    assert only.startswith("n-")
