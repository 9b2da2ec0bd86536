"""A bank keeps scenes as latents: drawn once, encoded once, and worded anew each time."""

import random

import pytest
import torch

from pipeline.builtin.networks import STYLES, make
from pipeline.training.captions import Captions
from pipeline.training.lessons import Bank
from pipeline.training.pictograms import Pictograms
from pipeline.training.presets import SMOKE

SIZE = SMOKE.shape.size


@pytest.fixture(scope="module")
def bank(pictograms: Pictograms) -> Bank:
    torch.manual_seed(1)
    bank = Bank(pictograms, SIZE, 5, seed=1)
    bank.fill(make(SMOKE.shape, ["apple"]).vae.eval(), torch.device("cpu"))
    return bank


def test_the_styles_take_turns(bank: Bank) -> None:
    found = [bank.lesson(step, 2, Captions(), random.Random(step)).style for step in range(6)]
    assert found == [*STYLES, *STYLES]


def test_a_lesson_holds_latents_captions_and_where_wanted_edges_of_a_batch(bank: Bank) -> None:
    lesson = bank.lesson(0, 7, Captions(), random.Random(1), with_edges=True)
    assert lesson.latents.shape == (7, 4, SIZE // 8, SIZE // 8)
    assert lesson.latents.dtype == torch.float32
    assert len(lesson.captions) == 7
    assert lesson.edges is not None
    assert lesson.edges.shape == (7, 3, SIZE, SIZE)
    assert set(lesson.edges.unique().tolist()) == {0.0, 1.0}
    assert bank.lesson(0, 7, Captions(), random.Random(1)).edges is None


def test_the_same_chance_gives_the_same_lesson_and_another_chance_another(bank: Bank) -> None:
    first, again, other = (bank.lesson(3, 4, Captions(), random.Random(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.latents, again.latents)
    assert first.captions == again.captions
    assert first.captions != other.captions


def test_a_filled_bank_is_not_drawn_again(bank: Bank) -> None:
    before = bank.latents()
    bank.fill(make(SMOKE.shape, ["apple"]).vae, torch.device("cpu"))
    assert torch.equal(before, bank.latents())
    assert before.shape[0] == 5 * len(STYLES)
