"""A manifest drawn again is identical, or it is told how far off it is and what has changed since."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from pipeline.builtin.weights import STYLE_CHANGES, BuiltinWeights
from pipeline.config import DrawingConfig
from pipeline.generator import Generator
from pipeline.likeness import psnr
from pipeline.progress import Progress
from pipeline.reference import ReferenceImage
from pipeline.styles import load_styles
from pipeline.versions import versions
from store.errors import InvalidField, ReferenceMissing, ServiceError
from store.hints import Hints
from store.manifest import ResultManifest, to_bytes
from store.memory import MemoryBucket
from tests.watcher.house import House, build, picture, request_bytes
from watcher.cli import app
from watcher.place import InboxPlace
from watcher.replay import Replay, replay

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SMALL: dict[str, Any] = {"prompt": "소파 위의 고양이 (귀여운)", "style": "anime", "width": 76, "height": 68, "steps": 2}
LIMIT = 1 << 20


def open_generator(cache: Path, **styles: dict[str, Any]) -> Generator:
    config = DrawingConfig(device="cpu", threads=1, text_guard="off")
    return Generator(BuiltinWeights(cache), load_styles(styles, builtin=STYLE_CHANGES), config)


@pytest.fixture(scope="module")
def generator(builtin_cache: Path) -> Generator:
    return open_generator(builtin_cache)


@pytest.fixture
def house(generator: Generator) -> House:
    bucket = MemoryBucket()

    def draw(request: Any, reference: ReferenceImage | None, *, seed: int, progress: Progress) -> Any:
        return generator.draw(request, reference, seed=seed, progress=progress, recall=Hints(bucket).find)

    return build(draw=draw, outgoing=bucket)


def drawn(house: House, name: str = "a", **fields: Any) -> ResultManifest:
    house.drop(f"{name}.json", request_bytes(**{**SMALL, **fields}))
    house.handle(f"{name}.json")
    return house.result(name)


def again(house: House, manifest: ResultManifest, generator: Generator) -> Replay:
    place = InboxPlace(bucket=house.incoming)
    return replay(manifest, generator.draw, house.outgoing, place, {"imagegen": "test"}, LIMIT)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"num_images": 2, "seed": 4294967295},
        {"prompt_mode": "raw", "prompt": "a (cat)1.2 \\( on a sofa", "negative_prompt": "dogs"},
        {"aspect_ratio": "16:9", "width": None, "height": None},
        {"guidance_scale": 1.0, "output_format": "jpeg"},
    ],
    ids=str,
)
def test_a_manifest_drawn_again_is_identical(house: House, generator: Generator, fields: dict[str, Any]) -> None:
    manifest = drawn(house, **fields)
    replayed = again(house, manifest, generator)
    assert replayed.identical
    assert replayed.differences == ()
    assert [(one.path, one.verdict) for one in replayed.images] == [(i.path, "identical") for i in manifest.images]


def test_what_an_older_manifest_does_not_say_is_no_difference(house: House, generator: Generator) -> None:
    document = drawn(house).model_dump(mode="json")
    for later in ("decoded", "profile", "controlnet_end", "threads"):
        del document["sampling"][later]
    older = ResultManifest.model_validate_json(json.dumps(document))
    assert again(house, older, generator).differences == ()


@pytest.mark.parametrize("mode", ["variation", "structure"])
@pytest.mark.parametrize("name", ["a.png", "shared.png"])
def test_a_reference_is_taken_from_the_archive_or_the_inbox(
    house: House, generator: Generator, name: str, mode: str
) -> None:
    house.incoming.put(name, picture("blue", (64, 64)))
    manifest = drawn(house, reference_image=name, reference_mode=mode, seed=1)
    repeat = drawn(house, "b", reference_image=name, reference_mode=mode, seed=1) if name == "shared.png" else manifest
    assert repeat.cached == (name == "shared.png")
    assert again(house, manifest, generator).identical
    assert again(house, repeat, generator).identical


@pytest.mark.parametrize("instead", [None, picture("red", (64, 64))])
def test_a_reference_that_is_gone_or_another_one_is_said_by_name(
    house: House, generator: Generator, instead: bytes | None
) -> None:
    house.incoming.put("shared.png", picture("blue", (64, 64)))
    manifest = drawn(house, reference_image="shared.png")
    house.incoming.delete("shared.png")
    if instead is not None:
        house.incoming.put("shared.png", instead)
    with pytest.raises(ReferenceMissing, match=r"shared\.png with SHA-256 \w{64} is neither in the archive"):
        again(house, manifest, generator)


def test_changed_weights_are_named_and_the_distance_is_measured(
    house: House, builtin_cache: Path, tmp_path: Path
) -> None:
    manifest = drawn(house)
    original = BuiltinWeights(builtin_cache).checkpoint(load_styles().find("anime")).path
    mine = Path(shutil.copytree(original, tmp_path / "mine"))
    file = next((mine / "unet").glob("*.safetensors"))
    tensors = load_file(file)
    save_file({key: tensor * 1.01 for key, tensor in tensors.items()}, file, metadata={"format": "pt"})
    changes = {"checkpoint": str(mine), "native_size": STYLE_CHANGES["native_size"]}
    replayed = again(house, manifest, open_generator(builtin_cache, anime=changes))
    assert not replayed.identical
    assert [one.what for one in replayed.differences] == ["weights of checkpoint"]
    assert replayed.images[0].verdict == "different"
    assert replayed.images[0].psnr is not None
    assert replayed.images[0].psnr > 5


def test_versions_and_numbers_that_are_not_as_they_were_are_named(house: House, generator: Generator) -> None:
    manifest = drawn(house)
    assert manifest.sampling is not None
    sampling = manifest.sampling.model_copy(update={"scheduler": "OtherScheduler", "threads": 64})
    told = manifest.model_copy(update={"sampling": sampling, "versions": {"imagegen": "0.0", "gone": "1"}})
    replayed = again(house, told, generator)
    assert replayed.identical
    assert {one.what for one in replayed.differences} == {
        "scheduler",
        "threads",
        "version of imagegen",
        "version of gone",
    }


def test_a_stored_picture_that_is_gone_is_compared_by_its_digest_alone(house: House, generator: Generator) -> None:
    manifest = drawn(house)
    house.outgoing.delete(manifest.images[0].path)
    assert again(house, manifest, generator).identical
    other = manifest.images[0].model_copy(update={"seed": 99})
    moved = manifest.model_copy(update={"images": (other,)})
    assert again(house, moved, generator).images[0].verdict == "cannot be compared"


def test_a_manifest_without_pictures_cannot_be_drawn_again(house: House, generator: Generator) -> None:
    manifest = drawn(house, steps=0)
    with pytest.raises(InvalidField, match="ended as rejected"):
        again(house, manifest, generator)


def test_psnr_tells_equal_pictures_near_ones_and_those_of_another_size() -> None:
    assert psnr(picture("red"), picture("red", image_format="BMP")) == float("inf")
    near = psnr(picture("#ff0000"), picture("#fe0000"))
    assert near is not None
    assert 50 < near < 60
    assert psnr(picture("red"), picture("red", (9, 8))) is None


def test_the_command_says_identical_or_not_and_ends_with_the_code_it_documents(
    tmp_path: Path, builtin_cache: Path, house: House
) -> None:
    manifest = drawn(house).model_copy(update={"versions": versions()})
    result, outbox = tmp_path / "a.json", tmp_path / "outbox"
    place = outbox / manifest.images[0].path
    place.parent.mkdir(parents=True)
    place.write_bytes(house.outgoing.get(manifest.images[0].path, LIMIT))
    (tmp_path / "imagegen.toml").write_text(
        f'cache = "{builtin_cache}"\n[drawing]\ndevice = "cpu"\nthreads = 1\ntext_guard = "off"\n'
    )
    (tmp_path / "inbox").mkdir()

    def run(seed: int) -> tuple[int, dict[str, Any]]:
        image = manifest.images[0].model_copy(update={"seed": seed})
        result.write_bytes(to_bytes(manifest.model_copy(update={"images": (image,)})))
        options = [f"--config={tmp_path / 'imagegen.toml'}", f"--inbox={tmp_path / 'inbox'}", f"--outbox={outbox}"]
        ended = CliRunner().invoke(app, ["replay", str(result), "--json", *options])
        assert ended.exit_code in (0, 1), ended.output
        return ended.exit_code, json.loads(ended.stdout)

    code, told = run(manifest.images[0].seed)
    assert (code, told["identical"], told["differences"]) == (0, True, [])
    code, told = run(5)
    assert (code, told["identical"]) == (1, False)
    assert told["images"][0]["verdict"] == "different"
    assert told["images"][0]["psnr"] > 0


def test_a_file_that_is_no_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    ended = CliRunner().invoke(app, ["replay", str(tmp_path / "a.json")])
    assert isinstance(ended.exception, ServiceError)
    assert "not a result manifest" in ended.exception.message
