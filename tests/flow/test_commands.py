import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from PIL import Image

from tests.flow.conftest import EXAMPLES
from tests.flow.program import imagegen


@pytest.mark.parametrize(
    "command",
    [
        "",
        "run",
        "submit",
        "generate",
        "prompt",
        "plan",
        "replay",
        "schema",
        "doctor",
        "verify",
        "status",
        "cancel",
        "redrive",
        "prune",
        "health",
        "models",
        "models list",
        "models pull",
        "models verify",
    ],
)
def test_every_command_explains_itself(command: str, tmp_path: Path) -> None:
    process = imagegen(*command.split(), "--help", folder=tmp_path, cache=tmp_path)
    assert process.returncode == 0
    assert "Usage" in process.stdout


def test_generate_writes_a_picture_of_the_asked_size_and_format(tmp_path: Path, builtin_cache: Path) -> None:
    process = imagegen(
        "generate",
        "고양이",
        "-o",
        "out/cat.webp",
        "--width",
        "100",
        "--height",
        "70",
        "--steps",
        "1",
        folder=tmp_path,
        cache=builtin_cache,
    )
    assert process.returncode == 0, process.stderr
    with Image.open(tmp_path / "out" / "cat.webp") as image:
        assert (image.format, image.size) == ("WEBP", (100, 70))


@pytest.mark.long
def test_a_picture_is_the_same_in_every_process_and_after_any_styles_before_it(
    tmp_path: Path, builtin_cache: Path
) -> None:
    def drawn(name: str) -> bytes:
        small = ("--width", "64", "--height", "64", "--steps", "2", "--seed", "5", "--style", "anime")
        process = imagegen("generate", "a red fox", "-o", name, *small, folder=tmp_path, cache=builtin_cache)
        assert process.returncode == 0, process.stderr
        return (tmp_path / name).read_bytes()

    lines = [
        "from pathlib import Path",
        "from pipeline.generator import generate_image",
        "for style in ('semi_realistic', 'anime', 'ultra_realistic', 'anime'):",
        "    drawing = generate_image('a red fox', style=style, width=64, height=64, steps=2, seed=5)",
        "Path('swapped.png').write_bytes(drawing.images[0].data)",
    ]
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=tmp_path, env=environment, check=True, timeout=100)
    assert drawn("one.png") == drawn("two.png") == (tmp_path / "swapped.png").read_bytes()


@pytest.mark.long
def test_generate_follows_a_reference_and_numbers_its_pictures(tmp_path: Path, builtin_cache: Path) -> None:
    process = imagegen(
        "generate",
        "커피",
        "-o",
        "cup.png",
        "--reference",
        str(EXAMPLES / "coffee-sketch.png"),
        "--num-images",
        "2",
        "--width",
        "64",
        "--height",
        "64",
        "--steps",
        "2",
        folder=tmp_path,
        cache=builtin_cache,
    )
    assert process.returncode == 0, process.stderr
    assert (tmp_path / "cup-1.png").read_bytes() != (tmp_path / "cup-2.png").read_bytes()


def test_generate_says_what_is_wrong_with_an_argument(tmp_path: Path, builtin_cache: Path) -> None:
    process = imagegen("generate", "고양이", "-o", "cat.gif", folder=tmp_path, cache=builtin_cache)
    assert process.returncode == 2
    assert "invalid_field" in process.stderr
    assert ".png" in process.stderr


def test_the_printed_request_schema_accepts_every_example_but_the_wrong_one(tmp_path: Path) -> None:
    schema = json.loads(imagegen("schema", "request", folder=tmp_path, cache=tmp_path).stdout)
    validator = jsonschema.Draft202012Validator(schema)
    valid = {path.stem: validator.is_valid(json.loads(path.read_text())) for path in EXAMPLES.glob("*.json")}
    assert {name for name, ok in valid.items() if not ok} == {"wrong-steps"}
    assert len(valid) == 5


