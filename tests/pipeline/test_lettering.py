"""Lettering is found in pictures, Korean and English, small and large; what is none stays unnoticed."""

import importlib
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipeline import lettering
from pipeline.lettering import Box, DetectorFailed, blank, find_lettering, missing
from tests.pipeline.hangul import write_english, write_korean
from tests.pipeline.samples import BLACK, WHITE

SIDE = 512
SIZES = (20, 32, 48, 80)
PAIRS = {
    "black on white": (BLACK, WHITE),
    "white on photo": (WHITE, None),
    "red on cream": ((190, 30, 40), (250, 240, 220)),
}


class RecordingEngine:
    """Stands for rapidocr: answers with these boxes and remembers how it was called."""

    def __init__(self, *boxes: Any, scores: tuple[float, ...] = ()) -> None:
        self.calls: list[dict[str, Any]] = []
        self.seen: list[Any] = []
        self._found = SimpleNamespace(boxes=np.array(boxes, np.float32) if boxes else None, scores=scores)

    def __call__(self, picture: Any, **flags: Any) -> Any:
        self.seen.append(picture)
        self.calls.append(flags)
        return self._found


class BreaksOff:
    """Plays a runtime that fails in the middle."""

    def __call__(self, picture: Any, **flags: Any) -> Any:
        raise RuntimeError("[ONNXRuntimeError] : 1 : FAIL\n  Non-zero status code")


class NoNetwork(socket.socket):
    """Lets nobody out."""

    def connect(self, address: Any) -> None:
        raise AssertionError(f"somebody connects to {address}")


@pytest.fixture
def fresh_engine() -> Iterator[None]:
    """An engine that is loaded anew, and forgotten behind the test."""
    lettering._engine.cache_clear()
    yield
    lettering._engine.cache_clear()


