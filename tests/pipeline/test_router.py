"""Who decides the style: the request, the user's words, the extractor's guess, the purpose, the configuration."""

from typing import Any

import pytest

from pipeline.prompt.keywords import Keywords
from pipeline.prompt.korean import KoreanExtractor
from pipeline.prompt.router import StyleDecision, route
from pipeline.styles import load_styles
from store.errors import UnknownStyle
from tests.pipeline.samples import asked

STYLES = load_styles()


def routed(default: str = "semi_realistic", keywords: Keywords | None = None, **fields: Any) -> StyleDecision:
    request = asked(**fields)
    return route(request, keywords or KoreanExtractor()(request.prompt, request.user_input), STYLES, default)


def guessed(style: Any, confidence: float = 0.7) -> Keywords:
    return Keywords(extractor="model", style=style, style_confidence=confidence)


def test_auto_is_drawn_in_the_configured_style() -> None:
    decision = routed("anime", style="auto")
    assert (decision.style.name, decision.reason) == ("anime", "configured default")


@pytest.mark.parametrize(
    ("alias", "name"), [("realistic", "ultra_realistic"), ("illustration", "semi_realistic"), ("anime", "anime")]
)
def test_a_style_the_request_names_outranks_all_words(alias: str, name: str) -> None:
    decision = routed(style=alias, prompt="웹툰 느낌의 수채화 사진")
    assert (decision.style.name, decision.reason) == (name, "named in the request")


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("실사 느낌의 고양이", "ultra_realistic"),
        ("수채화로 그린 고양이", "semi_realistic"),
        ("애니 그림체 고양이", "anime"),
        ("a cat, anime style", "anime"),
        ("a photograph of a cat", "ultra_realistic"),
        ("watercolor illustration of a cat", "semi_realistic"),
        ("사진 같은 일러스트 고양이", "semi_realistic"),
        ("일러스트 느낌의 웹툰 고양이", "anime"),
    ],
)
def test_words_for_a_style_outrank_the_configured_one(prompt: str, name: str) -> None:
    decision = routed("anime" if name != "anime" else "realistic", prompt=prompt)
    assert decision.style.name == name
    assert decision.reason.endswith("the words ask for it")


def test_a_style_that_is_not_wanted_is_not_taken() -> None:
    assert routed("anime", prompt="애니메이션 말고 실사로 고양이").style.name == "ultra_realistic"


def test_a_guess_outranks_the_purpose_and_says_how_sure_it_is() -> None:
    decision = routed(keywords=guessed("anime"), purpose="product")
    assert (decision.style.name, decision.reason) == ("anime", "anime: guessed by model, confidence 0.70")


def test_products_are_photographed_unless_somebody_says_otherwise() -> None:
    assert routed("anime", purpose="product").style.name == "ultra_realistic"
    assert routed("anime", prompt="향수 제품컷 일러스트로").style.name == "semi_realistic"


def test_a_style_that_was_replaced_is_passed_over() -> None:
    only = STYLES.model_copy(update={"styles": {"anime": STYLES.find("anime")}})
    assert route(asked(), guessed("realistic"), only, "anime").style.name == "anime"


def test_a_style_nobody_configured_is_refused() -> None:
    with pytest.raises(UnknownStyle):
        routed(style="oil")