def test_the_doctor_finds_everything_well_on_the_built_in_checkpoints(tmp_path: Path, builtin_cache: Path) -> None:
    process = imagegen("doctor", folder=tmp_path, cache=builtin_cache)
    assert process.returncode == 0, process.stdout
    assert "✗" not in process.stdout


def test_the_doctor_names_a_missing_checkpoint_and_the_command_that_brings_it(
    tmp_path: Path, builtin_cache: Path
) -> None:
    process = imagegen("doctor", "--models", "models", folder=tmp_path, cache=builtin_cache)
    assert process.returncode == 1
    assert "imagegen models pull --style anime" in " ".join(process.stdout.split())


def test_the_doctor_names_a_place_that_cannot_be_written(tmp_path: Path, builtin_cache: Path) -> None:
    (tmp_path / "file").write_text("")
    process = imagegen("doctor", "--inbox", "file/inbox", folder=tmp_path, cache=builtin_cache)
    assert process.returncode == 1


def test_an_outbox_inside_the_inbox_is_refused(tmp_path: Path, builtin_cache: Path) -> None:
    process = imagegen("run", "--once", "--inbox", "a", "--outbox", "a/b", folder=tmp_path, cache=builtin_cache)
    assert process.returncode == 2
    assert "settings_invalid" in process.stderr


def test_without_the_default_checkpoint_nothing_is_claimed(tmp_path: Path, builtin_cache: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a.json").write_text('{"prompt": "고양이"}')
    process = imagegen("run", "--once", "--models", "models", folder=tmp_path, cache=builtin_cache)
    assert process.returncode == 2
    assert "imagegen models pull" in process.stderr
    assert (tmp_path / "inbox" / "a.json").is_file()
    assert list((tmp_path / "inbox").glob(".imagegen/claims/*")) == []


@pytest.mark.long
def test_a_style_without_its_checkpoint_ends_its_own_requests_only(tmp_path: Path, builtin_cache: Path) -> None:
    (tmp_path / "imagegen.toml").write_text('[styles.anime]\ncheckpoint = "nowhere.safetensors"\n')
    (tmp_path / "inbox").mkdir()
    for name, style in (("a", "anime"), ("b", "illustration")):
        request = {"prompt": "고양이", "style": style, "steps": 1, "width": 64, "height": 64}
        (tmp_path / "inbox" / f"{name}.json").write_text(json.dumps(request))
    imagegen("run", "--once", folder=tmp_path, cache=builtin_cache)
    results = {name: json.loads((tmp_path / "outbox" / "results" / f"{name}.json").read_text()) for name in ("a", "b")}
    assert results["a"]["error"]["code"] == "checkpoint_missing"
    assert results["b"]["status"] == "succeeded"


@pytest.mark.long
def test_a_style_added_in_the_configuration_file_draws(tmp_path: Path, builtin_cache: Path) -> None:
    (tmp_path / "imagegen.toml").write_text(
        '[styles.watercolor]\nbased_on = "anime"\npositive = "{prompt}, watercolor"\nsteps = 1\nnative_size = 64\n'
    )
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a.json").write_text('{"prompt": "고양이", "style": "watercolor"}')
    process = imagegen("run", "--once", folder=tmp_path, cache=builtin_cache)
    assert process.returncode == 0, process.stderr
    result = json.loads((tmp_path / "outbox" / "results" / "a.json").read_text())
    assert result["prompt"]["positive"] == "no humans, animal focus, cat, watercolor"
    assert result["images"][0]["width"] == 64


def test_a_configuration_that_cannot_be_used_names_the_setting(tmp_path: Path, builtin_cache: Path) -> None:
    (tmp_path / "imagegen.toml").write_text("window = 0\nwindou = 3\n")
    process = imagegen("run", "--once", folder=tmp_path, cache=builtin_cache)
    assert process.returncode == 2
    assert "window" in process.stderr
    assert "windou" in process.stderr
