import hashlib
import json
import shutil
from pathlib import Path

import jsonschema
import pytest

from store.manifest import ResultManifest
from tests.flow.conftest import EXAMPLES
from tests.flow.program import imagegen

NAMES = {"coffee-poster", "shiba-reading", "strawberry-cake", "wrong-steps", "비오는-날의-고양이"}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory, builtin_cache: Path) -> Path:
    """A folder in which the examples have been drawn."""
    folder = tmp_path_factory.mktemp("drawn")
    shutil.copytree(EXAMPLES, folder / "inbox")
    process = imagegen("run", "--once", folder=folder, cache=builtin_cache)
    assert process.returncode == 0, process.stderr
    (folder / "table.txt").write_text(process.stdout)
    (folder / "log.txt").write_text(process.stderr)
    return folder


def results(folder: Path) -> dict[str, ResultManifest]:
    files = (folder / "outbox" / "results").glob("*.json")
    found = [ResultManifest.model_validate_json(file.read_bytes()) for file in files]
    return {result.request_file.removesuffix(".json"): result for result in found}


def test_every_example_ends_in_one_manifest(drawn: Path) -> None:
    statuses = {name: result.status for name, result in results(drawn).items()}
    assert statuses == {name: "rejected" if name == "wrong-steps" else "succeeded" for name in NAMES}


def test_every_manifest_keeps_the_printed_schema(drawn: Path, builtin_cache: Path) -> None:
    schema = json.loads(imagegen("schema", "result", folder=drawn, cache=builtin_cache).stdout)
    for file in (drawn / "outbox" / "results").glob("*.json"):
        jsonschema.validate(json.loads(file.read_text()), schema)


def test_every_image_is_named_by_its_bytes_and_sharded(drawn: Path) -> None:
    images = [image for result in results(drawn).values() for image in result.images]
    assert len(images) == 5
    for image in images:
        digest = hashlib.sha256((drawn / "outbox" / image.path).read_bytes()).hexdigest()
        assert image.path == f"generated_images/{digest[:2]}/{digest}.{image.format}"


def test_the_branch_follows_from_the_reference_alone(drawn: Path) -> None:
    branches = {name: result.branch for name, result in results(drawn).items() if result.status == "succeeded"}
    assert branches.pop("coffee-poster") == "image2image"
    assert set(branches.values()) == {"text2image"}


def test_the_rejection_says_what_to_change(drawn: Path) -> None:
    error = results(drawn)["wrong-steps"].error
    assert error is not None
    assert error.code == "unknown_field"
    assert "did you mean 'guidance_scale'" in error.message
    assert "steps: found 0" in error.message


def test_the_inbox_keeps_only_what_is_shared(drawn: Path) -> None:
    assert [path.name for path in (drawn / "inbox").iterdir() if path.is_file()] == ["coffee-sketch.png"]


def test_the_table_names_each_request_and_each_image(drawn: Path) -> None:
    table = (drawn / "table.txt").read_text()
    for name, result in results(drawn).items():
        assert name in table
        for image in result.images:
            assert f"outbox/{image.path}" in table


def test_the_log_has_one_json_line_each_time_a_request_changes_hands(drawn: Path) -> None:
    lines = [json.loads(line) for line in (drawn / "log.txt").read_text().splitlines()]
    actions = [line["action"] for line in lines if line.get("request_id") == "strawberry-cake"]
    assert actions == ["claimed", "published"]


def test_verify_finds_no_fault(drawn: Path, builtin_cache: Path) -> None:
    process = imagegen("verify", "outbox", folder=drawn, cache=builtin_cache)
    assert (process.returncode, process.stdout.strip()) == (0, "5 images, 5 manifests, 0 faults")


def test_a_second_run_acknowledges_what_is_done_and_draws_nothing(drawn: Path, builtin_cache: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (drawn / "outbox").rglob("*") if path.is_file()}
    shutil.copytree(EXAMPLES, drawn / "inbox", dirs_exist_ok=True)
    process = imagegen("run", "--once", folder=drawn, cache=builtin_cache)
    assert process.returncode == 0
    assert process.stderr.count('"action": "acknowledged"') == len(NAMES)
    assert {path: path.stat().st_mtime_ns for path in (drawn / "outbox").rglob("*") if path.is_file()} == before


@pytest.mark.long
def test_the_same_request_gives_the_same_bytes_in_another_process(
    drawn: Path, folder: Path, builtin_cache: Path
) -> None:
    shutil.copy(EXAMPLES / "shiba-reading.json", folder / "inbox")
    imagegen("run", "--once", folder=folder, cache=builtin_cache)
    again = results(folder)["shiba-reading"]
    assert [image.sha256 for image in again.images] == [
        image.sha256 for image in results(drawn)["shiba-reading"].images
    ]


@pytest.mark.long
def test_verify_lists_a_changed_and_a_missing_image(folder: Path, builtin_cache: Path) -> None:
    shutil.copy(EXAMPLES / "shiba-reading.json", folder / "inbox")
    imagegen("run", "--once", folder=folder, cache=builtin_cache)
    changed, missing = sorted((folder / "outbox" / "generated_images").rglob("*.png"))
    changed.write_bytes(changed.read_bytes() + b"x")
    missing.unlink()
    process = imagegen("verify", "outbox", folder=folder, cache=builtin_cache)
    assert process.returncode == 1
    assert changed.name in process.stdout
    assert missing.name in process.stdout


def test_what_is_pending_is_named_with_exit_code_3(folder: Path, builtin_cache: Path) -> None:
    (folder / "inbox" / "half.json").write_text('{"prompt": "반')
    (folder / "inbox" / "waits.json").write_text('{"prompt": "고양이", "reference_image": "later.png"}')
    process = imagegen("run", "--once", folder=folder, cache=builtin_cache)
    assert process.returncode == 3
    assert "half.json" in process.stdout
    assert "later.png is not in the inbox yet" in process.stdout
    assert sorted(path.name for path in (folder / "inbox").glob("*.json")) == ["half.json", "waits.json"]


def test_an_empty_inbox_is_drained_at_once(folder: Path, builtin_cache: Path) -> None:
    assert imagegen("run", "--once", folder=folder, cache=builtin_cache).returncode == 0


@pytest.mark.long
def test_twenty_mixed_requests_at_once_are_all_answered(folder: Path, builtin_cache: Path) -> None:
    styles = ["ultra_realistic", "illustration", "anime", "auto"]
    shutil.copy(EXAMPLES / "coffee-sketch.png", folder / "inbox" / "shared.png")
    for number in range(20):
        fields = {"prompt": f"{number}번째 그림", "style": styles[number % 4], "steps": 1, "width": 64, "height": 64}
        if number % 5 == 0:
            fields["reference_image"] = "shared.png"
            fields["steps"] = 2
        (folder / "inbox" / f"r{number}.json").write_text(json.dumps(fields, ensure_ascii=False))
    process = imagegen("run", "--once", folder=folder, cache=builtin_cache)
    assert process.returncode == 0, process.stderr
    found = results(folder)
    assert len(found) == 20
    assert {result.status for result in found.values()} == {"succeeded"}
    assert sum(result.branch == "image2image" for result in found.values()) == 4
    assert imagegen("verify", "outbox", folder=folder, cache=builtin_cache).returncode == 0
