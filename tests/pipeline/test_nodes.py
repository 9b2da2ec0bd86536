"""The nodes that do not draw: words and numbers before the drawing, pixels before and after it."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.config import DrawingConfig, Limits
from pipeline.nodes.controlnet import ControlNet
from pipeline.nodes.postprocessing import Postprocessing
from pipeline.nodes.preprocessing import Preprocessing
from pipeline.nodes.prompting import Prompting
from pipeline.progress import Progress
from pipeline.reference import ReferenceImage
from pipeline.sizes import Size
from pipeline.state import State
from store.errors import InvalidField, ReferenceTooLarge, ReferenceUnreadable, WorkflowBroken
from tests.pipeline.samples import (
    BLACK,
    BLUE,
    GREEN,
    RED,
    WHITE,
    asked,
    corners,
    encoded,
    exact_size,
    oriented,
    quarters,
    reference_of,
    same_pixels,
    sampled,
    studio,
)

RESIZED = Size(width=50, height=70, drawn_width=64, drawn_height=64, fit="resize")


def state(size: Size | None = None, **fields: Any) -> State:
    return State(request=asked(), seed=7, sampling=sampled(size or exact_size(64, 48)), **fields)


def prepared(reference: ReferenceImage, width: int = 64, height: int = 48) -> Image.Image:
    done = Preprocessing(studio()).run(state(exact_size(width, height), reference=reference), Progress())
    return done.state.init_image


def edges_of(image: Image.Image, config: DrawingConfig | None = None) -> Image.Image:
    done = ControlNet(studio(config)).run(state(init_image=image), Progress())
    return done.state.control_image


def finished(pixels: Image.Image, size: Size, config: DrawingConfig | None = None, **fields: Any) -> Image.Image:
    given = replace(state(), sampling=sampled(size, **fields), pictures=(np.asarray(pixels),))
    (image,) = Postprocessing(studio(config)).run(given, Progress()).state.images
    opened = Image.open(io.BytesIO(image.data))
    assert (opened.width, opened.height) == (image.width, image.height)
    assert (opened.format or "").lower() == image.format
    return opened


# --- prompting


def test_prompting_decides_style_words_and_numbers_and_says_why() -> None:
    node = Prompting(studio(DrawingConfig(default_style="anime")))
    done = node.run(State(request=asked(prompt="벚꽃", num_images=2), seed=40), Progress())
    assert done.state.style.name == done.state.prompt.style == "anime"
    assert done.state.prompt.positive.startswith("no humans, still life, cherry blossoms, safe")
    assert (done.state.sampling.seeds, done.state.sampling.steps) == ((40, 41), 28)
    assert done.detail == {"style": "anime", "reason": "configured default", "extractor": "rules"}


def test_prompting_gives_the_picture_the_shape_its_words_ask_for() -> None:
    node = Prompting(studio())
    shapes = {}
    for prompt in ("벚꽃 포스터", "벚꽃 배너", "벚꽃 프로필"):
        size = node.run(State(request=asked(prompt=prompt), seed=1), Progress()).state.sampling.size
        shapes[prompt] = (size.width > size.height) - (size.width < size.height)
    assert shapes == {"벚꽃 포스터": -1, "벚꽃 배너": 1, "벚꽃 프로필": 0}


def test_prompting_obeys_the_requests_own_size_before_its_words() -> None:
    for fields in ({"aspect_ratio": "1:1"}, {"width": 512, "height": 512}):
        done = Prompting(studio()).run(State(request=asked(prompt="세로 포스터", **fields), seed=1), Progress())
        assert done.state.sampling.size.width == done.state.sampling.size.height


def test_prompting_says_what_the_prompt_had_no_room_for() -> None:
    long = ", ".join(f"creature {index} with unusual antlers" for index in range(40))
    done = Prompting(studio()).run(State(request=asked(prompt=long), seed=1), Progress())
    assert any("too long" in warning for warning in done.state.warnings)


def test_prompting_warns_of_fields_without_effect() -> None:
    done = Prompting(studio()).run(State(request=asked(strength=0.5), seed=1, warnings=("earlier",)), Progress())
    assert done.state.warnings == ("earlier", "strength has no effect without a reference_image")


def test_prompting_refuses_numbers_that_leave_nothing_to_draw() -> None:
    request = asked(reference_image="cat.png", strength=0.1, steps=5)
    with pytest.raises(InvalidField, match=r"a strength of at least 0\.2$"):
        Prompting(studio()).run(State(request=request, seed=1), Progress())


# --- preprocessing


def noise(mode: str) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 40, 3), np.uint8)).convert(mode)


ODD: dict[str, bytes] = {
    "one pixel": encoded(Image.new("RGB", (1, 1))),
    "one row": encoded(Image.new("RGB", (5000, 1))),
    "one column": encoded(Image.new("RGB", (1, 5000))),
    "one bit": encoded(noise("1")),
    "grey": encoded(noise("L")),
    "grey JPEG": encoded(noise("L"), "JPEG"),
    "grey with alpha": encoded(noise("LA")),
    "16-bit grey": encoded(Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40) * 50)),
    "palette": encoded(noise("P")),
    "palette with transparency": encoded(noise("P"), transparency=7),
    "RGB with a transparent colour": encoded(noise("RGB"), transparency=(1, 2, 3)),
    "RGBA": encoded(noise("RGBA")),
    "RGBA WebP": encoded(noise("RGBA"), "WEBP"),
    "CMYK JPEG": encoded(noise("CMYK"), "JPEG"),
    "progressive JPEG": encoded(noise("RGB"), "JPEG", progressive=True),
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_any_picture_becomes_rgb_of_the_drawn_size(data: bytes) -> None:
    image = prepared(ReferenceImage.of(data))
    assert (image.mode, image.size) == ("RGB", (64, 48))


@pytest.mark.parametrize(
    ("orientation", "seen"),
    [
        (1, [RED, GREEN, BLUE, WHITE]),
        (2, [GREEN, RED, WHITE, BLUE]),
        (3, [WHITE, BLUE, GREEN, RED]),
        (4, [BLUE, WHITE, RED, GREEN]),
        (5, [RED, BLUE, GREEN, WHITE]),
        (6, [BLUE, RED, WHITE, GREEN]),
        (7, [WHITE, GREEN, BLUE, RED]),
        (8, [GREEN, WHITE, RED, BLUE]),
        (0, [RED, GREEN, BLUE, WHITE]),
        (9, [RED, GREEN, BLUE, WHITE]),
    ],
)
@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
def test_a_photo_is_turned_the_way_it_was_taken(image_format: str, orientation: int, seen: list[Any]) -> None:
    upright = prepared(reference_of(quarters(64, 64), image_format, exif=oriented(orientation)), 64, 64)
    assert corners(upright) == seen


def test_a_photo_taken_upright_is_not_cut_like_one_that_lies() -> None:
    upright = prepared(reference_of(quarters(96, 64), exif=oriented(6)), 64, 96)
    assert corners(upright) == [BLUE, RED, WHITE, GREEN]
    assert same_pixels(upright, quarters(96, 64).transpose(Image.Transpose.ROTATE_270))


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0nonsense in here",
        b"Exif\0\0MM\xff*\0\0\0\x08\0\x01",
        # one tag (orientation) of type ASCII where a number belongs
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x046\0\0\0\0\0\0\0",
        # a tag that lies outside of the block
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x0f\0\x02\0\0\xff\xff\xff\xff\xff\xff\0\0\0\0",
    ],
    ids=["empty", "nonsense", "wrong mark", "wrong type", "out of bounds"],
)
@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
def test_a_photo_with_broken_exif_is_drawn_as_it_lies(image_format: str, exif: bytes) -> None:
    image = prepared(reference_of(quarters(64, 48), image_format, exif=exif))
    assert corners(image) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_lies_on_white(mode: str) -> None:
    image = prepared(reference_of(Image.new("RGBA", (64, 48), (0, 0, 0, 0)).convert(mode)))
    assert image.getextrema() == ((255, 255),) * 3


def test_what_is_half_transparent_mixes_with_white() -> None:
    image = prepared(reference_of(Image.new("RGBA", (64, 48), (255, 0, 0, 128))))
    assert image.getpixel((5, 5)) == (255, 127, 127)


def test_a_transparent_colour_of_a_palette_lies_on_white() -> None:
    palette = Image.new("P", (64, 48), 1)
    palette.putpalette([*BLACK, *BLUE])
    assert prepared(reference_of(palette)).getpixel((5, 5)) == BLUE
    assert prepared(reference_of(palette, transparency=1)).getpixel((5, 5)) == WHITE


@pytest.mark.parametrize(("value", "grey"), [(0, 0), (255, 0), (256, 1), (0x8000, 128), (0xFFFF, 255)])
def test_of_16_bit_grey_the_upper_8_bits_are_kept(value: int, grey: int) -> None:
    image = prepared(reference_of(Image.new("I;16", (64, 48), value)))
    assert image.getpixel((5, 5)) == (grey, grey, grey)


def test_the_colours_of_a_cmyk_photo_are_kept() -> None:
    image = prepared(reference_of(quarters(64, 48).convert("CMYK"), "JPEG", quality=95))
    assert corners(image) == [RED, GREEN, BLUE, WHITE]


def test_a_picture_of_another_shape_is_cut_around_its_middle_and_not_distorted() -> None:
    wide = Image.new("RGB", (300, 100), RED)
    wide.paste(BLUE, (100, 0, 200, 100))
    assert corners(prepared(reference_of(wide), 64, 64)) == [BLUE] * 4


def test_a_picture_of_the_drawn_size_is_not_touched() -> None:
    picture = noise("RGB")
    assert same_pixels(prepared(reference_of(picture), 40, 30), picture)


def test_preprocessing_records_which_reference_it_took() -> None:
    reference = ReferenceImage.of(encoded(quarters(30, 20)), "cat.png")
    done = Preprocessing(studio()).run(state(reference=reference), Progress())
    assert done.detail == {"name": "cat.png", "sha256": reference.digest, "width": 30, "height": 20}


def test_preprocessing_refuses_what_it_cannot_read() -> None:
    with pytest.raises(ReferenceUnreadable, match="reference"):
        prepared(ReferenceImage.of(b"not a picture"))


def test_preprocessing_keeps_to_the_limits() -> None:
    node = Preprocessing(studio(DrawingConfig(limits=Limits(max_reference_pixels=4096))))
    with pytest.raises(ReferenceTooLarge):
        node.run(state(reference=reference_of(quarters(100, 100))), Progress())


def test_preprocessing_without_a_reference_is_a_fault_of_the_configuration() -> None:
    with pytest.raises(WorkflowBroken, match="without a reference image"):
        Preprocessing(studio()).run(state(), Progress())


# --- controlnet


def test_the_control_image_is_rgb_of_the_drawn_size_with_white_edges_on_black() -> None:
    image = edges_of(quarters(64, 48))
    assert (image.mode, image.size) == ("RGB", (64, 48))
    assert {colour for _, colour in image.getcolors() or []} == {BLACK, WHITE}


def test_edges_lie_where_colours_meet_and_nowhere_else() -> None:
    # red and green differ in brightness; the border between them runs down the middle
    found = np.asarray(edges_of(quarters(64, 48)))[4:20, :, 0]
    assert found[:, 31:33].any(axis=1).all()
    assert not np.delete(found, slice(30, 34), axis=1).any()


def test_a_plain_picture_has_no_edges() -> None:
    assert edges_of(Image.new("RGB", (64, 48), BLUE)).getextrema() == ((0, 0),) * 3


def test_the_configured_thresholds_decide_what_is_an_edge() -> None:
    faint = Image.new("RGB", (64, 48), (100, 100, 100))
    faint.paste((120, 120, 120), (0, 0, 32, 48))
    assert edges_of(faint).getextrema() == ((0, 0),) * 3
    assert edges_of(faint, DrawingConfig(canny_low=10, canny_high=20)).getextrema() == ((0, 255),) * 3


def test_controlnet_records_kind_thresholds_and_share_of_edges() -> None:
    done = ControlNet(studio()).run(state(init_image=quarters(64, 48)), Progress())
    share = done.detail["edge_share"]
    assert done.detail == {"kind": "canny", "low": 100, "high": 200, "edge_share": share, "blanked": []}
    assert isinstance(share, float)
    assert 0 < share < 0.1


# --- postprocessing


def test_a_drawn_picture_of_the_asked_size_is_stored_as_it_is() -> None:
    assert same_pixels(finished(quarters(64, 48), exact_size(64, 48)), quarters(64, 48))


def test_a_crop_takes_the_middle_to_the_pixel() -> None:
    size = Size(width=61, height=41, drawn_width=64, drawn_height=48, fit="crop")
    drawn = noise("RGB").resize((64, 48))
    assert same_pixels(finished(drawn, size), drawn.crop((1, 3, 62, 44)))


@pytest.mark.parametrize(
    ("asked_size", "drawn_size"),
    [
        ((50, 70), (64, 64)),
        ((70, 50), (64, 64)),
        ((333, 127), (104, 40)),
        ((64, 600), (40, 96)),
        ((501, 501), (56, 72)),
    ],
    ids=str,
)
def test_a_resize_reaches_the_asked_size_exactly(asked_size: tuple[int, int], drawn_size: tuple[int, int]) -> None:
    size = Size(
        width=asked_size[0], height=asked_size[1], drawn_width=drawn_size[0], drawn_height=drawn_size[1], fit="resize"
    )
    assert finished(noise("RGB").resize(drawn_size), size).size == asked_size


def test_a_resize_cuts_around_the_middle_and_does_not_distort() -> None:
    drawn = Image.new("RGB", (90, 30), RED)
    drawn.paste(BLUE, (30, 0, 60, 30))
    size = Size(width=50, height=60, drawn_width=90, drawn_height=30, fit="resize")
    # scaled by 2 to 180x60, of which the blue third, 60 wide, is the middle
    assert finished(drawn, size).getextrema() == ((0, 0), (0, 0), (255, 255))


def test_png_keeps_every_pixel() -> None:
    assert same_pixels(finished(noise("RGB"), exact_size(40, 30)), noise("RGB"))


@pytest.mark.parametrize("image_format", ["webp", "jpeg"])
def test_webp_and_jpeg_keep_the_picture_about_as_it_is(image_format: str) -> None:
    picture = finished(quarters(64, 48), exact_size(64, 48), output_format=image_format)
    assert (picture.format, picture.mode, picture.size) == (image_format.upper(), "RGB", (64, 48))
    assert corners(picture) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize("image_format", ["webp", "jpeg"])
def test_the_configured_quality_decides_how_large_a_file_is(image_format: str) -> None:
    def size(quality: int) -> int:
        config = DrawingConfig.model_validate({f"{image_format}_quality": quality})
        given = replace(state(), pictures=(np.asarray(noise("RGB")),))
        given = replace(given, sampling=sampled(exact_size(40, 30), output_format=image_format))
        return len(Postprocessing(studio(config)).run(given, Progress()).state.images[0].data)

    assert size(20) < size(95)


def test_each_picture_goes_with_its_own_seed() -> None:
    colours = [RED, GREEN, BLUE]
    pictures = tuple(np.asarray(Image.new("RGB", (64, 64), colour)) for colour in colours)
    given = replace(state(), sampling=sampled(RESIZED, seeds=(5, 6, 7)), pictures=pictures)
    done = Postprocessing(studio()).run(given, Progress())
    assert [image.seed for image in done.state.images] == [5, 6, 7]
    assert [Image.open(io.BytesIO(image.data)).getpixel((9, 9)) for image in done.state.images] == colours
    assert done.detail == {"format": "png", "bytes": sum(len(image.data) for image in done.state.images)}


def test_the_same_pixels_give_the_same_bytes() -> None:
    given = replace(state(), pictures=(np.asarray(quarters(64, 48)),))
    node = Postprocessing(studio())
    assert node.run(given, Progress()).state.images == node.run(given, Progress()).state.images
