"""Words for a scene name all that is in it, in as many ways as people have."""

import random

from pipeline.training.pictograms import Pictogram
from pipeline.training.wording import ASIDES, QUALITIES, with_article, words_for

APPLE = Pictogram(code="1f34e", name="red apple", korean="빨간 사과", words=(), names=("apple",))
CAKE = Pictogram(code="1f370", name="cake", korean="케이크", words=("dessert",))


def said(shown: list[Pictogram], ground: str) -> set[str]:
    chance = random.Random(1)
    return {words_for(shown, ground, chance) for _ in range(6_000)}


def plain(said: set[str]) -> set[str]:
    """Those in which nothing is said besides."""
    return {words for words in said if not any(beside in words for beside in (*ASIDES, *QUALITIES))}


def test_every_object_is_named_by_one_of_its_names() -> None:
    for words in said([APPLE, CAKE], "white"):
        assert "apple" in words
        assert "cake" in words


def test_an_object_is_called_by_all_of_its_names_with_and_without_an_article() -> None:
    assert plain(said([APPLE], "white")) == {"red apple", "a red apple", "apple", "an apple"}


def test_a_word_that_goes_with_an_object_stands_beside_its_name_now_and_then() -> None:
    assert plain(said([CAKE], "white")) == {"cake", "a cake", "cake, dessert", "a cake, dessert"}


def test_two_objects_are_joined_or_listed() -> None:
    assert {"red apple and cake", "red apple, cake"} <= said([APPLE, CAKE], "white")


def test_a_colour_of_the_ground_is_mostly_named_and_white_never() -> None:
    assert all("background" not in words for words in said([APPLE], "white"))
    assert all("black background" in words for words in said([APPLE], "black"))
    assert {"red apple", "red apple on an orange background", "red apple, orange background"} <= said([APPLE], "orange")
    assert {"red apple, light blue background", "red apple, sky blue background"} <= said([APPLE], "light blue")


def test_articles_follow_the_sound() -> None:
    assert [with_article(name) for name in ("apple", "cat", "orange background")] == [
        "an apple",
        "a cat",
        "an orange background",
    ]


def test_now_and_then_something_is_said_that_the_picture_does_not_show() -> None:
    words = said([APPLE], "white")
    assert all(any(beside in one for one in words) for beside in (*ASIDES, *QUALITIES))
    assert {"a cute apple", "apple on a white plate", "apple, soft light"} <= words
