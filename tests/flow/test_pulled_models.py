"""From the hub to a picture: pull, verify and draw, each by the real command."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from pipeline.builtin.weights import BuiltinWeights
from pipeline.styles import load_styles
from tests.flow.program import imagegen
from tests.hub import Hub, running_hub

STYLES = load_styles()
QUIET = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "0"}


def files_of(folder: Path, infix: str = "") -> dict[str, bytes]:
    """The files of a checkpoint, its weights with an infix such as .fp16."""
    names = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name.replace(".safetensors", f"{infix}.safetensors"): path.read_bytes() for name, path in names.items()}


@pytest.fixture(scope="module")
def hub(builtin_cache: Path) -> Iterator[Hub]:
    """A hub whose repositories hold the built-in weights, in the shape of the real ones."""
    weights = BuiltinWeights(builtin_cache)
    with running_hub() as hub:
        for style in STYLES.styles.values():
            infix = f".{style.variant}" if style.variant else ""
            hub.publish(style.repo, files_of(weights.checkpoint(style).path, infix), style.revision)
        hub.publish(STYLES.vae.repo, files_of(weights.vae(STYLES.vae).path))
        hub.publish(STYLES.controlnet.repo, files_of(weights.controlnet(STYLES.controlnet).path))
        yield hub


@pytest.mark.long
def test_what_is_pulled_is_verified_and_draws_in_every_style(hub: Hub, tmp_path: Path, builtin_cache: Path) -> None:
    def command(*arguments: str) -> str:
        environment = {**QUIET, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
        process = imagegen(*arguments, "--models", "models", folder=tmp_path, cache=builtin_cache, **environment)
        assert process.returncode == 0, process.stdout + process.stderr
        return process.stdout

    assert "ready" in command("models", "pull")
    assert command("models", "list").count("present") == 5
    assert "0 faults" in command("models", "verify")
    for style in STYLES.styles:
        small = ("--steps", "1", "--width", "64", "--height", "64")
        command("generate", "고양이", "-o", f"{style}.png", "--style", style, *small)
        with Image.open(tmp_path / f"{style}.png") as picture:
            assert picture.size == (64, 64)


@pytest.mark.long
def test_a_changed_weight_file_is_named_by_verify(hub: Hub, tmp_path: Path, builtin_cache: Path) -> None:
    environment = {**QUIET, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    arguments = ("--models", "models")
    imagegen("models", "pull", "--style", "anime", *arguments, folder=tmp_path, cache=builtin_cache, **environment)
    unet = next((tmp_path / "models").rglob("unet/*.safetensors"))
    unet.write_bytes(unet.read_bytes()[:-1] + b"x")
    process = imagegen("models", "verify", *arguments, folder=tmp_path, cache=builtin_cache)
    assert process.returncode == 1
    assert "unet/diffusion_pytorch_model.safetensors" in process.stdout
