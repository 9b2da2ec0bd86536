"""Pictures to learn from: one object or two, somewhere on a plain ground."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.training.pictograms import Pictograms

# named colours of the ground; each is moved a little, so that a word means a range
GROUNDS: Final = {
    "white": (250, 250, 250),
    "light gray": (205, 208, 212),
    "light blue": (176, 214, 240),
    "blue": (58, 110, 200),
    "mint green": (178, 232, 208),
    "green": (70, 160, 90),
    "yellow": (250, 220, 90),
    "orange": (245, 160, 70),
    "pink": (248, 190, 205),
    "red": (205, 60, 60),
    "purple": (150, 110, 200),
    "beige": (236, 220, 196),
    "brown": (130, 92, 62),
    "black": (24, 24, 28),
}
_PAIRS = 0.4
_ALONE, _BESIDE = (0.62, 0.98), (0.40, 0.52)
_SHAKE = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A picture, RGB, uint8, (size, size, 3); its style, the objects it shows, by index, and its ground."""

    picture: NDArray[np.uint8]
    style: str
    shown: tuple[int, ...]
    ground: str


class Scenes:
    """Draws scenes at random from a corpus; the same chance gives the same scenes."""

    def __init__(self, pictograms: Pictograms, size: int, chance: random.Random) -> None:
        self._pictograms = pictograms
        self._size = size
        self._chance = chance

    def draw(self, style: str) -> Scene:
        """One scene in a style."""
        count = 2 if self._chance.random() < _PAIRS else 1
        shown = tuple(self._chance.sample(range(len(self._pictograms.objects)), count))
        ground = self._chance.choice(list(GROUNDS))
        picture = Image.new("RGB", (self._size, self._size), self._shaken(GROUNDS[ground]))
        for place, index in enumerate(shown):
            self._lay(picture, style, index, place, count)
        return Scene(picture=np.array(picture), style=style, shown=shown, ground=ground)

    def _lay(self, picture: Image.Image, style: str, index: int, place: int, count: int) -> None:
        side = round(self._size * self._chance.uniform(*(_ALONE if count == 1 else _BESIDE)))
        width = self._size // count
        left = place * width + round((width - side) * self._chance.uniform(0.3, 0.7))
        top = round((self._size - side) * self._chance.uniform(0.2, 0.8))
        drawn = Image.fromarray(self._pictograms.pictures[style][index]).resize((side, side), Image.Resampling.BILINEAR)
        if self._chance.random() < 1 / 2:
            drawn = drawn.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        picture.paste(drawn, (left, top), drawn)

    def _shaken(self, colour: Sequence[int]) -> tuple[int, ...]:
        return tuple(min(255, max(0, value + self._chance.randint(-_SHAKE, _SHAKE))) for value in colour)
