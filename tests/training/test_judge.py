"""A judge sees all styles in a step, and soft pictures as well as sharp ones."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from pipeline.builtin.networks import STYLES
from pipeline.training.judge import judge_loss
from pipeline.training.loader import Batch, as_tensor

SIDE = 8


def batch(style: str, *shown: tuple[int, ...]) -> Batch:
    chance = np.random.default_rng(len(style))
    pictures = chance.integers(0, 256, (len(shown), SIDE, SIDE, 3), dtype=np.uint8)
    return Batch(style=style, pictures=pictures, shown=shown, grounds=("white",) * len(shown))


class Oracle(torch.nn.Module):
    """Answers what it was told to, and keeps what it was shown."""

    def __init__(self, objects: torch.Tensor, styles: torch.Tensor) -> None:
        super().__init__()
        self.answers = objects, styles

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.pictures = pictures
        return self.answers


BATCHES = [batch(STYLES[0], (0,), (1, 2)), batch(STYLES[2], (2,), (0,))]
SURE = 50.0
OBJECTS = torch.tensor([[SURE, 0, 0], [0, SURE, SURE], [0, 0, SURE], [SURE, 0, 0]])
NAMED = torch.tensor([[SURE, 0, 0], [SURE, 0, 0], [0, 0, SURE], [0, 0, SURE]])


def loss(objects: torch.Tensor, styles: torch.Tensor) -> float:
    return judge_loss(Oracle(objects, styles), BATCHES, torch.device("cpu")).item()  # type: ignore[arg-type]


def test_right_answers_about_several_styles_at_once_cost_only_the_doubt_between_two_objects() -> None:
    # a judge that is sure of both of two objects is half sure of each: ln 2, in one of four pictures
    assert loss(OBJECTS, NAMED) == pytest.approx(np.log(2) / 4, abs=1e-6)


@pytest.mark.parametrize("row", range(4))
def test_each_wrong_answer_costs(row: int) -> None:
    right = loss(OBJECTS, NAMED)
    assert loss(OBJECTS, torch.stack([NAMED[at].roll(int(at == row)) for at in range(4)])) > right + 1
    assert loss(torch.stack([OBJECTS[at].roll(int(at == row)) for at in range(4)]), NAMED) > right + 1


def test_every_second_picture_is_shown_in_half_as_many_pixels() -> None:
    oracle = Oracle(OBJECTS, NAMED)
    judge_loss(oracle, BATCHES, torch.device("cpu"))  # type: ignore[arg-type]
    whole = torch.cat([as_tensor(one.pictures) for one in BATCHES])
    assert torch.equal(oracle.pictures[1::2], whole[1::2])
    halved = functional.avg_pool2d(whole[::2], 2)
    assert torch.allclose(oracle.pictures[::2].mean(dim=(2, 3)), halved.mean(dim=(2, 3)), atol=0.05)
    assert oracle.pictures[::2].std() < 0.6 * whole[::2].std()
