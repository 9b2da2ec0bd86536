"""A corpus of six plain shapes in three styles, so that trainings need no download."""

import colorsys

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipeline.builtin.networks import STYLES
from pipeline.training.pictograms import Pictogram, Pictograms

NAMES = ("apple", "orange", "leaf", "river", "grape", "rose")
SIDE = 64


def shape(index: int, style: int) -> Image.Image:
    picture = Image.new("RGBA", (SIDE, SIDE))
    colour = tuple(round(255 * part) for part in colorsys.hsv_to_rgb(index / len(NAMES), 0.9, 0.9))
    draw = ImageDraw.Draw(picture)
    (draw.ellipse, draw.rectangle, draw.rounded_rectangle)[style]((10, 10, 54, 54), fill=colour)
    return picture


@pytest.fixture(scope="session")
def pictograms() -> Pictograms:
    objects = tuple(
        Pictogram(code=f"1f{index}", name=name, korean="그림", words=("thing",)) for index, name in enumerate(NAMES)
    )
    pictures = {
        style: np.stack([np.asarray(shape(index, number)) for index in range(len(NAMES))])
        for number, style in enumerate(STYLES)
    }
    return Pictograms(objects=objects, pictures=pictures)
