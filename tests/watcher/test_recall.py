"""A repeated request is answered from the outbox, and drawn whenever anything about the answer is not in order."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipeline.builtin.weights import STYLE_CHANGES, BuiltinWeights
from pipeline.config import DrawingConfig
from pipeline.generator import Generator
from pipeline.lettering import Box, DetectorFailed
from pipeline.nodes import controlnet, text_guard
from pipeline.progress import Progress
from pipeline.reference import ReferenceImage
from pipeline.styles import load_styles
from store.hints import FINGERPRINTS, Hints
from store.manifest import ResultManifest
from store.memory import MemoryBucket
from tests.watcher.house import House, build, picture, request_bytes

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SMALL: dict[str, Any] = {"style": "anime", "width": 64, "height": 64, "steps": 1, "seed": 5}


@pytest.fixture(scope="module")
def generator(builtin_cache: Path) -> Generator:
    config = DrawingConfig(device="cpu", threads=1, text_guard="off")
    return Generator(BuiltinWeights(builtin_cache), load_styles(builtin=STYLE_CHANGES), config)


class DetectorBreaksOnce:
    """Fails at its first look, and finds no lettering from then on."""

    def __init__(self) -> None:
        self._works = False

    def __call__(self, picture: Any) -> tuple[Box, ...]:
        if not self._works:
            self._works = True
            raise DetectorFailed("out of order")
        return ()


@pytest.fixture
def house(generator: Generator) -> House:
    return house_of(generator)


def house_of(generator: Generator) -> House:
    bucket = MemoryBucket()

    def draw(request: Any, reference: ReferenceImage | None, *, seed: int, progress: Progress) -> Any:
        return generator.draw(request, reference, seed=seed, progress=progress, recall=Hints(bucket).find)

    return build(draw=draw, outgoing=bucket)


@contextmanager
def nothing_may_be_drawn(generator: Generator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(style: str) -> None:
        raise AssertionError(f"somebody wants a turn for {style}")

    with monkeypatch.context() as patch:
        patch.setattr(generator._turnstile, "turn", refuse)
        yield


def ask(house: House, name: str, **fields: Any) -> ResultManifest:
    house.drop(f"{name}.json", request_bytes(**{**SMALL, **fields}))
    house.handle(f"{name}.json")
    return house.result(name)


def test_a_repeat_has_the_same_pictures_without_a_turn_on_the_gpu(
    house: House, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ask(house, "first", num_images=2)
    with nothing_may_be_drawn(generator, monkeypatch):
        again = ask(house, "again", num_images=2, metadata={"order": 2})
    assert (first.cached, again.cached) == (False, True)
    assert [image.sha256 for image in again.images] == [image.sha256 for image in first.images]
    assert [image.seed for image in again.images] == [5, 6]
    assert all(image.duplicate for image in again.images)
    assert (again.models, again.prompt, again.sampling) == (first.models, first.prompt, first.sampling)
    assert again.metadata == {"order": 2}
    assert [(node.name, node.status) for node in again.nodes] == [
        ("prompting", "succeeded"),
        ("text2image", "skipped"),
        ("text_guard", "skipped"),
        ("postprocessing", "skipped"),
    ]
    assert again.timings.swap == 0


def test_a_repeat_with_a_reference_counts_its_bytes(house: House) -> None:
    for name, colour in (("a.png", "red"), ("b.png", "red"), ("c.png", "blue")):
        house.incoming.put(name, picture(colour, (64, 64)))
    results = [ask(house, name, steps=2, reference_image=f"{name}.png") for name in "abc"]
    assert [result.cached for result in results] == [False, True, False]
    assert results[1].images[0].sha256 == results[0].images[0].sha256
    assert results[1].models is not None
    assert results[1].models.controlnet is not None


def test_without_a_seed_of_its_own_a_request_is_drawn_and_not_remembered(house: House) -> None:
    assert not ask(house, "a", seed=None).cached
    assert not ask(house, "b", seed=None).cached
    assert house.outgoing.list(f"{FINGERPRINTS}/", recursive=True) == []


@pytest.mark.parametrize("how", ["picture gone", "picture broken", "hint torn", "hint pruned"])
def test_whatever_is_wrong_with_the_answer_the_request_is_drawn_and_remembered_anew(house: House, how: str) -> None:
    first = ask(house, "first")
    (hint,) = house.outgoing.list(f"{FINGERPRINTS}/", recursive=True)
    path = first.images[0].path
    match how:
        case "picture gone":
            house.outgoing.delete(path)
        case "picture broken":
            house.outgoing.put(path, b"other bytes")
        case "hint torn":
            house.outgoing.put(hint, b'{"schema_ver')
        case "hint pruned":
            house.outgoing.delete(hint)
    again = ask(house, "again")
    assert not again.cached
    assert again.images[0].sha256 == first.images[0].sha256
    assert ask(house, "third").cached


def test_the_repeat_of_a_repeat_is_answered_as_well_after_the_first_result_is_gone(house: House) -> None:
    ask(house, "first")
    ask(house, "second")
    house.outgoing.delete("results/first.json")
    assert ask(house, "third").cached


@pytest.mark.parametrize("node", [controlnet, text_guard], ids=["at the reference", "at the pictures"])
def test_what_was_drawn_while_the_detector_was_out_of_order_is_not_remembered(
    node: ModuleType, builtin_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in (controlnet, text_guard):
        monkeypatch.setattr(one, "find_lettering", lambda picture: ())
    monkeypatch.setattr(node, "find_lettering", DetectorBreaksOnce())
    config = DrawingConfig(device="cpu", threads=1, text_guard="retry")
    house = house_of(Generator(BuiltinWeights(builtin_cache), load_styles(builtin=STYLE_CHANGES), config))
    house.incoming.put("r.png", picture("red", (64, 64)))
    first, again, third = (ask(house, name, steps=2, reference_image="r.png") for name in "abc")
    assert (first.cached, again.cached, third.cached) == (False, False, True)
    assert [("could not look" in " ".join(result.warnings)) for result in (first, again, third)] == [True, False, False]


def test_warnings_of_the_request_are_its_own(house: House) -> None:
    first = ask(house, "first", strength=0.5)
    again = ask(house, "again")
    assert again.cached
    assert first.warnings
    assert again.warnings == ()


def test_an_outbox_that_takes_no_hint_still_takes_the_result(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from store.errors import StoreFull

    def full(*what: Any) -> None:
        raise StoreFull

    monkeypatch.setattr(Hints, "note", full)
    assert ask(house, "a").status == "succeeded"
