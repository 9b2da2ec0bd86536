"""A model may repeat the lettering among its words; it is taken out again, and only it."""

import pytest

from pipeline.prompt.keywords import Keywords
from pipeline.prompt.merging import merged

RULES = Keywords(extractor="rules", subject="what the rules read")


def joined(subject: str, lettering: str, **fields: str) -> Keywords:
    rules = Keywords(extractor="rules", subject=RULES.subject, overlay_texts=(lettering,))
    return merged(Keywords(extractor="llm", subject=subject, **fields), rules)


@pytest.mark.parametrize(
    ("subject", "lettering", "left"),
    [
        ("cake, Grand opening", "Grand Opening", "cake"),
        ("grand opening of a cafe", "Grand Opening!", "of a cafe"),
        ("bread with SALE and sales", "SALE", "bread with and sales"),
        ("coffee with COFFEE on it", "COFFEE", "coffee with on it"),
        ("cake, 50 off", "50% OFF", "cake"),
        ("cup of coffee", "coffee", "cup of coffee"),
        ("strawberry cake", "봄 신메뉴", "strawberry cake"),
        ("SALE", "SALE", "what the rules read"),
    ],
)
def test_lettering_leaves_what_a_model_says_shows(subject: str, lettering: str, left: str) -> None:
    assert joined(subject, lettering).subject == left


def test_lettering_leaves_every_slot() -> None:
    rules = Keywords(extractor="rules", overlay_texts=("Big SALE",))
    said = ("big sale", "red")
    model = Keywords(
        extractor="llm",
        subject="shop, big sale",
        attributes=said,
        action="big sale going on",
        setting="street, big sale",
        time_season="big sale",
        lighting="big sale",
        mood=said,
        palette=said,
        shot="big sale",
        exclusions=said,
    )
    found = merged(model, rules)
    assert (found.subject, found.action, found.setting) == ("shop", "going on", "street")
    assert (found.time_season, found.lighting, found.shot) == ("", "", "")
    assert found.attributes == found.mood == found.palette == found.exclusions == ("red",)
