"""Words for a scene, as different people would ask for it."""

import random
from collections.abc import Sequence
from typing import Final

from pipeline.training.pictograms import Pictogram

_OTHER_NAME, _WORD_BESIDE, _ARTICLE = 0.4, 0.2, 0.5
_QUALITY, _ASIDE = 0.15, 0.25
_NAMED_GROUND, _GROUND_APART, _PAIR_APART = 0.6, 0.4, 0.3
_VOWELS = "aeiou"
_OTHER_GROUNDS = {"light blue": "sky blue", "light gray": "gray"}
# what people say besides, of which a pictogram shows nothing: networks have to learn to leave it out
QUALITIES: Final = ("cute", "fresh", "delicious", "warm", "small", "pretty", "sweet", "cozy", "hot", "cool")
ASIDES: Final = (
    "on a white plate",
    "on a wooden table",
    "on a white table",
    "by the window",
    "in the morning",
    "at night",
    "in autumn",
    "in spring",
    "in the garden",
    "in a cafe",
    "morning sunlight",
    "soft light",
    "warm light",
    "cozy atmosphere",
    "autumn mood",
    "pastel tones",
    "close-up",
    "simple composition",
    "studio lighting",
    "centered",
    "window",
    "product photo",
)


def words_for(shown: Sequence[Pictogram], ground: str, chance: random.Random) -> str:
    """What somebody might write who wants the objects shown on a ground of that colour."""
    names = [_called(pictogram, chance) for pictogram in shown]
    words = (", " if chance.random() < _PAIR_APART else " and ").join(names)
    if chance.random() < _ASIDE:
        words += f"{chance.choice((' ', ', '))}{chance.choice(ASIDES)}"
    # a plain ground goes without saying where it is white
    if ground == "white" or (ground != "black" and chance.random() > _NAMED_GROUND):
        return words
    if ground in _OTHER_GROUNDS and chance.random() < 1 / 2:
        ground = _OTHER_GROUNDS[ground]
    if chance.random() < _GROUND_APART:
        return f"{words}, {ground} background"
    return f"{words} on {with_article(ground)} background"


def with_article(name: str) -> str:
    """The name with "a" or "an"."""
    return f"{'an' if name[:1].lower() in _VOWELS else 'a'} {name}"


def _called(pictogram: Pictogram, chance: random.Random) -> str:
    name = pictogram.name
    if pictogram.names and chance.random() < _OTHER_NAME:
        name = chance.choice(pictogram.names)
    if chance.random() < _QUALITY:
        name = f"{chance.choice(QUALITIES)} {name}"
    if chance.random() < _ARTICLE:
        name = with_article(name)
    if pictogram.words and chance.random() < _WORD_BESIDE:
        name = f"{name}, {chance.choice(pictogram.words)}"
    return name
