import json
import signal
from pathlib import Path

import pytest
from PIL import Image

from tests.flow.conftest import EXAMPLES
from tests.flow.program import SECONDS, Running, imagegen, is_drawing, until


def result_of(folder: Path, identifier: str) -> Path:
    return folder / "outbox" / "results" / f"{identifier}.json"


def drop(folder: Path, name: str, **fields: object) -> None:
    document = {"prompt": "고양이", "width": 64, "height": 64, "steps": 1, **fields}
    temporary = folder / "inbox" / f".{name}.tmp"
    temporary.write_text(json.dumps(document, ensure_ascii=False))
    temporary.rename(folder / "inbox" / name)


def test_submit_waits_and_ends_with_the_image_path(folder: Path, builtin_cache: Path) -> None:
    with Running(folder, builtin_cache):
        process = imagegen(
            *("submit", "딸기 케이크", "--wait", "--style", "anime", "--id", "cake"),
            *("--steps", "1", "--width", "64", "--height", "72"),
            folder=folder,
            cache=builtin_cache,
        )
    assert process.returncode == 0, process.stdout + process.stderr
    identifier, path = process.stdout.split()
    assert identifier == "cake"
    with Image.open(folder / path) as image:
        assert image.size == (64, 72)


@pytest.mark.long
def test_submit_with_a_reference_draws_along_it(folder: Path, builtin_cache: Path) -> None:
    reference = str(EXAMPLES / "coffee-sketch.png")
    with Running(folder, builtin_cache):
        arguments = ("submit", "커피", "--reference", reference, "--wait", "--id", "cup")
        process = imagegen(*arguments, folder=folder, cache=builtin_cache)
    assert process.returncode == 0, process.stdout + process.stderr
    assert json.loads(result_of(folder, "cup").read_text())["branch"] == "image2image"
    assert list((folder / "inbox").glob("cup*")) == []


@pytest.mark.long
def test_submit_reports_a_rejection_with_exit_code_1(folder: Path, builtin_cache: Path) -> None:
    with Running(folder, builtin_cache):
        process = imagegen("submit", "고양이", "--style", "유화", "--wait", folder=folder, cache=builtin_cache)
    assert process.returncode == 1
    assert "unknown_style" in process.stdout


def test_submit_refuses_an_id_that_is_taken_or_cannot_be_one(folder: Path, builtin_cache: Path) -> None:
    def submit(prompt: str, identifier: str) -> int:
        return imagegen("submit", prompt, "--id", identifier, folder=folder, cache=builtin_cache).returncode

    assert submit("고양이", "cat") == 0
    assert submit("고양이", "cat") == 0
    assert submit("강아지", "cat") == 2
    assert submit("고양이", "../cat") == 2


@pytest.mark.long
def test_a_late_reference_is_waited_for(folder: Path, builtin_cache: Path) -> None:
    with Running(folder, builtin_cache):
        drop(folder, "late.json", reference_image="later.png", steps=2)
        drop(folder, "other.json")
        until(result_of(folder, "other").is_file)
        assert not result_of(folder, "late").exists()
        (folder / "inbox" / "later.png").write_bytes((EXAMPLES / "coffee-sketch.png").read_bytes())
        until(result_of(folder, "late").is_file)
    assert json.loads(result_of(folder, "late").read_text())["status"] == "succeeded"


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)])
def test_a_signal_lets_the_drawing_finish_and_gives_the_rest_back(
    number: signal.Signals, folder: Path, builtin_cache: Path
) -> None:
    with Running(folder, builtin_cache) as process:
        for index in range(6):
            drop(folder, f"r{index}.json", width=256, height=256, steps=150)
        until(lambda: is_drawing(folder))
        process.send_signal(number)
        assert process.wait(SECONDS) == 0
    done = {path.stem for path in (folder / "outbox").glob("results/*.json")}
    left = {path.stem for path in (folder / "inbox").glob("*.json")}
    assert done | left == {f"r{index}" for index in range(6)}
    assert not done & left
    assert left
    claims = [path.name for path in (folder / "inbox" / ".imagegen").glob("claims/*")]
    assert all(name.endswith(".released") for name in claims)


def test_a_killed_worker_leaves_a_request_that_the_next_one_finishes(folder: Path, builtin_cache: Path) -> None:
    drop(folder, "a.json", width=256, height=256, steps=150)
    with Running(folder, builtin_cache) as process:
        until(lambda: is_drawing(folder))
        process.kill()
        process.wait(SECONDS)
    assert not result_of(folder, "a").exists()
    finished = imagegen("run", "--once", folder=folder, cache=builtin_cache)
    assert finished.returncode == 0, finished.stderr
    result = json.loads(result_of(folder, "a").read_text())
    assert (result["status"], result["attempt"]) == ("succeeded", 2)
    assert list((folder / "outbox").glob("progress/*")) == []
