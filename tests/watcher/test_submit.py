import json
from pathlib import Path
from typing import Any

import pytest

from store.digest import Digest
from store.errors import InvalidField
from store.memory import MemoryBucket
from store.outbox import Outbox
from tests.clock import FakeClock
from tests.fakes import RecordingBucket
from tests.watcher.house import build, picture
from watcher.submit import await_result, drop, new_id


def test_a_new_id_sorts_by_time_and_is_not_given_twice() -> None:
    clock = FakeClock()
    first, second = new_id(clock), new_id(clock)
    clock.advance(1)
    assert first != second
    assert max(first, second) < new_id(clock)


def test_only_what_was_given_is_written() -> None:
    inbox = MemoryBucket()
    drop(inbox, Outbox(MemoryBucket()), "a", {"prompt": "고양이", "style": None, "seed": 0})
    assert json.loads(inbox.get("a.json", 1000)) == {"prompt": "고양이", "seed": 0}


def test_the_reference_is_written_first_and_described(tmp_path: Path) -> None:
    inbox, data = RecordingBucket(), picture()
    (tmp_path / "내 컵.png").write_bytes(data)
    drop(inbox, Outbox(MemoryBucket()), "a", {"prompt": "컵"}, tmp_path / "내 컵.png")
    assert inbox.written == ["a.png", "a.json"]
    reference = json.loads(inbox.get("a.json", 1000))["reference_image"]
    assert reference == {"name": "a.png", "sha256": Digest.of(data), "bytes": len(data)}


def test_a_reference_never_takes_the_name_of_the_request(tmp_path: Path) -> None:
    inbox, data = RecordingBucket(), picture()
    (tmp_path / "cup.json").write_bytes(data)
    drop(inbox, Outbox(MemoryBucket()), "a", {"prompt": "컵"}, tmp_path / "cup.json")
    assert inbox.written == ["a.image", "a.json"]


def test_the_same_request_may_be_dropped_again_but_no_other_under_its_id() -> None:
    inbox = MemoryBucket()
    drop(inbox, Outbox(MemoryBucket()), "a", {"prompt": "고양이"})
    drop(inbox, Outbox(MemoryBucket()), "a", {"prompt": "고양이"})
    with pytest.raises(InvalidField, match="choose another id"):
        drop(inbox, Outbox(MemoryBucket()), "a", {"prompt": "강아지 두 마리"})


def test_a_reference_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidField, match=r"nothing\.png"):
        drop(MemoryBucket(), Outbox(MemoryBucket()), "a", {"prompt": "컵"}, tmp_path / "nothing.png")


def test_waiting_shows_progress_and_ends_with_the_result() -> None:
    house = build()
    house.drop("a.json")
    house.outbox.show_progress("a", {"node": "text2image", "step": 1, "steps": 4})
    seen: list[Any] = []

    def draw_meanwhile(seconds: float) -> None:
        house.handle("a.json")

    result = await_result(house.outbox, "a", seen.append, draw_meanwhile, 60.0)
    assert result is not None
    assert result.status == "succeeded"
    assert [progress["step"] for progress in seen] == [1]


def test_waiting_ends_when_its_time_is_over() -> None:
    clock = FakeClock()
    assert await_result(build().outbox, "a", lambda progress: None, clock.advance, 60.0) is None
    assert clock.seconds == pytest.approx(1060, abs=1)


def test_an_id_with_the_result_of_another_request_is_refused() -> None:
    house = build()
    house.drop("a.json")
    house.rounds.drain()
    with pytest.raises(InvalidField, match="result of another request"):
        drop(house.incoming, house.outbox, "a", {"prompt": "강아지"})
    assert house.inbox.scan().requests == ()
