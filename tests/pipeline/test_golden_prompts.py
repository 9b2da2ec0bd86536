"""Requests as shop owners write them: what the rules must find in each, and what no prompt may hold."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from pipeline.prompt.decide import decide_from
from pipeline.prompt.fitting import count_read
from pipeline.prompt.hangul import has_hangul
from pipeline.prompt.keywords import Keywords
from pipeline.prompt.korean import KoreanExtractor
from pipeline.prompt.tokens import WINDOW
from pipeline.styles import load_styles
from tests.pipeline.samples import asked

GOLDEN = tomllib.loads((Path(__file__).parent / "golden_prompts.toml").read_text("utf-8"))["request"]
STYLES = load_styles()
every_request = pytest.mark.parametrize("golden", GOLDEN, ids=[one["prompt"][:20] for one in GOLDEN])


def read(golden: dict[str, Any]) -> Keywords:
    return KoreanExtractor()(golden["prompt"], "")


def said(keywords: Keywords) -> str:
    several = (*keywords.attributes, *keywords.mood, *keywords.palette)
    single = (keywords.action, keywords.setting, keywords.time_season, keywords.lighting, keywords.shot)
    return " | ".join((keywords.subject, *several, *single)).lower()


def found(golden: dict[str, Any]) -> list[bool]:
    text = said(read(golden))
    return [any(word in text for word in concept.split("|")) for concept in golden["concepts"]]


def test_nineteen_of_twenty_concepts_are_found() -> None:
    results = [one for golden in GOLDEN for one in found(golden)]
    assert len(GOLDEN) >= 60
    assert sum(results) / len(results) >= 0.95


@every_request
def test_most_of_what_a_request_says_is_found(golden: dict[str, Any]) -> None:
    results = found(golden)
    assert sum(results) / len(results) >= 0.75, said(read(golden))


@every_request
def test_style_purpose_shape_lettering_and_exclusions_are_found(golden: dict[str, Any]) -> None:
    keywords = read(golden)
    assert keywords.style == golden.get("style", "unspecified")
    assert keywords.purpose == golden.get("purpose")
    assert keywords.aspect_ratio == golden.get("aspect_ratio")
    assert keywords.overlay_texts == tuple(golden.get("overlay_texts", ()))
    assert set(keywords.exclusions) == set(golden.get("exclusions", ()))


@pytest.mark.parametrize("golden", [one for one in GOLDEN if "cast" in one], ids=lambda one: one["prompt"][:20])
def test_tags_say_who_is_there(golden: dict[str, Any]) -> None:
    record = decide_from(read(golden), asked(prompt=golden["prompt"], style="anime"), STYLES, "anime").built.record
    assert record.positive.startswith(golden["cast"])
    assert ("solo" in record.positive.split(", ")) == golden["cast"].endswith("solo")


@every_request
@pytest.mark.parametrize("style", sorted(STYLES.styles))
def test_no_prompt_holds_hangul_or_lettering_or_more_than_is_read(golden: dict[str, Any], style: str) -> None:
    keywords = read(golden)
    record = decide_from(keywords, asked(prompt=golden["prompt"], style=style), STYLES, style).built.record
    assert record.positive.isascii()
    assert record.negative.isascii()
    assert not has_hangul(record.positive + record.negative)
    assert not any(text.lower() in record.positive.lower() for text in keywords.overlay_texts)
    assert max(count_read(record.positive), count_read(record.negative)) <= WINDOW
