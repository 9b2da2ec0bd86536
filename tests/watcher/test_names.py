import os

import pytest

from watcher.names import belongs_to, is_request, kept_name, request_id, shown


@pytest.mark.parametrize("name", ["a.json", "딸기.json", "a.b.json", "-.json"])
def test_a_json_file_is_a_request(name: str) -> None:
    assert is_request(name)


@pytest.mark.parametrize("name", [".a.json", "a.json.tmp", "a.png", "json", "a.JSON", ".imagegen-1.json"])
def test_dot_files_and_other_endings_are_no_requests(name: str) -> None:
    assert not is_request(name)


@pytest.mark.parametrize("stem", ["a", "order-1204", "A.b_c-9", "x" * 128])
def test_a_plain_stem_is_the_id(stem: str) -> None:
    assert request_id(f"{stem}.json") == stem


@pytest.mark.parametrize("stem", ["딸기", "a b", ".a", "-a", "x" * 129, "a%2f", ""])
def test_any_other_stem_gets_an_id_that_depends_on_all_its_bytes(stem: str) -> None:
    identifier = request_id(f"{stem}.json")
    assert identifier.startswith("n-")
    assert len(identifier) == 18
    assert identifier != request_id(f"{stem}x.json")


def test_the_id_of_a_korean_name_is_the_documented_hash() -> None:
    # printf '딸기.json' | sha256sum
    assert request_id("딸기.json") == "n-d0bddce5152373f4"


def test_a_name_that_is_not_utf8_has_an_id_and_can_be_shown() -> None:
    name = os.fsdecode(b"\xff\xfe.json")
    assert request_id(name).startswith("n-")
    assert shown(name) == "\\xff\\xfe.json"


def test_files_behind_the_id_belong_to_the_request_but_requests_do_not() -> None:
    assert belongs_to("a.png", "a")
    assert not belongs_to("ab.png", "a")
    assert not belongs_to("a.b.json", "a")


@pytest.mark.parametrize("name", ["a.json", "딸기.json", "x" * 250 + ".json", ".png"])
def test_a_name_that_any_folder_takes_is_kept(name: str) -> None:
    assert kept_name(name) == name


@pytest.mark.parametrize("stem", ["x" * 900, "딸기" * 150, "x" * 251])
def test_a_request_with_a_longer_name_keeps_its_id_under_a_short_one(stem: str) -> None:
    kept = kept_name(f"{stem}.json")
    assert len(kept.encode()) <= 255
    assert is_request(kept)
    assert request_id(kept) == request_id(f"{stem}.json")


def test_an_ending_that_is_long_itself_is_not_kept() -> None:
    assert len(kept_name("a." + "x" * 900)) <= 255
