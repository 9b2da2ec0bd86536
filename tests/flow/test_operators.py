"""The operators' commands as real processes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.flow.program import imagegen

BROKEN = '{"prompt": "고양이", "style": "anime", "steps": 1, "width": 64, "height": 64}'


def files(folder: Path) -> dict[str, float]:
    return {str(path): path.lstat().st_mtime for path in folder.rglob("*")}


def status(folder: Path, cache: Path) -> Any:
    process = imagegen("status", "--json", folder=folder, cache=cache)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def test_status_without_folders_says_so_and_makes_nothing(tmp_path: Path) -> None:
    process = imagegen("status", folder=tmp_path, cache=tmp_path / "cache")
    assert process.returncode == 2
    assert "settings_invalid" in process.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_operators_commands_import_no_torch(folder: Path) -> None:
    (folder / "outbox").mkdir()
    check = (
        "import sys; from watcher.cli import app; app(['status'], standalone_mode=False); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", check], cwd=folder, check=False, timeout=60).returncode == 0


def test_status_shows_a_table_and_touches_nothing(folder: Path) -> None:
    (folder / "outbox").mkdir()
    (folder / "inbox" / "딸기.json").write_text(BROKEN)
    before = files(folder)
    process = imagegen("status", folder=folder, cache=folder / "cache")
    assert process.returncode == 0, process.stderr
    assert "딸기.json" in process.stdout
    assert files(folder) == before


def test_redrive_names_what_is_not_there(folder: Path) -> None:
    (folder / "outbox").mkdir()
    process = imagegen("redrive", "nothing", folder=folder, cache=folder)
    assert process.returncode == 1
    assert process.stderr == "nothing: no such request lies in quarantine\n"


@pytest.mark.parametrize("arguments", [[], ["a", "--all"], ["a", "--rejected"], ["--rejected"]])
def test_redrive_wants_either_ids_or_all(folder: Path, arguments: list[str]) -> None:
    process = imagegen("redrive", *arguments, folder=folder, cache=folder)
    assert process.returncode == 2
    assert "--all" in process.stderr


@pytest.mark.long
def test_a_failed_request_is_redriven_drawn_and_cleared_away(folder: Path, builtin_cache: Path) -> None:
    toml = folder / "imagegen.toml"
    toml.write_text('[styles.anime]\ncheckpoint = "nowhere.safetensors"\n')
    (folder / "inbox" / "cake.json").write_text(BROKEN.replace("{", '{"id": "cake", ', 1))
    (folder / "inbox" / "bad.json").write_text("{}")
    imagegen("run", "--once", folder=folder, cache=builtin_cache)
    counts = status(folder, builtin_cache)["counts"]
    assert (counts["failed"], counts["rejected"], counts["quarantined"]) == (1, 1, 2)

    toml.unlink()
    process = imagegen("redrive", "--all", folder=folder, cache=builtin_cache)
    assert (process.returncode, process.stdout) == (0, "cake -> cake.r1\n")
    imagegen("run", "--once", folder=folder, cache=builtin_cache)
    result = json.loads((folder / "outbox" / "results" / "cake.r1.json").read_text())
    assert (result["status"], result["redrive_of"]) == ("succeeded", "cake")

    pruned = imagegen("prune", "--older-than", "0d", "--json", folder=folder, cache=builtin_cache)
    removed = {item["kind"]: item["count"] for item in json.loads(pruned.stdout)["removed"] if item["count"]}
    assert removed == {"archive": 1, "quarantine": 1, "redriven": 1}
    assert status(folder, builtin_cache)["counts"]["succeeded"] == 1
    assert imagegen("verify", "outbox", folder=folder, cache=builtin_cache).returncode == 0
