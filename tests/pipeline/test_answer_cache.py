import os
from pathlib import Path

import pytest

from pipeline.prompt.answer_cache import AnswerCache, cache_key
from pipeline.prompt.schema import Answer
from tests.clock import FakeClock
from tests.pipeline.llm_server import FORM

ANSWER = Answer.model_validate(FORM)
DAY = 86_400


def cache(folder: Path, clock: FakeClock | None = None, days: float = 1, most: int = 100) -> AnswerCache:
    return AnswerCache(folder / "keywords", clock or FakeClock(), days, most=most)


def test_an_answer_is_found_in_memory_and_by_another_process_on_disk(tmp_path: Path) -> None:
    mine, other = cache(tmp_path), cache(tmp_path)
    mine.put("a", ANSWER)
    assert mine.get("a") == (ANSWER, "memory")
    assert other.get("a") == (ANSWER, "disk")
    assert other.get("a") == (ANSWER, "memory")
    assert mine.get("b") is None


@pytest.mark.parametrize(("age", "found"), [(DAY - 1, True), (DAY, False), (-1, False)])
def test_an_answer_is_good_for_its_days_and_not_from_the_future(age: float, found: bool, tmp_path: Path) -> None:
    clock = FakeClock()
    mine, other = cache(tmp_path, clock), cache(tmp_path, clock)
    mine.put("a", ANSWER)
    clock.advance(age)
    assert [mine.get("a") is not None, other.get("a") is not None] == [found, found]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b'{"stored_at": "2026-01-01T00:16:40Z", "answer": {"subject": "x"}}']
)
def test_a_file_that_is_no_answer_counts_as_absent_and_is_replaced(content: bytes, tmp_path: Path) -> None:
    cache(tmp_path).put("a", ANSWER)
    (tmp_path / "keywords" / "a.json").write_bytes(content)
    assert cache(tmp_path).get("a") is None
    cache(tmp_path).put("a", ANSWER)
    assert cache(tmp_path).get("a") == (ANSWER, "disk")


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    cache(tmp_path).put("a", ANSWER)
    assert [path.name for path in (tmp_path / "keywords").iterdir()] == ["a.json"]


def test_no_days_keep_nothing(tmp_path: Path) -> None:
    none = cache(tmp_path, days=0)
    none.put("a", ANSWER)
    assert none.get("a") is None
    assert list(tmp_path.iterdir()) == []


def test_the_oldest_files_go_when_there_are_too_many(tmp_path: Path) -> None:
    mine = cache(tmp_path, most=3)
    for number in range(65):
        mine.put(f"{number:02}", ANSWER)
        os.utime(tmp_path / "keywords" / f"{number:02}.json", (number, number))
    kept = {path.stem for path in (tmp_path / "keywords").iterdir()}
    assert len(kept) == 3
    assert "00" not in kept


def test_memory_holds_a_bounded_number(tmp_path: Path) -> None:
    mine = cache(tmp_path)
    for number in range(600):
        mine.put(str(number), ANSWER)
    for path in (tmp_path / "keywords").iterdir():
        path.unlink()
    assert [mine.get("0"), mine.get("599")] == [None, (ANSWER, "memory")]


def test_a_folder_that_cannot_be_written_is_told_once_and_memory_still_serves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "keywords").write_text("a file where the folder should be")
    mine = cache(tmp_path)
    mine.put("a", ANSWER)
    mine.put("b", ANSWER)
    assert mine.get("a") == (ANSWER, "memory")
    assert len(caplog.records) == 1


def test_the_key_depends_on_every_part_and_on_where_it_ends() -> None:
    keys = {cache_key("a", "b"), cache_key("ab", ""), cache_key("a", "b", ""), cache_key("b", "a")}
    assert len(keys) == 4
    assert cache_key("딸기") == cache_key("딸기")
