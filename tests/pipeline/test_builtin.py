"""The built-in checkpoints are small, the same everywhere, and everything one may ask for shows in the picture."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.builtin import build as builtin_build
from pipeline.builtin.build import build
from pipeline.builtin.weights import BuiltinWeights
from pipeline.drawing import Drawing
from pipeline.generator import Generator
from pipeline.loading import silence_libraries
from pipeline.styles import load_styles
from store.digest import Digest
from store.errors import CheckpointMissing
from tests.pipeline.samples import quarters

MIB = 1024 * 1024
STYLES = ("ultra_realistic", "semi_realistic", "anime")
SMALL: dict[str, Any] = {"style": "anime", "width": 64, "height": 64, "steps": 2, "seed": 1}
ELSEWHERE = """
import sys
from pathlib import Path
from pipeline.builtin.weights import STYLE_CHANGES, BuiltinWeights
from pipeline.config import DrawingConfig
from pipeline.generator import Generator
from pipeline.styles import load_styles
from store.digest import Digest

weights, styles = BuiltinWeights(Path(sys.argv[1])), load_styles(builtin=STYLE_CHANGES)
generator = Generator(weights, styles, DrawingConfig(device="cpu"))
drawing = generator.generate_image("a red fox", style="anime", width=64, height=64, steps=2, seed=1)
print(Digest.of(drawing.images[0].data))
"""


class AnotherProcessIsFaster:
    """Stands for build while another process finishes the same work first."""

    def __init__(self, final: Path) -> None:
        self._final = final
        self.temporary: Path | None = None

    def __call__(self, folder: Path) -> None:
        self.temporary = folder
        for place in (folder, self._final):
            (place / "vae").mkdir(parents=True)
            (place / "vae/diffusion_pytorch_model.safetensors").write_bytes(place.name.encode())


class DiskFullHalfway:
    """Stands for build on a disk that is full after the VAE."""

    def __call__(self, folder: Path) -> None:
        (folder / "vae").mkdir()
        raise OSError(28, "No space left on device")


def draw(generator: Generator, reference: Image.Image | None = None, prompt: str = "a red fox", **more: Any) -> Drawing:
    return generator.generate_image(prompt, reference, **{**SMALL, **more})


def pixels(drawing: Drawing) -> bytes:
    return drawing.images[0].data


def contents(folder: Path) -> dict[str, Digest]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): Digest.of(path.read_bytes()) for path in files}


def stripes() -> Image.Image:
    """A picture whose edges are elsewhere than those of quarters."""
    picture = Image.new("RGB", (64, 64), "white")
    for left in range(0, 64, 16):
        picture.paste((0, 0, 0), (left, 0, left + 8, 64))
    return picture


def test_the_trained_weights_go_into_the_wheel_with_their_card() -> None:
    folder = Path(builtin_build.__file__).parent
    project = tomllib.loads((folder.parents[1] / "pyproject.toml").read_text("utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["pipeline.builtin"]
    shipped = {path for pattern in patterns for path in folder.glob(pattern)}
    assert shipped == set((folder / "trained").iterdir())
    assert {"CARD.md", "about.json", "part-0.safetensors"} <= {path.name for path in shipped}
    assert sum(path.stat().st_size for path in shipped) < 36_000_000
    assert max(path.stat().st_size for path in shipped) < 16_000_000


@pytest.fixture(scope="module")
def plain(generator: Generator) -> bytes:
    return pixels(draw(generator))


def test_building_twice_gives_the_same_bytes(weights: BuiltinWeights, tmp_path: Path) -> None:
    silence_libraries()
    build(tmp_path)
    built = weights.vae(load_styles().vae).path.parent
    assert contents(tmp_path) == contents(built)
    assert sum(name.endswith(".safetensors") for name in contents(built)) == 3 * len(STYLES) + 2


def test_the_checkpoints_are_small_and_all_different(weights: BuiltinWeights) -> None:
    shipped = load_styles()
    located = [weights.checkpoint(shipped.find(name)) for name in STYLES]
    located += [weights.vae(shipped.vae), weights.controlnet(shipped.controlnet)]
    for one in located:
        assert MIB < sum(file.stat().st_size for file in one.path.rglob("*") if file.is_file()) < 12 * MIB
    assert len({one.record.sha256 for one in located}) == len(located)


def test_a_repository_nothing_stands_in_for_says_what_to_do(weights: BuiltinWeights) -> None:
    style = load_styles({"anime": {"repo": "someone/else"}}).find("anime")
    with pytest.raises(CheckpointMissing, match=r"someone/else.*imagegen models pull"):
        weights.checkpoint(style)


def test_the_same_arguments_give_the_same_bytes(generator: Generator) -> None:
    assert pixels(draw(generator)) == pixels(draw(generator))
    assert pixels(draw(generator, quarters(64, 64))) == pixels(draw(generator, quarters(64, 64)))


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "a blue whale"},
        {"prompt": "붉은 여우"},
        {"style": "semi_realistic"},
        {"style": "ultra_realistic"},
        {"seed": 2},
        {"steps": 3},
        {"guidance_scale": 9.0},
        {"negative_prompt": "trees"},
        {"user_input": "in the snow"},
    ],
    ids="-".join,
)
def test_each_of_these_changes_the_picture(generator: Generator, plain: bytes, change: dict[str, Any]) -> None:
    assert pixels(draw(generator, **change)) != plain


@pytest.mark.parametrize("mode", ["variation", "structure"])
def test_the_edges_of_the_reference_change_the_picture(generator: Generator, mode: str) -> None:
    strong, none, other = (
        pixels(draw(generator, reference, reference_mode=mode, controlnet_scale=scale))
        for reference, scale in ((quarters(64, 64), 1.0), (quarters(64, 64), 0.0), (stripes(), 1.0))
    )
    assert len({strong, none, other}) == 3


def test_with_no_weight_only_the_edges_lose_their_effect(generator: Generator) -> None:
    structure, variation = (
        [
            pixels(draw(generator, reference, reference_mode=mode, controlnet_scale=0.0))
            for reference in (quarters(64, 64), stripes())
        ]
        for mode in ("structure", "variation")
    )
    assert structure[0] == structure[1]
    assert variation[0] != variation[1]


def test_strength_decides_how_much_of_the_reference_is_left(generator: Generator) -> None:
    drawn = [pixels(draw(generator, quarters(64, 64), steps=4, strength=strength)) for strength in (0.25, 1.0)]
    assert drawn[0] != drawn[1]


def test_the_images_of_one_request_equal_those_drawn_alone(generator: Generator) -> None:
    for reference in (None, quarters(64, 64)):
        together = draw(generator, reference, num_images=3, seed=2**32 - 2).images
        alone = [draw(generator, reference, seed=seed).images[0] for seed in (2**32 - 2, 2**32 - 1, 0)]
        assert [image.data for image in together] == [image.data for image in alone]
        assert len({image.data for image in together}) == 3


@pytest.mark.long
def test_another_process_draws_the_same_bytes(generator: Generator, builtin_cache: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", ELSEWHERE, str(builtin_cache)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.strip() == Digest.of(pixels(draw(generator)))


def test_of_two_processes_that_build_at_once_the_first_one_s_folder_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = BuiltinWeights(tmp_path)
    final = tmp_path / "builtin"
    monkeypatch.setattr(weights, "_folder", final)
    faster = AnotherProcessIsFaster(final)
    monkeypatch.setattr(builtin_build, "build", faster)
    located = weights.vae(load_styles().vae)
    assert (located.path / "diffusion_pytorch_model.safetensors").read_bytes() == b"builtin"
    assert faster.temporary is not None
    assert [path.name for path in tmp_path.iterdir()] == ["builtin"]


def test_half_a_build_is_never_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtin_build, "build", DiskFullHalfway())
    with pytest.raises(OSError, match="No space left"):
        BuiltinWeights(tmp_path).vae(load_styles().vae)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_two_processes_that_really_build_at_once_both_draw_the_same(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ELSEWHERE, str(tmp_path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=110)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert said[0] == said[1] != ""
    assert len(list(tmp_path.iterdir())) == 1
