import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.prompt.exchange import MAX_CHARACTERS, Said
from pipeline.prompt.keywords import Keywords
from pipeline.prompt.schema import MAX_LETTERING, Answer, keywords_of
from pipeline.prompt.tolerant import read_answer
from tests.pipeline.llm_server import FORM

ALLOWED = re.compile(r"[A-Za-z0-9 ,.'/&-]*")


def read(*texts: str, **changes: object) -> Keywords:
    return keywords_of(Answer.model_validate({**FORM, **changes}), *texts)


@pytest.mark.parametrize(
    ("said", "phrase", "unknown"),
    [
        ("딸기 latte", "latte", ("딸기",)),
        ("latte(라떼)", "latte", ("라떼",)),
        ("café crème", "cafe creme", ()),
        ("cat’s tail – red", "cat's tail - red", ()),  # noqa: RUF001
        ("ＳＡＬＥ cup", "SALE cup", ()),  # noqa: RUF001
        ("東京 tower ✨", "tower", ("東京",)),
        ("(cat:1.5), [dog]++ <lora:x>", "cat 1.5 , dog lora x", ()),
        ("a---b  --  c", "a-b - c", ()),
        ("N/A", "", ()),
        ("word " * 30, "word word word word word word word word", ()),
        ("x" * 100, "x" * 40, ()),
    ],
)
def test_only_plain_english_comes_through(said: str, phrase: str, unknown: tuple[str, ...]) -> None:
    found = read(setting=said, untranslated=[])
    assert (found.setting, found.unknown_words) == (phrase, unknown)


def test_lists_lose_doubles_and_what_is_empty() -> None:
    assert read(attributes=["Red", "", "red", "파란", "none", "blue"]).attributes == ("red", "blue")


@pytest.mark.parametrize(
    ("lettering", "kept"),
    [
        ("봄  신메뉴", ("봄 신메뉴",)),
        ("여름 신메뉴", ()),
        ("strawberry latte", ()),
        ("봄 신메뉴 strawberry latte", ()),
        (unicodedata.normalize("NFD", "신메뉴"), ("신메뉴",)),
    ],
)
def test_lettering_is_kept_word_for_word_if_it_was_said_and_is_not_the_subject(
    lettering: str, kept: tuple[str, ...]
) -> None:
    assert read("봄 신메뉴 strawberry latte", overlay_texts=[lettering]).overlay_texts == kept


def test_a_style_that_is_not_said_is_neither_explicit_nor_sure() -> None:
    found = read(style="unspecified", style_explicit=True, style_confidence="high")
    assert (found.style_explicit, found.style_confidence) == (False, 0.0)


LINES = st.lists(st.text(max_size=200), max_size=30)
ANSWERS = st.fixed_dictionaries(
    {
        **{name: st.text(max_size=300) for name in ("subject", "action", "setting", "time_season", "lighting", "shot")},
        **dict.fromkeys(("attributes", "mood", "palette", "exclusions", "overlay_texts", "untranslated"), LINES),
    }
)


@given(ANSWERS, st.text(max_size=200))
def test_whatever_a_model_says_keywords_are_short_and_plain(said: dict[str, object], text: str) -> None:
    found = read(text, **said)
    lines = (found.subject, found.intent)
    lists = (*found.attributes, *found.mood, *found.palette, *found.exclusions)
    phrases = (found.action, found.setting, found.time_season, found.lighting, found.shot, *lists)
    assert all(ALLOWED.fullmatch(one) for one in (*lines, *phrases))
    assert all(len(line) <= 80 for line in lines)
    assert all(len(phrase) <= 40 for phrase in phrases)
    assert len(lists) <= 6 + 4 + 4 + 6
    assert all(len(one) <= MAX_LETTERING for one in found.overlay_texts)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(list(FORM)), JSON))
def test_any_object_can_be_read_as_an_answer(said: dict[str, object]) -> None:
    assert read_answer(f"Here: {json.dumps(said)}.") is not None


@given(st.text(max_size=200))
def test_any_text_is_an_answer_or_none(text: str) -> None:
    assert read_answer(text) is None or "{" in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "}{",
        "[1]",
        '{"a": 1',
        "{" * 2000 + "}" * 2000,
        '{"a":' * 100_000 + "}",
        '{"subject": ' + "9" * 5000 + "}",
    ],
)
def test_what_holds_no_object_is_no_answer(text: str) -> None:
    assert read_answer(text) is None


def test_what_was_said_is_composed_sendable_and_short() -> None:
    said = Said.of(unicodedata.normalize("NFD", "딸기"), "\udcff" + "x" * 2000)
    assert said.prompt == "딸기"
    assert said.user_input.encode()
    assert len(said.user_input) == MAX_CHARACTERS
