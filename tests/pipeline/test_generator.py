"""The one entry: words in, pictures out; with a reference image it draws along it."""

import dataclasses
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import pipeline.generator
from pipeline.admission import admit
from pipeline.builtin.weights import STYLE_CHANGES, BuiltinWeights
from pipeline.config import DrawingConfig, Limits
from pipeline.drawing import Drawing
from pipeline.generator import Generator, Parameters, generate_image
from pipeline.progress import Progress
from pipeline.pulled import PulledWeights
from pipeline.reference import ReferenceImage
from pipeline.request import GenerationRequest
from pipeline.styles import load_styles
from store.errors import (
    InvalidField,
    NodeFailed,
    SettingsInvalid,
    ShuttingDown,
    UnknownField,
    UnknownStyle,
    WorkflowBroken,
)
from tests.pipeline.samples import NUMPY_IN_DIFFUSERS, asked, encoded, quarters

pytestmark = pytest.mark.filterwarnings(NUMPY_IN_DIFFUSERS)

HERE = Path(__file__).parent
SMALL: Parameters = {"width": 64, "height": 64, "steps": 2, "seed": 3}
TEXT2IMAGE = ["prompting", "text2image", "text_guard", "postprocessing"]
IMAGE2IMAGE = ["prompting", "preprocessing", "controlnet", "image2image", "text_guard", "postprocessing"]
PICTURE = quarters(64, 64)
PNG = encoded(PICTURE)

# what somebody who installs a plugin runs: one line of configuration joins the node
WITH_SEPIA = """
import json, sys
from pathlib import Path
from pipeline.builtin.weights import STYLE_CHANGES, BuiltinWeights
from pipeline.config import DrawingConfig
from pipeline.generator import Generator
from pipeline.styles import load_styles

def draw(*extra_nodes):
    config = DrawingConfig(device="cpu", threads=1, extra_nodes=extra_nodes)
    generator = Generator(BuiltinWeights(Path(sys.argv[1])), load_styles(builtin=STYLE_CHANGES), config)
    return generator.generate_image("a cat", width=64, height=64, steps=1, seed=3)

plain, sepia = draw(), draw("sepia after text2image")
for name, drawing in (("plain", plain), ("sepia", sepia)):
    Path(sys.argv[2], name + ".png").write_bytes(drawing.images[0].data)
print(json.dumps([[node.model_dump(mode="json") for node in drawing.nodes] for drawing in (plain, sepia)]))
"""


