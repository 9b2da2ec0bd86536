"""Every size that may be asked for is reached exactly, by way of one the checkpoint can draw."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.request import AspectRatio, GenerationRequest, Purpose
from pipeline.sizes import BUCKETS, PURPOSES, Size, resolve_size
from tests.pipeline.samples import asked

SIDES = st.integers(64, 2048)
NATIVE = st.sampled_from([256, 512, 768, 1024])
steadily = settings(derandomize=True, deadline=None, max_examples=300)


def size_of(width: int, height: int, native_size: int) -> Size:
    # model_construct, because validation would take most of the time
    return resolve_size(GenerationRequest.model_construct(width=width, height=height), native_size)


@steadily
@given(SIDES, SIDES, NATIVE)
def test_whatever_is_asked_for_is_drawn_in_multiples_of_8(width: int, height: int, native_size: int) -> None:
    size = size_of(width, height, native_size)
    assert (size.width, size.height) == (width, height)
    assert (size.drawn_width % 8, size.drawn_height % 8) == (0, 0)
    assert min(size.drawn_width, size.drawn_height) >= 64


@steadily
@given(SIDES, SIDES, NATIVE)
def test_a_size_within_reach_is_drawn_at_the_next_multiple_of_8_and_cut(w: int, h: int, native_size: int) -> None:
    size = size_of(w, h, native_size)
    if size.fit == "crop":
        assert w <= size.drawn_width < w + 8
        assert h <= size.drawn_height < h + 8
        assert w * h <= 1.1 * native_size**2
        assert max(w, h) <= 1.5 * native_size
    else:
        assert w * h > 1.1 * native_size**2 or max(w, h) > 1.5 * native_size


@steadily
@given(SIDES, SIDES, NATIVE)
def test_a_size_out_of_reach_is_drawn_in_the_checkpoints_nearest_bucket(w: int, h: int, native_size: int) -> None:
    size = size_of(w, h, native_size)
    if size.fit == "resize":
        buckets = [(a * native_size // 1024, b * native_size // 1024) for a, b in BUCKETS.values()]
        losses = {bucket: max(bucket[0] * h / (bucket[1] * w), bucket[1] * w / (bucket[0] * h)) for bucket in buckets}
        drawn = size.drawn_width, size.drawn_height
        assert losses[drawn] == pytest.approx(min(losses.values()))


@steadily
@given(SIDES, SIDES, NATIVE)
def test_an_upright_picture_is_drawn_as_the_lying_one_turned(width: int, height: int, native_size: int) -> None:
    size, turned = size_of(width, height, native_size), size_of(height, width, native_size)
    assert (turned.drawn_width, turned.drawn_height) == (size.drawn_height, size.drawn_width)


@steadily
@given(SIDES, SIDES, NATIVE)
def test_portrait_stays_portrait(width: int, height: int, native_size: int) -> None:
    size = size_of(width, height, native_size)
    if width < height:
        assert size.drawn_width <= size.drawn_height


@pytest.mark.parametrize(
    ("width", "height", "fit"),
    [(1024, 1126, "crop"), (1024, 1127, "resize"), (1536, 64, "crop"), (1537, 64, "resize"), (64, 1537, "resize")],
)
def test_reach_ends_a_tenth_over_the_native_area_and_at_one_and_a_half_times_the_side(
    width: int, height: int, fit: str
) -> None:
    assert size_of(width, height, 1024).fit == fit


@pytest.mark.parametrize("native_size", [256, 1024])
def test_without_a_size_the_native_square_is_drawn(native_size: int) -> None:
    assert resolve_size(asked(), native_size) == Size(
        width=native_size, height=native_size, drawn_width=native_size, drawn_height=native_size, fit="crop"
    )


@pytest.mark.parametrize("ratio", get_args(AspectRatio))
def test_an_aspect_ratio_gives_a_bucket_of_about_its_ratio_and_the_native_area(ratio: AspectRatio) -> None:
    size = resolve_size(asked(aspect_ratio=ratio), 1024)
    across, down = map(int, ratio.split(":"))
    assert size.width / size.height == pytest.approx(across / down, rel=0.07)
    assert size.width * size.height == pytest.approx(1024**2, rel=0.07)
    assert (size.drawn_width, size.drawn_height, size.fit) == (size.width, size.height, "crop")


def test_a_small_checkpoint_draws_the_same_ratios_small() -> None:
    size = resolve_size(asked(aspect_ratio="16:9"), 256)
    assert (size.width, size.height, size.fit) == (336, 192, "crop")


@pytest.mark.parametrize(
    ("purpose", "ratio"),
    [("story", "9:16"), ("reels", "9:16"), ("banner", "16:9"), ("poster", "2:3"), ("feed", "3:4"), ("profile", "1:1")],
)
def test_a_purpose_gives_the_ratio_of_its_place(purpose: Purpose, ratio: AspectRatio) -> None:
    assert resolve_size(asked(purpose=purpose), 1024) == resolve_size(asked(aspect_ratio=ratio), 1024)


def test_every_purpose_has_a_ratio() -> None:
    assert set(PURPOSES) == set(get_args(Purpose))


def test_an_aspect_ratio_outranks_the_purpose() -> None:
    size = resolve_size(asked(purpose="story", aspect_ratio="16:9"), 1024)
    assert (size.width, size.height) == (1344, 768)


def test_a_size_outranks_the_purpose() -> None:
    size = resolve_size(asked(purpose="story", width=300, height=200), 1024)
    assert (size.width, size.height, size.drawn_width, size.drawn_height) == (300, 200, 304, 200)
