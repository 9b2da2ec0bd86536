"""The text guard reports lettering or has it drawn again, keeps the least of it, and never fails a drawing."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.builtin.weights import STYLE_CHANGES, BuiltinWeights
from pipeline.config import DrawingConfig
from pipeline.costs import Costs
from pipeline.generator import Generator
from pipeline.lettering import Box, DetectorFailed
from pipeline.nodes import controlnet, text_guard
from pipeline.nodes.base import BaseNode, Done, Outcome, Redraw, Skipped
from pipeline.nodes.controlnet import ControlNet
from pipeline.nodes.text_guard import TextGuard
from pipeline.progress import Progress
from pipeline.state import State
from pipeline.styles import load_styles
from pipeline.turnstile import Turnstile
from pipeline.workflow import Branch, Workflow
from store.digest import Digest
from tests.clock import FakeClock
from tests.pipeline.hangul import write_english, write_korean
from tests.pipeline.samples import (
    BLACK,
    NUMPY_IN_DIFFUSERS,
    WHITE,
    asked,
    encoded,
    exact_size,
    plain_style,
    quarters,
    sampled,
    studio,
)

SIDE = 256
SMALL: dict[str, Any] = {"width": 64, "height": 64, "steps": 1, "seed": 3}
Draw = Callable[[int], "np.ndarray[Any, Any]"]


class DetectorBreaks:
    """Works for some calls and fails from then on."""

    def __init__(self, *, after: int, boxes: tuple[Box, ...] = ()) -> None:
        self._left = after
        self._boxes = boxes

    def __call__(self, picture: Any) -> tuple[Box, ...]:
        if not self._left:
            raise DetectorFailed("out of order")
        self._left -= 1
        return self._boxes


class Draws(BaseNode):
    """Stands for a checkpoint: one picture a seed, and remembers the seeds."""

    name = "draws"
    makes = ("pictures",)
    draws = True
    picture: Draw
    seeds: list[tuple[int, ...]]

    def run(self, state: State, progress: Progress) -> Done:
        self.seeds.append(state.sampling.seeds)
        return Done(state=replace(state, pictures=tuple(self.picture(seed) for seed in state.sampling.seeds)))


def config(policy: str) -> DrawingConfig:
    return DrawingConfig.model_validate({"text_guard": policy})


def lettered(lines: int) -> Any:
    """A picture with so many lines of Korean, none for 0."""
    picture = Image.new("RGB", (SIDE, SIDE), WHITE)
    for line in range(lines):
        write_korean(picture, "여름 할인", (20, 20 + 60 * line), 32, BLACK)
    return np.asarray(picture)


def given(*pictures: Any, **fields: Any) -> State:
    seeds = tuple(range(10, 10 + len(pictures)))
    return State(
        request=asked(), seed=1, sampling=sampled(exact_size(SIDE, SIDE), seeds=seeds), pictures=pictures, **fields
    )


def guarded(policy: str, state: State) -> Outcome:
    return TextGuard(studio(config(policy))).run(state, Progress())


def with_shares(monkeypatch: pytest.MonkeyPatch, shares: dict[int, float]) -> Draw:
    """A checkpoint and a detector that agree: the lettering on a picture follows from its seed."""
    drawn: dict[int, int] = {}

    def draw(seed: int) -> Any:
        drawn[seed] = len(drawn) + 1
        return np.full((8, 8, 3), drawn[seed], np.uint8)

    def find(picture: Any) -> tuple[Box, ...]:
        share = shares.get(int(picture[0, 0, 0]), 0.3)
        return (Box(corners=((0, 0), (1, 0), (1, 1), (0, 1)), score=0.9, share=share),) if share else ()

    monkeypatch.setattr(text_guard, "find_lettering", find)
    return draw


def drawn_with(
    draw: Draw, seeds: Sequence[int], policy: str = "retry"
) -> tuple[State, list[tuple[int, ...]], Progress]:
    """A whole drawing: state at its end, the seeds of each try, the records."""

    def decide(self: BaseNode, state: State, progress: Progress) -> Done:
        return Done(state=replace(state, style=plain_style(), sampling=sampled(exact_size(8, 8), seeds=tuple(seeds))))

    room = studio(config(policy))
    tries: list[tuple[int, ...]] = []
    deciding = type("Deciding", (BaseNode,), {"name": "deciding", "makes": ("style", "sampling"), "run": decide})(room)
    drawing = type("Drawing", (Draws,), {"picture": staticmethod(draw), "seeds": tries})(room)
    nodes = {node.name: node for node in (deciding, drawing, TextGuard(room))}
    workflow = Workflow([Branch(name="only", trigger=None, nodes=tuple(nodes))], nodes, Turnstile(FakeClock(), Costs()))
    progress = Progress()
    return workflow.run(State(request=asked(), seed=1), progress), tries, progress


# --- one look


@pytest.mark.parametrize("policy", ["report", "retry"])
def test_pictures_without_lettering_pass_as_they_are(policy: str) -> None:
    state = given(lettered(0), np.asarray(quarters(SIDE, SIDE)), redraws_left=2)
    outcome = guarded(policy, state)
    assert isinstance(outcome, Done)
    assert [*map(id, outcome.state.pictures)] == [*map(id, state.pictures)]
    assert (outcome.state.warnings, outcome.state.sampling) == ((), state.sampling)
    assert outcome.detail == {
        "policy": policy,
        "decision": "no lettering",
        "images": [{"seed": 10, "share": 0, "boxes": []}, {"seed": 11, "share": 0, "boxes": []}],
    }


@pytest.mark.parametrize("write", [write_korean, write_english], ids=["Korean", "English"])
def test_a_report_says_where_lettering_is_and_keeps_the_picture(write: Any) -> None:
    picture = Image.new("RGB", (SIDE, SIDE), WHITE)
    write(picture, "여름 할인" if write is write_korean else "SALE 50%", (20, 100), 32, BLACK)
    outcome = guarded("report", given(lettered(0), np.asarray(picture), redraws_left=2))
    assert isinstance(outcome, Done)
    (warning,) = outcome.state.warnings
    assert warning.startswith("images[1]: it looks as if there were lettering in the picture (1 places, ")
    assert outcome.detail["decision"] == "lettering remains"
    images: Any = outcome.detail["images"]
    assert images[0]["boxes"] == []
    (box,) = images[1]["boxes"]
    assert box["score"] >= 0.6
    assert images[1]["share"] == box["share"] > 0.01
    assert all(0 <= coordinate <= SIDE for corner in box["corners"] for coordinate in corner)


def test_a_guard_that_is_off_is_skipped_without_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_guard, "find_lettering", DetectorBreaks(after=0))
    assert guarded("off", given(lettered(1))) == Skipped(reason="drawing.text_guard is off")


@pytest.mark.parametrize("policy", ["report", "retry"])
def test_without_the_extra_the_guard_is_skipped_and_says_why(policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    outcome = guarded(policy, given(lettered(1)))
    assert outcome == Skipped(reason="rapidocr not installed; pip install 'imagegen[guard]'")


@pytest.mark.parametrize("policy", ["report", "retry"])
def test_a_detector_that_breaks_fails_no_drawing(policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_guard, "find_lettering", DetectorBreaks(after=1))
    state = given(lettered(0), lettered(1), redraws_left=2)
    outcome = guarded(policy, state)
    assert isinstance(outcome, Done)
    warned = state.warn("the text guard could not look at the pictures: out of order")
    assert outcome.state == replace(warned, hindered=True)
    assert outcome.detail == {"policy": policy, "decision": "not looked at", "error": "out of order"}


# --- redraws


def test_a_redraw_is_asked_for_with_a_seed_that_follows_from_seed_picture_and_try() -> None:
    first, again = (guarded("retry", given(lettered(1), redraws_left=2)) for _ in range(2))
    assert isinstance(first, Redraw)
    assert isinstance(again, Redraw)
    word = f"10 {Digest.of(lettered(1).tobytes())} 2"
    assert first.seed == again.seed == int.from_bytes(bytes.fromhex(Digest.of(word.encode()))[:4])
    others = [given(lettered(1), redraws_left=1), given(lettered(2), redraws_left=2)]
    seeds = [outcome.seed for outcome in (guarded("retry", state) for state in others) if isinstance(outcome, Redraw)]
    assert len({first.seed, *seeds}) == 3


def test_without_redraws_left_what_there_is_is_kept() -> None:
    outcome = guarded("retry", given(lettered(1), redraws_left=0))
    assert isinstance(outcome, Done)
    assert outcome.detail["decision"] == "lettering remains"


def test_a_picture_that_comes_out_clean_ends_the_redraws(monkeypatch: pytest.MonkeyPatch) -> None:
    done, tries, progress = drawn_with(with_shares(monkeypatch, {1: 0.1, 2: 0.0}), [10])
    assert len(tries) == 2
    assert done.sampling.seeds == tries[1]
    assert done.pictures[0][0, 0, 0] == 2
    assert (done.warnings, done.candidates) == ((), ())
    assert [record.name for record in progress.records] == ["deciding", "draws", "text_guard", "draws", "text_guard"]
    redraw, kept = (record.detail for record in progress.records if record.name == "text_guard")
    assert (redraw["decision"], redraw["redraw_seed"]) == ("redraw", tries[1][0])
    assert kept["decision"] == "no lettering"


@pytest.mark.parametrize(
    ("shares", "kept"), [((0.1, 0.2, 0.3), 1), ((0.2, 0.1, 0.3), 2), ((0.3, 0.2, 0.1), 3), ((0.2,) * 3, 1)]
)
def test_after_two_redraws_the_picture_with_least_lettering_is_kept_with_its_seed(
    shares: tuple[float, ...], kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = with_shares(monkeypatch, dict(enumerate(shares, 1)))
    done, tries, progress = drawn_with(draw, [10])
    assert len(tries) == 3
    assert done.pictures[0][0, 0, 0] == kept
    assert done.sampling.seeds == tries[kept - 1]
    assert progress.records[-1].detail["images"] == [
        {
            "seed": tries[kept - 1][0],
            "share": shares[kept - 1],
            "boxes": [
                {"corners": [[0, 0], [1, 0], [1, 1], [0, 1]], "score": 0.9, "share": shares[kept - 1]},
            ],
        }
    ]
    assert len(done.warnings) == 1


def test_of_several_pictures_only_those_with_lettering_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # drawn: 1 2 3, then 4 5 for the first and the last, then 6 for the last
    draw = with_shares(monkeypatch, {1: 0.2, 2: 0.0, 3: 0.1, 4: 0.0, 5: 0.3, 6: 0.2})
    done, tries, _ = drawn_with(draw, [10, 11, 12])
    assert [len(seeds) for seeds in tries] == [3, 2, 1]
    assert [int(picture[0, 0, 0]) for picture in done.pictures] == [4, 2, 3]
    assert done.sampling.seeds == (tries[1][0], 11, 12)
    (warning,) = done.warnings
    assert warning.startswith("images[2]: ")


def test_a_report_draws_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    done, tries, _ = drawn_with(with_shares(monkeypatch, {}), [10], "report")
    assert tries == [(10,)]
    assert len(done.warnings) == 1


def test_redraws_are_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = [drawn_with(with_shares(monkeypatch, {}), [10, 11])[1] for _ in range(2)]
    assert tries[0] == tries[1]
    assert len({seed for seeds in tries[0] for seed in seeds}) == 6


def test_a_detector_that_breaks_behind_a_redraw_leaves_the_best_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = with_shares(monkeypatch, {})
    box = Box(corners=((0, 0), (1, 0), (1, 1), (0, 1)), score=0.9, share=0.1)
    monkeypatch.setattr(text_guard, "find_lettering", DetectorBreaks(after=2, boxes=(box,)))
    done, tries, progress = drawn_with(draw, [10, 11])
    assert [int(picture[0, 0, 0]) for picture in done.pictures] == [1, 2]
    assert (done.sampling.seeds, done.candidates, len(tries)) == ((10, 11), (), 2)
    assert progress.records[-1].detail["decision"] == "not looked at"


# --- with a checkpoint


@pytest.mark.filterwarnings(NUMPY_IN_DIFFUSERS)
def test_a_kept_picture_is_the_one_its_seed_draws(weights: BuiltinWeights, monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box(corners=((0, 0), (1, 0), (1, 1), (0, 1)), score=0.9, share=0.1)
    clean = iter([(box,), (), (box,), ()])
    monkeypatch.setattr(text_guard, "find_lettering", lambda picture: next(clean))
    styles = load_styles(builtin=STYLE_CHANGES)
    retrying, plain = (
        Generator(weights, styles, DrawingConfig.model_validate({"device": "cpu", "threads": 1, "text_guard": policy}))
        for policy in ("retry", "off")
    )
    drawing = retrying.generate_image("a cat", **{**SMALL, "num_images": 2})
    names = [record.name for record in drawing.nodes]
    assert names == ["prompting", *["text2image", "text_guard"] * 3, "postprocessing"]
    assert drawing.sampling.num_images == 2
    assert drawing.images[1].seed == 4
    assert drawing.images[0].seed not in (3, 4)
    for image in drawing.images:
        assert plain.generate_image("a cat", **{**SMALL, "seed": image.seed}).images[0].data == image.data


@pytest.mark.filterwarnings(NUMPY_IN_DIFFUSERS)
def test_lettering_everywhere_still_gives_pictures(weights: BuiltinWeights, monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere = Box(corners=((0, 0), (9, 0), (9, 9), (0, 9)), score=0.9, share=0.4)
    monkeypatch.setattr(text_guard, "find_lettering", lambda picture: (everywhere,))
    generator = Generator(
        weights, load_styles(builtin=STYLE_CHANGES), DrawingConfig(device="cpu", threads=1, text_guard="retry")
    )
    drawing = generator.generate_image("a cat", encoded(quarters(64, 64)), **{**SMALL, "steps": 2})
    assert [record.name for record in drawing.nodes].count("image2image") == 3
    assert len(drawing.images) == len(drawing.warnings) == 1


# --- the reference


def controlled(policy: str, image: Image.Image) -> tuple[Any, Done]:
    state = State(request=asked(), seed=7, sampling=sampled(exact_size(*image.size)), init_image=image)
    done = ControlNet(studio(config(policy))).run(state, Progress())
    return np.asarray(done.state.control_image), done


def a_cup_with_a_label() -> Image.Image:
    image = quarters(SIDE, SIDE)
    write_korean(image, "라떼", (150, 170), 40, BLACK)
    return image


@pytest.mark.parametrize("policy", ["report", "retry"])
def test_lettering_in_the_reference_leaves_no_edges_and_all_else_does(policy: str) -> None:
    with_edges, _ = controlled("off", a_cup_with_a_label())
    without, done = controlled(policy, a_cup_with_a_label())
    label = np.s_[165:215, 145:235]
    assert with_edges[label].any()
    assert not without[label].any()
    rest = np.ones((SIDE, SIDE), bool)
    rest[130:250, 130:250] = False
    assert (without[rest] == with_edges[rest]).all()
    assert with_edges[rest].any()
    blanked: Any = done.detail["blanked"]
    assert len(blanked) == 1
    assert done.state.warnings == ()


def test_a_reference_without_lettering_keeps_every_edge() -> None:
    edges, done = controlled("report", quarters(SIDE, SIDE))
    assert (edges == controlled("off", quarters(SIDE, SIDE))[0]).all()
    assert done.detail["blanked"] == []


def test_a_guard_that_is_off_looks_at_no_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controlnet, "find_lettering", DetectorBreaks(after=0))
    assert "blanked" not in controlled("off", a_cup_with_a_label())[1].detail


def test_without_the_extra_the_reference_is_followed_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with_edges, _ = controlled("off", a_cup_with_a_label())
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    edges, done = controlled("report", a_cup_with_a_label())
    assert (edges == with_edges).all()
    assert "blanked" not in done.detail


def test_a_detector_that_breaks_on_the_reference_fails_no_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controlnet, "find_lettering", DetectorBreaks(after=0))
    edges, done = controlled("report", a_cup_with_a_label())
    assert (edges == controlled("off", a_cup_with_a_label())[0]).all()
    assert done.detail["error"] == "out of order"
    (warning,) = done.state.warnings
    assert warning.startswith("the text guard could not look at the reference")