class RecordingProgress(Progress):
    """Remembers the nodes that began and the steps that were done."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[str] = []
        self.steps: list[tuple[str, int, int]] = []

    def begin(self, node: str) -> None:
        self.begun.append(node)

    def step(self, node: str, step: int, steps: int) -> None:
        self.steps.append((node, step, steps))


class CancelledAtStep(RecordingProgress):
    """The caller wants the drawing to end at this step."""

    def __init__(self, step: int, error: Exception) -> None:
        super().__init__()
        self._last = step
        self._error = error

    def step(self, node: str, step: int, steps: int) -> None:
        super().step(node, step, steps)
        if step == self._last:
            raise self._error


def new_generator(cache: Path, **config: Any) -> Generator:
    styles = load_styles(builtin=STYLE_CHANGES)
    return Generator(BuiltinWeights(cache), styles, DrawingConfig(device="cpu", threads=1, **config))


@pytest.fixture(scope="module")
def plain(generator: Generator) -> Drawing:
    """A cat, drawn from words alone."""
    return generator.generate_image("a cat", **SMALL)


@pytest.fixture(scope="module")
def varied(generator: Generator) -> Drawing:
    """A cat along a reference."""
    return generator.generate_image("a cat", PNG, **SMALL)


def names(drawing: Drawing) -> list[str]:
    return [record.name for record in drawing.nodes]


def data(drawing: Drawing) -> list[bytes]:
    return [image.data for image in drawing.images]


def pixels(file: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB")).astype(int)


def test_words_alone_are_drawn_without_a_controlnet(plain: Drawing) -> None:
    assert (plain.branch, names(plain)) == ("text2image", TEXT2IMAGE)
    assert plain.models.checkpoint.repo == "builtin/ultra_realistic"
    assert plain.models.vae.repo == "builtin/vae"
    assert plain.models.controlnet is None
    assert (plain.sampling.strength, plain.sampling.controlnet_scale, plain.sampling.reference_mode) == (None,) * 3


def test_a_reference_is_drawn_along_with_a_controlnet(varied: Drawing, plain: Drawing) -> None:
    assert (varied.branch, names(varied)) == ("image2image", IMAGE2IMAGE)
    assert varied.models.controlnet is not None
    assert varied.models.controlnet.repo == "builtin/controlnet"
    assert varied.models.vae == plain.models.vae
    sampling = varied.sampling
    assert (sampling.strength, sampling.controlnet_scale, sampling.reference_mode) == (0.6, 0.6, "variation")
    assert data(varied) != data(plain)


def test_every_node_of_a_drawing_is_recorded_as_succeeded(varied: Drawing) -> None:
    assert {record.status for record in varied.nodes} == {"succeeded"}
    starts = [record.started_at for record in varied.nodes]
    assert starts == sorted(starts)


def test_a_picture_has_the_size_format_and_seed_it_was_asked_for(generator: Generator) -> None:
    drawing = generator.generate_image("a cat", width=70, height=65, steps=1, seed=9, output_format="webp")
    (image,) = drawing.images
    opened = Image.open(io.BytesIO(image.data))
    assert (opened.format, opened.size) == ("WEBP", (70, 65))
    assert (image.width, image.height, image.format, image.seed) == (70, 65, "webp", 9)
    assert (drawing.sampling.drawn_width, drawing.sampling.drawn_height) == (72, 72)


def test_a_drawing_tells_what_it_was_drawn_with(plain: Drawing) -> None:
    sampling = plain.sampling
    assert (sampling.scheduler, sampling.steps, sampling.guidance_scale) == ("DPMSolverMultistepScheduler", 2, 5.5)
    assert (sampling.seed, sampling.num_images, sampling.output_format) == (3, 1, "png")
    assert (sampling.device, sampling.dtype) == ("cpu", "float32")
    assert plain.prompt.positive.startswith("professional photograph of a cat,")
    assert plain.prompt.tokens.positive > 10


def test_the_same_words_and_seed_give_the_same_bytes(generator: Generator, plain: Drawing) -> None:
    assert data(generator.generate_image("a cat", **SMALL)) == data(plain)


def test_without_a_seed_the_same_words_give_the_same_bytes_and_others_give_others(generator: Generator) -> None:
    first, again, other = (
        generator.generate_image(prompt, width=64, height=64, steps=1) for prompt in ("a cat", "a cat", "a dog")
    )
    assert data(first) == data(again)
    assert first.sampling.seed != other.sampling.seed


def test_other_words_give_another_picture(generator: Generator, plain: Drawing) -> None:
    assert data(generator.generate_image("a red house at night", **SMALL)) != data(plain)


def test_another_seed_gives_another_picture(generator: Generator, plain: Drawing) -> None:
    assert data(generator.generate_image("a cat", **{**SMALL, "seed": 4})) != data(plain)


def test_picture_k_of_several_is_the_one_drawn_alone_with_seed_plus_k(generator: Generator, plain: Drawing) -> None:
    two = generator.generate_image("a cat", **{**SMALL, "seed": 2, "num_images": 2})
    assert [image.seed for image in two.images] == [2, 3]
    assert data(two)[1] == data(plain)[0]
    assert data(two)[0] != data(two)[1]


@pytest.mark.parametrize("kind", ["path", "text", "picture"])
def test_a_reference_may_be_a_path_bytes_or_a_picture(
    kind: str, generator: Generator, varied: Drawing, tmp_path: Path
) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    reference = {"path": path, "text": str(path), "picture": PICTURE}[kind]
    drawing = generator.generate_image("a cat", reference, **SMALL)
    assert data(drawing) == data(varied)
    assert drawing.nodes[1].detail["name"] == ("reference" if kind == "picture" else "cat.png")


def test_another_reference_gives_another_picture(generator: Generator, varied: Drawing) -> None:
    turned = encoded(PICTURE.transpose(Image.Transpose.ROTATE_90))
    assert data(generator.generate_image("a cat", turned, **SMALL)) != data(varied)


def test_structure_keeps_only_the_edges_of_the_reference(generator: Generator, varied: Drawing) -> None:
    recoloured = encoded(Image.fromarray(np.asarray(PICTURE)[:, :, ::-1]))
    parameters: Parameters = {**SMALL, "reference_mode": "structure"}
    drawing = generator.generate_image("a cat", PNG, **parameters)
    assert (drawing.branch, drawing.sampling.reference_mode) == ("image2image", "structure")
    assert drawing.sampling.strength is None
    assert drawing.models.controlnet is not None
    assert data(drawing) != data(varied)
    # red and blue change places, and the edges stay where they are
    assert data(generator.generate_image("a cat", recoloured, **parameters)) == data(drawing)


@pytest.mark.parametrize("field", ["strength", "controlnet_scale"])
def test_how_far_to_follow_the_reference_moves_the_picture(field: Any, generator: Generator, varied: Drawing) -> None:
    moved = generator.generate_image("a cat", PNG, **{**SMALL, field: 1.0})
    assert data(moved) != data(varied)


def test_the_same_call_takes_every_parameter_with_and_without_a_reference(generator: Generator) -> None:
    common: Parameters = {
        "user_input": "asleep",
        "style": "ultra_realistic",
        "purpose": "profile",
        "negative_prompt": "blurry",
        "width": 64,
        "height": 64,
        "steps": 1,
        "guidance_scale": 4.0,
        "seed": 5,
        "num_images": 1,
        "strength": 1.0,
        "controlnet_scale": 0.5,
        "reference_mode": "variation",
        "output_format": "jpeg",
        "prompt_mode": "auto",
    }
    assert set(common) == set(Parameters.__annotations__) - {"aspect_ratio"}
    without, with_one = (generator.generate_image("a cat", reference, **common) for reference in (None, PNG))
    assert [drawing.branch for drawing in (without, with_one)] == ["text2image", "image2image"]
    assert with_one.warnings == ()
    assert without.warnings == tuple(
        f"{field} has no effect without a reference_image"
        for field in ("strength", "controlnet_scale", "reference_mode")
    )


def test_every_parameter_is_a_field_of_a_request_and_every_field_of_drawing_a_parameter() -> None:
    said_otherwise = {"prompt", "reference_image", "schema_version", "id", "metadata"}
    assert set(Parameters.__annotations__) == set(GenerationRequest.model_fields) - said_otherwise


def test_an_aspect_ratio_is_drawn_at_the_checkpoints_own_size(generator: Generator) -> None:
    drawing = generator.generate_image("a cat", aspect_ratio="21:9", steps=1)
    assert (drawing.images[0].width, drawing.images[0].height) == (192, 80)


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"steps": 0}, InvalidField),
        ({"width": 4096, "height": 64}, InvalidField),
        ({"style": "oil"}, UnknownStyle),
        ({"stepz": 3}, UnknownField),
    ],
    ids=str,
)
def test_what_a_request_may_not_say_a_call_may_not_say(
    parameters: Any, error: type[Exception], generator: Generator
) -> None:
    with pytest.raises(error, match=next(iter(parameters))):
        generator.generate_image("a cat", **parameters)


def test_a_style_is_drawn_by_its_own_checkpoint(generator: Generator, plain: Drawing) -> None:
    drawing = generator.generate_image("a cat", style="anime", **SMALL)
    assert drawing.models.checkpoint.repo == "builtin/anime"
    assert drawing.prompt.style == "anime"
    assert data(drawing) != data(plain)


def steps_of(generator: Generator, reference: bytes | None = None, **fields: Any) -> list[tuple[str, int, int]]:
    progress = RecordingProgress()
    if reference is not None:
        fields["reference_image"] = "reference"
    request = admit({"prompt": "a cat", "width": 64, "height": 64, **fields}, Limits(), generator.styles.names)
    generator.draw(request, reference and ReferenceImage.of(reference), seed=1, progress=progress)
    assert progress.begun == (TEXT2IMAGE if reference is None else IMAGE2IMAGE)
    return progress.steps


def test_every_step_is_reported_once_over_all_pictures(generator: Generator) -> None:
    assert steps_of(generator, steps=3, num_images=2) == [("text2image", step, 6) for step in range(1, 7)]


def test_a_variation_reports_the_steps_that_its_strength_leaves(generator: Generator) -> None:
    steps = steps_of(generator, PNG, steps=5, strength=0.5, num_images=2)
    assert steps == [("image2image", step, 4) for step in range(1, 5)]


def test_structure_reports_all_its_steps(generator: Generator) -> None:
    steps = steps_of(generator, PNG, steps=2, strength=0.5, reference_mode="structure")
    assert steps == [("image2image", step, 2) for step in range(1, 3)]


@pytest.mark.parametrize(
    ("raised", "caught", "code"),
    [(ShuttingDown(), ShuttingDown, "shutting_down"), (KeyError("stop"), NodeFailed, "node_failed")],
    ids=["ours", "foreign"],
)
def test_progress_may_end_a_drawing_and_the_next_one_is_none_the_worse(
    raised: Exception, caught: type[Exception], code: str, generator: Generator, plain: Drawing
) -> None:
    progress = CancelledAtStep(2, raised)
    with pytest.raises(caught):
        generator.draw(asked(width=64, height=64, steps=5), seed=1, progress=progress)
    assert progress.steps[-1] == ("text2image", 2, 5)
    assert [(record.name, record.status) for record in progress.records] == [
        ("prompting", "succeeded"),
        ("text2image", "failed"),
    ]
    assert progress.records[-1].detail["code"] == code
    assert data(generator.generate_image("a cat", **SMALL)) == data(plain)


def test_a_closed_generator_draws_no_more(builtin_cache: Path) -> None:
    generator = new_generator(builtin_cache)
    generator.close()
    progress = RecordingProgress()
    with pytest.raises(ShuttingDown):
        generator.draw(asked(), seed=1, progress=progress)
    assert progress.steps == []
    assert generator.checkpoints.resident is None


def test_a_generator_loads_nothing_before_it_draws(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert new_generator(cache).checkpoints.resident is None
    assert not cache.exists()


def test_the_built_in_checkpoints_draw_with_one_thread_and_others_with_torchs_own_unless_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", counts.append)
    styles = load_styles()
    Generator(BuiltinWeights(tmp_path), styles, DrawingConfig(device="cpu"))
    Generator(PulledWeights(tmp_path, styles), styles, DrawingConfig(device="cpu"))
    Generator(BuiltinWeights(tmp_path), styles, DrawingConfig(device="cpu", threads=3))
    assert counts == [1, 3]


def test_a_device_that_torch_does_not_see_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"drawing\.device: found 'cuda:63'"):
        Generator(BuiltinWeights(tmp_path), load_styles(), DrawingConfig(device="cuda:63"))


def test_a_scheduler_that_diffusers_does_not_have_is_refused_at_once(tmp_path: Path) -> None:
    styles = load_styles({"anime": {"scheduler": "NoSuchScheduler"}})
    with pytest.raises(SettingsInvalid, match="NoSuchScheduler"):
        Generator(BuiltinWeights(tmp_path), styles, DrawingConfig(device="cpu"))


def test_a_configured_style_that_does_not_exist_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(UnknownStyle, match="oil"):
        new_generator(tmp_path, default_style="oil")


def test_a_configured_node_that_is_not_installed_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(WorkflowBroken, match="there is no node 'sepia'; known nodes: controlnet, image2image"):
        new_generator(tmp_path, extra_nodes=("sepia after text2image",))


def test_a_bare_call_draws_with_the_builtin_checkpoints_made_on_first_use(
    builtin_cache: Path, plain: Drawing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline.generator, "user_cache_path", lambda name: builtin_cache)
    default = pipeline.generator._default_generator
    assert default.cache_info().currsize == 0
    try:
        drawing = generate_image("a cat", **SMALL)
        assert default.cache_info().currsize == 1
        assert (drawing.branch, names(drawing)) == ("text2image", TEXT2IMAGE)
        assert data(drawing) == data(plain)
        generate_image("a cat", PNG, **SMALL)
        assert default.cache_info().misses == 1
    finally:
        default.cache_clear()


def test_a_drawing_cannot_be_changed(plain: Drawing) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        plain.branch = "other"  # type: ignore[misc]


@pytest.fixture(scope="module")
def installed_plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package in tests/plugin, installed by pip into a folder of its own."""
    source, target = tmp_path_factory.mktemp("plugin"), tmp_path_factory.mktemp("site")
    # a copy, because setuptools builds beside the source
    shutil.copytree(HERE.parent / "plugin", source, dirs_exist_ok=True)
    install = ["install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", *install, str(source)], check=True, timeout=60)
    return target


@pytest.mark.long
def test_an_installed_node_joins_by_one_line_of_configuration(
    installed_plugin: Path, builtin_cache: Path, tmp_path: Path
) -> None:
    here = str(HERE.parent.parent)
    paths = os.pathsep.join([str(installed_plugin), here])
    answer = subprocess.run(
        [sys.executable, "-c", WITH_SEPIA, str(builtin_cache), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    without, with_sepia = json.loads(answer.stdout)
    assert [record["name"] for record in without] == TEXT2IMAGE
    with_names = [record["name"] for record in with_sepia]
    assert with_names == ["prompting", "text2image", "sepia", "text_guard", "postprocessing"]
    assert (with_sepia[2]["status"], with_sepia[2]["detail"]) == ("succeeded", {"pictures": 1})
    before, after = (pixels((tmp_path / f"{name}.png").read_bytes()) for name in ("plain", "sepia"))
    assert (before != after).any()
    # brown: red over green over blue wherever it is not black
    assert (after[:, :, 0] >= after[:, :, 1]).all()
    assert (after[:, :, 1] >= after[:, :, 2]).all()