def photo() -> Image.Image:
    """A soft picture without lettering."""
    red, green, blue = (Image.radial_gradient("L").rotate(turn).resize((SIDE, SIDE)) for turn in (0, 90, 180))
    return Image.merge("RGB", (red, green.point(lambda value: value // 2), blue.point(lambda value: 200 - value // 2)))


def ground(colour: tuple[int, int, int] | None) -> Image.Image:
    return photo() if colour is None else Image.new("RGB", (SIDE, SIDE), colour)


def found(picture: Image.Image) -> tuple[Box, ...]:
    return find_lettering(np.asarray(picture))


def around(box: Box) -> tuple[int, int, int, int]:
    xs, ys = zip(*box.corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def square(left: int, top: int, side: int) -> list[list[int]]:
    return [[left, top], [left + side, top], [left + side, top + side], [left, top + side]]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("colours", PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("write", [write_korean, write_english], ids=["Korean", "English"])
def test_lettering_is_found_where_it_stands(write: Any, colours: Any, size: int) -> None:
    picture = ground(colours[1])
    words = "여름 할인" if write is write_korean else "SALE 50%"
    write(picture, words, (60, 200), size, colours[0])
    boxes = found(picture)
    assert boxes
    for box in boxes:
        left, top, right, bottom = around(box)
        # the detector adds a margin, and reads the outlines of large letters as lines of their own
        assert 60 - size <= left < right <= 60 + 6 * size
        assert 200 - size <= top < bottom <= 200 + 2 * size
        assert 0.6 <= box.score <= 1
        assert 0.0004 <= box.share < 0.5


def test_where_lettering_stands_is_told_in_pixels_of_the_picture() -> None:
    picture = Image.new("RGB", (1600, 900), WHITE)
    write_english(picture, "SALE", (1000, 600), 120, BLACK)
    (box,) = found(picture)
    left, top, right, bottom = around(box)
    assert 950 <= left <= 1010
    assert 1250 <= right <= 1400
    assert 570 <= top <= 640
    assert 690 <= bottom <= 790
    assert box.share == pytest.approx((right - left) * (bottom - top) / (1600 * 900), rel=0.05)


def _circles() -> Image.Image:
    picture = photo()
    for index in range(5):
        ImageDraw.Draw(picture).ellipse(
            (40 + 80 * index, 60 + 50 * index, 120 + 80 * index, 140 + 50 * index), "orange"
        )
    return picture


def _stripes() -> Image.Image:
    return Image.fromarray(
        np.tile(np.repeat(np.array([[20], [230]], np.uint8), 32), (SIDE, SIDE // 64, 1))[:, :, :1].repeat(3, 2)
    )


PLAIN = {
    "gradient": photo(),
    "white": ground(WHITE),
    "noise": Image.fromarray(np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8)),
    "mandelbrot": Image.effect_mandelbrot((SIDE, SIDE), (-2, -1.5, 1, 1.5), 60).convert("RGB"),
    "circles": _circles(),
    "stripes": _stripes(),
}


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_no_lettering_stays_unnoticed(name: str) -> None:
    assert found(PLAIN[name]) == ()


@pytest.mark.parametrize("size", [(64, 64), (8, 8), (64, 1024), (1024, 64)], ids=str)
def test_a_picture_of_any_shape_can_be_looked_at(size: tuple[int, int]) -> None:
    assert found(Image.new("RGB", size, WHITE)) == ()


def test_a_box_around_half_of_the_picture_or_a_speck_or_a_guess_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = [
        square(0, 0, 100),
        square(0, 0, 71),
        square(10, 10, 70),
        square(10, 10, 2),
        square(10, 10, 1),
        square(5, 5, 9),
    ]
    engine = RecordingEngine(*boxes, scores=(0.99, 0.99, 0.6, 0.6, 0.99, 0.59))
    monkeypatch.setattr(lettering, "_engine", lambda: engine)
    boxes_left = find_lettering(np.zeros((100, 100, 3), np.uint8))
    assert [box.share for box in boxes_left] == pytest.approx([0.49, 0.0004])


def test_every_call_says_all_three_flags_and_hands_over_blue_first(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = RecordingEngine()
    monkeypatch.setattr(lettering, "_engine", lambda: engine)
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, :, 0] = 255
    assert find_lettering(picture) == find_lettering(picture) == ()
    assert engine.calls == [{"use_det": True, "use_cls": False, "use_rec": False}] * 2
    assert engine.seen[0][0, 0].tolist() == [0, 0, 255]


def test_flags_that_somebody_left_behind_change_nothing() -> None:
    picture = ground(WHITE)
    write_english(picture, "SALE", (60, 200), 48, BLACK)
    before = found(picture)
    lettering._engine()(np.asarray(picture), use_det=False, use_cls=True, use_rec=False)
    assert found(picture) == before != ()


def test_the_detector_is_loaded_without_a_network(fresh_engine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", NoNetwork)
    monkeypatch.setattr(socket, "getaddrinfo", None)
    picture = ground(WHITE)
    write_english(picture, "SALE", (60, 200), 48, BLACK)
    assert found(picture)


def test_one_detector_serves_the_process_with_few_threads_and_the_model_in_its_wheel(fresh_engine: None) -> None:
    found(ground(WHITE))
    engine = lettering._engine()
    assert lettering._engine() is engine
    options = engine.text_det.session.session.get_session_options()
    assert options.intra_op_num_threads <= 2
    assert options.inter_op_num_threads == 1
    wheel = Path(str(importlib.import_module("rapidocr").__file__)).parent
    assert Path(engine.cfg.Det.model_path).parent == wheel / "models"
    # of three models one is loaded
    assert (engine.text_cls, engine.text_rec) == (None, None)


def test_what_breaks_off_in_the_detector_becomes_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lettering, "_engine", BreaksOff)
    with pytest.raises(DetectorFailed, match=r"ONNXRuntimeError.* Non-zero status code") as caught:
        find_lettering(np.zeros((64, 64, 3), np.uint8))
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert "\n" not in str(caught.value)


def test_a_detector_that_cannot_be_loaded_is_tried_again(fresh_engine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "rapidocr", None)
        with pytest.raises(DetectorFailed, match="rapidocr"):
            found(ground(WHITE))
    assert found(ground(WHITE)) == ()


@pytest.mark.parametrize("absent", [["rapidocr"], ["onnxruntime"], ["rapidocr", "onnxruntime"]], ids=str)
def test_what_is_not_installed_is_named_with_what_to_do(absent: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in absent:
        monkeypatch.setitem(sys.modules, name, None)
    assert missing() == f"{', '.join(absent)} not installed; pip install 'imagegen[guard]'"


def test_where_all_is_installed_nothing_is_missing() -> None:
    assert missing() is None


def test_edges_inside_of_boxes_and_a_little_around_become_black() -> None:
    edges = np.full((512, 512), 255, np.uint8)
    slanted = Box(corners=((100, 50), (200, 100), (150, 200), (50, 150)), score=0.9, share=0.05)
    blanked = blank(edges, (slanted,))
    assert blanked[125, 125] == blanked[48, 100] == 0
    assert blanked[60, 60] == blanked[40, 100] == 255
    assert (edges == 255).all()


def test_without_boxes_edges_stay_as_they_are() -> None:
    edges = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert (blank(edges, ()) == edges).all()
