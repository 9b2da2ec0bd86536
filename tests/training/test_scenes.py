"""Scenes show what their words say, and the same chance gives the same scenes."""

import random

import numpy as np

from pipeline.prompt.tokens import count_tokens
from pipeline.training.captions import Captions
from pipeline.training.pictograms import Pictograms
from pipeline.training.presets import STYLES
from pipeline.training.scenes import GROUNDS, Scenes, with_article


def test_a_scene_names_every_object_it_shows(pictograms: Pictograms) -> None:
    scenes = Scenes(pictograms, 64, random.Random(1))
    drawn = [scenes.draw("anime") for _ in range(60)]
    assert {len(scene.shown) for scene in drawn} == {1, 2}
    for scene in drawn:
        assert all(pictograms.objects[index].name in scene.words for index in scene.shown)
        assert scene.picture.shape == (64, 64, 3)


def test_a_ground_that_is_named_is_there(pictograms: Pictograms) -> None:
    scenes = Scenes(pictograms, 64, random.Random(2))
    named = [scene for scene in (scenes.draw("anime") for _ in range(80)) if "background" in scene.words]
    assert named
    for scene in named:
        ground = next(name for name in sorted(GROUNDS, key=len, reverse=True) if f" {name} background" in scene.words)
        assert np.abs(scene.picture[0, 0].astype(int) - GROUNDS[ground]).max() <= 12


def test_the_same_chance_gives_the_same_scenes(pictograms: Pictograms) -> None:
    first, again = (Scenes(pictograms, 64, random.Random(3)).draw("anime") for _ in range(2))
    assert first.words == again.words
    assert np.array_equal(first.picture, again.picture)


def test_articles_follow_the_sound() -> None:
    assert [with_article(name) for name in ("apple", "cat", "orange background")] == [
        "an apple",
        "a cat",
        "an orange background",
    ]


def test_captions_are_what_the_prompt_system_builds(pictograms: Pictograms) -> None:
    captions = Captions(random.Random(4))
    for style in STYLES:
        positive, negative = captions.built("a river on a blue background", style)
        assert "river" in positive
        assert "text" in negative
        assert count_tokens(positive) <= 77


def test_some_captions_are_dropped_bare_or_negative_so_that_guidance_has_something_to_leave(
    pictograms: Pictograms,
) -> None:
    captions = Captions(random.Random(5))
    given = [captions.caption("a river", "anime") for _ in range(400)]
    positive, negative = captions.built("a river", "anime")
    assert set(given) == {positive, negative, "", "a river"}
    assert 10 < given.count("") + given.count(negative) < 90
