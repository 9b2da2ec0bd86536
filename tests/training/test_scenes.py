"""Scenes show what they say, and captions are what the prompt system makes of their words."""

import random

import numpy as np

from pipeline.builtin.networks import STYLES
from pipeline.prompt.tokens import count_tokens
from pipeline.training.captions import Captions
from pipeline.training.pictograms import Pictograms
from pipeline.training.scenes import GROUNDS, Scenes


def test_a_scene_shows_one_object_or_two(pictograms: Pictograms) -> None:
    scenes = Scenes(pictograms, 64, random.Random(1))
    drawn = [scenes.draw("anime") for _ in range(60)]
    assert {len(scene.shown) for scene in drawn} == {1, 2}
    assert all(scene.picture.shape == (64, 64, 3) for scene in drawn)


def test_the_ground_of_a_scene_is_the_one_it_says(pictograms: Pictograms) -> None:
    scenes = Scenes(pictograms, 64, random.Random(2))
    for scene in (scenes.draw("anime") for _ in range(80)):
        assert np.abs(scene.picture[0, 0].astype(int) - GROUNDS[scene.ground]).max() <= 12


def test_the_same_chance_gives_the_same_scenes(pictograms: Pictograms) -> None:
    first, again = (Scenes(pictograms, 64, random.Random(3)).draw("anime") for _ in range(2))
    assert (first.shown, first.ground) == (again.shown, again.ground)
    assert np.array_equal(first.picture, again.picture)


def test_captions_are_what_the_prompt_system_builds(pictograms: Pictograms) -> None:
    captions = Captions()
    for style in STYLES:
        positive, negative = captions.built("a river on a blue background", style)
        assert "river" in positive
        assert "text" in negative
        assert count_tokens(positive) <= 77


def test_some_captions_are_dropped_bare_or_negative_so_that_guidance_has_something_to_leave(
    pictograms: Pictograms,
) -> None:
    captions, chance = Captions(), random.Random(5)
    given = [captions.caption("a river", "anime", chance) for _ in range(400)]
    positive, negative = captions.built("a river", "anime")
    assert set(given) == {positive, negative, "", "a river"}
    assert 10 < given.count("") + given.count(negative) < 90
