"""What the built-in checkpoints draw can be told: colours, grounds, styles, and the edges of a reference."""

import io
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pipeline.generator import Generator
from pipeline.training.edges import edges

SIDE = 128
STYLES = ("ultra_realistic", "semi_realistic", "anime")
Pixels = NDArray[np.float64]
Draw = Callable[..., Pixels]


@pytest.fixture(scope="module")
def draw(generator: Generator) -> Draw:
    drawn: dict[object, Pixels] = {}

    def drawing(prompt: str, style: str = "anime", reference: Image.Image | None = None, **more: object) -> Pixels:
        key = (prompt, style, reference and reference.tobytes(), *more.items())
        if key not in drawn:
            wanted = {"style": style, "seed": 1, **more}
            data = generator.generate_image(prompt, reference, **wanted).images[0].data  # type: ignore[arg-type]
            drawn[key] = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=float) / 255
        return drawn[key]

    return drawing


def rim(picture: Pixels) -> Pixels:
    return np.concatenate([*picture[:6], *picture[-6:], *picture[:, [0, -1]]])


def ground(picture: Pixels) -> Pixels:
    """The median colour of the picture's rim."""
    return np.asarray(np.median(rim(picture), axis=0))


def thing(picture: Pixels) -> Pixels:
    """The pixels, (any number, 3), that are not of the ground's colour."""
    return picture[np.abs(picture - ground(picture)).max(axis=2) > 0.25]


def share(pixels: Pixels, colour: Callable[[Pixels, Pixels, Pixels], NDArray[np.bool_]]) -> float:
    return float(colour(*pixels.T).mean())


def red(r: Pixels, g: Pixels, b: Pixels) -> NDArray[np.bool_]:
    return (r > g + 0.2) & (r > b + 0.2)


def yellow(r: Pixels, g: Pixels, b: Pixels) -> NDArray[np.bool_]:
    return (r > b + 0.2) & (g > b + 0.15)


def green(r: Pixels, g: Pixels, b: Pixels) -> NDArray[np.bool_]:
    return (g > r) & (g > b)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("prompt", ["a strawberry", "딸기"])
def test_a_strawberry_is_a_red_thing_on_a_plain_ground_in_either_language(draw: Draw, prompt: str, style: str) -> None:
    picture = draw(prompt, style)
    found = thing(picture)
    assert 0.1 < len(found) / SIDE**2 < 0.8
    assert share(found, red) > 0.5
    assert np.median(np.abs(rim(picture) - ground(picture))) < 0.1


@pytest.mark.parametrize(
    ("prompt", "colour"),
    [("a lemon", yellow), ("a banana", yellow), ("a cactus", green), ("a tomato", red), ("브로콜리", green)],
)
def test_things_have_their_colours(draw: Draw, prompt: str, colour: Callable[..., NDArray[np.bool_]]) -> None:
    assert share(thing(draw(prompt)), colour) > 0.5


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("a red apple on a light blue background", (176, 214, 240)),
        ("초록색 배경의 레몬", (70, 160, 90)),
        ("a cup of coffee, yellow background", (250, 220, 90)),
    ],
)
def test_the_ground_has_the_colour_that_was_asked_for(draw: Draw, prompt: str, wanted: tuple[int, int, int]) -> None:
    assert np.abs(ground(draw(prompt)) * 255 - wanted).max() < 60


def test_the_styles_draw_the_same_thing_differently(draw: Draw) -> None:
    pictures = [draw("a strawberry", style) for style in STYLES]
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(pictures[first] - pictures[second]).mean() > 0.03


@pytest.mark.parametrize("prompt", ["a red apple", "a tomato"])
def test_a_rendered_red_leans_to_pink_and_a_flat_one_to_orange_as_in_their_sets(draw: Draw, prompt: str) -> None:
    rendered, flat = (np.median(thing(draw(prompt, style)), axis=0) for style in ("ultra_realistic", "anime"))
    assert rendered[2] > flat[2] + 0.1


def test_edges_of_the_reference_are_found_in_the_picture_and_those_of_another_are_not(draw: Draw) -> None:
    references = [balloon(40, 60), balloon(88, 70)]

    def ratio(scale: float) -> float:
        drawn = [
            draw("a balloon", reference=one, reference_mode="structure", controlnet_scale=scale) for one in references
        ]
        own = [agreement(picture, one) for picture, one in zip(drawn, references, strict=True)]
        other = [agreement(picture, one) for picture, one in zip(drawn, reversed(references), strict=True)]
        return sum(own) / max(sum(other), 0.01)

    assert ratio(1.0) > 1.7
    assert ratio(1.0) > 1.5 * ratio(0.0)


def balloon(x: int, y: int) -> Image.Image:
    picture = Image.new("RGB", (SIDE, SIDE), "white")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((x - 26, y - 34, x + 26, y + 34), fill=(220, 50, 50))
    draw.line((x, y + 34, x, y + 54), fill=(90, 90, 90), width=3)
    return picture


def agreement(picture: Pixels, reference: Image.Image) -> float:
    """Share of the picture's edges within two pixels of the reference's."""
    found, wanted = (
        edges(np.asarray(image, np.uint8)[None])[0, 0].numpy() for image in (picture * 255, np.asarray(reference))
    )
    near = cv2.dilate(wanted, np.ones((5, 5), np.uint8))
    return float((found * near).sum() / max(1.0, found.sum()))
