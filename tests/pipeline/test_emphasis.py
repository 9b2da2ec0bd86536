"""Only a template may give words a weight; what anybody else writes is read as it stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.prompt.builder import build
from pipeline.prompt.emphasis import LEAST, MOST, Fragment, escaped, fragments, literal, plain, units
from pipeline.prompt.keywords import extract
from pipeline.prompt.korean import KoreanExtractor
from pipeline.prompt.router import StyleDecision
from pipeline.prompt.slots import NAMES, Slots
from pipeline.prompt.templates import fill_negative, fill_positive
from pipeline.prompt.tokens import count_tokens
from pipeline.request import GenerationRequest
from pipeline.styles import Style
from store.manifest import PromptRecord
from tests.pipeline.samples import asked, plain_style

# what compel, A1111 or a regular expression would take for more than text
TRICKY = st.text(alphabet="ab ()\\,.+-\"'[]{}<>:0123456789%딸", max_size=60)
UNWEIGHTED = [
    "a (b:1.5)",
    "((cat))",
    "[abstract]",
    "C++ book",
    '"big" cat',
    "(cat)",
    "(cat)2",
    "(cat)1.5x",
    "cat++",
    "a)1.2",
]


def built(request: GenerationRequest, style: Style) -> PromptRecord:
    return build(request, extract(request, KoreanExtractor()), StyleDecision(style=style, reason="")).record


def read(prompt: str) -> list[tuple[str, float]]:
    return [(part.text, part.weight) for part in fragments(prompt)]


def test_words_in_parentheses_with_a_number_behind_count_by_it() -> None:
    assert read("a cat, (soft light, haze)1.2, grass") == [("a cat, ", 1), ("soft light, haze", 1.2), (", grass", 1)]


@pytest.mark.parametrize("prompt", UNWEIGHTED)
def test_all_else_is_text(prompt: str) -> None:
    assert read(prompt) == [(prompt, 1)]


@pytest.mark.parametrize(("written", "weight"), [("9.9", MOST), ("0.01", LEAST), ("1.3", 1.3), ("0.8", 0.8)])
def test_a_weight_is_kept_within_what_a_checkpoint_bears(written: str, weight: float) -> None:
    assert read(f"(cat){written}") == [("cat", weight)]


def test_escaped_words_may_stand_inside_of_a_weight() -> None:
    assert read(f"({escaped('a (b)1.3')})1.2") == [("a (b)1.3", 1.2)]


def test_blank_words_are_left_out() -> None:
    assert read("( )1.2 a") == [(" a", 1)]
    assert fragments("") == fragments(" \n") == fragments("()1.2") == literal(" ") == ()


@given(TRICKY)
def test_escaped_words_are_read_as_they_were_written(text: str) -> None:
    assert fragments(escaped(text)) == literal(text)


@given(TRICKY, TRICKY)
def test_escaped_words_change_nothing_of_the_template_around_them(before: str, after: str) -> None:
    found = fragments(f"{escaped(before)}(light)1.2, {escaped(after)}")
    assert Fragment(text="light", weight=1.2) in found
    assert plain(found) == f"{before}light, {after}"


@given(TRICKY)
def test_any_text_can_be_read(text: str) -> None:
    assert all(LEAST <= part.weight <= MOST and part.text for part in fragments(text))


def test_a_hostile_prompt_is_read_quickly() -> None:
    assert len(plain(fragments("(a" * 50_000))) == 100_000


@pytest.mark.parametrize("text", ["(cat)1.3", "\\(cat)1.3", "cat\\", "9 cats", "1.3 cat"])
@pytest.mark.parametrize(
    ("positive", "negative"),
    [("(sharp)1.1 {prompt}", "(text)1.2, {negative}"), ("({prompt})1.1, sharp", "({negative})1.2, text")],
)
def test_a_user_gives_no_weights_through_the_builder(text: str, positive: str, negative: str) -> None:
    request = asked(prompt=text, negative_prompt=text)
    style = plain_style(positive=positive, negative=negative)
    record = built(request, style)
    assert {part.weight for part in fragments(record.positive)} == {1, 1.1}
    assert {part.weight for part in fragments(record.negative)} == {1, 1.2}
    assert "cat" in plain(fragments(record.positive))


def test_what_fills_a_place_is_escaped_whatever_it_is() -> None:
    nothing = dict.fromkeys(NAMES, ())
    slots = Slots(terms={**nothing, "subject": ("(cat)1.3",)}, people="unspecified")
    assert read(fill_positive("(sharp)1.1, {subject}", slots)) == [("sharp", 1.1), (", (cat)1.3", 1)]
    filled = fill_negative("{with_people}, {negative}", negative="(x)1.3", with_people="(hands)1.1")
    assert read(filled) == [("hands", 1.1), (", (x)1.3", 1)]


@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("(a, b)1.2, c,d ,, e", ["(a, b)1.2", "c", "d", "e"]),
        ("x (a, b)1.2 y, c", ["x (a, b)1.2 y", "c"]),
        ("(a, b), c", ["(a", "b)", "c"]),
        ("\\(a, b)1.2", ["\\(a", "b)1.2"]),
        ("(a \\(b, c)1.2", ["(a \\(b, c)1.2"]),
        ("", []),
    ],
)
def test_words_that_share_a_weight_are_one_part(prompt: str, parts: list[str]) -> None:
    assert units(prompt) == parts


@given(TRICKY)
def test_parts_lose_nothing_but_commas_and_blanks(text: str) -> None:
    def bare(prompt: str) -> str:
        return prompt.translate({ord(sign): None for sign in ", "})

    assert bare("".join(units(text))) == bare(text)
    assert bare(plain(fragments(", ".join(units(text))))) == bare(plain(fragments(text)))


def test_raw_mode_leaves_the_prompt_alone() -> None:
    request = asked(prompt="a (cat)1.3", prompt_mode="raw")
    record = built(request, plain_style())
    assert record.positive == "a (cat)1.3"
    assert record.tokens.positive == count_tokens("a (cat)1.3")
