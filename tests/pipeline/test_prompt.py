"""What the user wrote becomes what the checkpoint reads: as it is, or in the style's words."""

from typing import Any

import pytest

from pipeline.prompt.builder import build
from pipeline.prompt.keywords import extract
from pipeline.prompt.router import StyleDecision, route
from pipeline.styles import load_styles
from store.errors import UnknownStyle
from store.manifest import PromptRecord
from tests.pipeline.samples import asked, plain_style


def built(
    positive: str = "picture of {prompt}, sharp", negative: str = "text, {negative}", **fields: Any
) -> PromptRecord:
    request = asked(**fields)
    style = plain_style(positive=positive, negative=negative)
    return build(request, extract(request), StyleDecision(style=style, reason="because"))


@pytest.mark.parametrize("prompt", ["a cat", "  a   cat,, \n(x:1.3) {prompt} ", "고양이"])
def test_raw_leaves_the_prompts_exactly_as_they_are(prompt: str) -> None:
    record = built(prompt=prompt, negative_prompt=", " + prompt, prompt_mode="raw")
    assert (record.positive, record.negative) == (prompt, ", " + prompt)


def test_raw_without_a_negative_prompt_has_none() -> None:
    assert built(prompt_mode="raw").negative == ""


def test_auto_puts_the_words_into_the_styles_template() -> None:
    record = built(prompt="a cat", negative_prompt="blurry")
    assert (record.positive, record.negative) == ("picture of a cat, sharp", "text, blurry")


def test_the_users_extra_words_stand_behind_the_prompt() -> None:
    assert built(prompt="딸기 케이크", user_input="밝게").positive == "picture of 딸기 케이크, 밝게, sharp"


@pytest.mark.parametrize(
    "template", ["text, {negative}", "{negative}, text", "text, {negative} ,", ",{negative}, text"]
)
def test_a_part_that_stays_empty_disappears_with_its_comma(template: str) -> None:
    assert built(negative=template).negative == "text"


def test_a_part_between_two_others_disappears_with_one_comma() -> None:
    assert built(negative="text, {negative}, logo").negative == "text, logo"


def test_commas_and_spaces_around_the_users_words_do_not_pile_up() -> None:
    record = built(prompt=" , a cat,, asleep ,", user_input=" ,, ", negative_prompt=",blurry, ")
    assert record.positive == "picture of a cat, asleep, sharp"
    assert record.negative == "text, blurry"


def test_line_breaks_in_the_users_words_become_spaces() -> None:
    assert built(prompt="a\n\tcat  asleep").positive == "picture of a cat asleep, sharp"


@pytest.mark.parametrize("words", ["{}", "{prompt}", "{negative}", "{0.__class__}", "a {cat", "100% %s", r"\1 \g<0>"])
def test_what_looks_like_a_placeholder_in_the_users_words_stays_what_it_is(words: str) -> None:
    record = built(prompt=words, negative_prompt=words)
    assert record.positive == f"picture of {words}, sharp"
    assert record.negative == f"text, {words}"


def test_the_record_tells_how_the_prompt_came_about() -> None:
    record = built(prompt="a cat", user_input="asleep")
    assert (record.style, record.style_reason, record.extractor) == ("plain", "because", "verbatim")
    assert record.keywords == {"subject": "a cat, asleep"}


def test_auto_is_drawn_in_the_configured_style() -> None:
    decision = route(asked(style="auto"), load_styles(), "anime")
    assert (decision.style.name, decision.reason) == ("anime", "configured default")


def test_a_request_that_names_no_style_is_drawn_in_the_configured_one() -> None:
    assert route(asked(), load_styles(), "illustration").style.name == "semi_realistic"


@pytest.mark.parametrize(
    ("alias", "name"), [("realistic", "ultra_realistic"), ("illustration", "semi_realistic"), ("anime", "anime")]
)
def test_a_style_the_request_names_outranks_the_configured_one(alias: str, name: str) -> None:
    decision = route(asked(style=alias), load_styles(), "semi_realistic")
    assert (decision.style.name, decision.reason) == (name, "named in the request")


def test_a_style_nobody_configured_is_refused() -> None:
    with pytest.raises(UnknownStyle):
        route(asked(style="oil"), load_styles(), "anime")
