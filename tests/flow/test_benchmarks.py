"""Each benchmark of the engine runs through at a small size, prints its table and writes its figures."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
# torch is imported in several processes, each of which also makes the built-in checkpoints' pipes
pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


def run(name: str, folder: Path, *options: str) -> dict[str, Any]:
    figures = folder / "figures.json"
    command = [sys.executable, str(ROOT / "benchmarks" / name), *options, f"--json={figures}"]
    environment = os.environ | {"IMAGEGEN_CACHE": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout
    found = json.loads(figures.read_text())
    assert isinstance(found, dict)
    return found


def test_the_service_beside_a_plain_loop(tmp_path: Path) -> None:
    found = run("service.py", tmp_path, "--requests=1", "--rounds=1")
    assert found["ratio"] > 0


def test_the_mixed_load_of_four_arms(tmp_path: Path) -> None:
    found = run("mixed.py", tmp_path, "--requests=3", "--rounds=1")
    assert set(found["ours_over"]) == {"reload", "resident", "ours", "one style"}
    assert found["rounds"]["ours"][0]["drawing_seconds"] > 0


def test_the_memory_of_a_few_requests(tmp_path: Path) -> None:
    found = run("soak.py", tmp_path, "--requests=20")
    assert [point["requests"] for point in found["curve"]] == list(range(1, 21))


def test_style_changes_beside_loading_anew(tmp_path: Path) -> None:
    found = run("swap.py", tmp_path, "--toy", "--rounds=2", "--swaps=3", "--threads=1")
    assert set(found["ratios"]) == {"reload", "kept", "streamed"}
    assert found["equal"]


def test_the_simulation_of_turns(tmp_path: Path) -> None:
    found = run("fleet.py", tmp_path, "--requests=100", "--workers", "1", "3")
    shares = found["drain"]["8.0"]
    assert shares["ours"] > shares["age bound"]
    assert len(found["load"]) == 16
    assert [one["workers"] for one in found["fleet"]] == [1, 3] * 4


def test_the_gpu_script_at_the_size_of_a_toy(tmp_path: Path) -> None:
    found = run("gpu.py", tmp_path, "--toy", "--images=1", "--steps=2", "--requests=3")
    assert found["exact"]["seconds_per_image"] > 0
    assert found["arithmetic"]["flop_per_image"] > 0
    assert found["exact"]["planned_gib"] > 0
    assert {name for name, figures in found.items() if "swap_seconds" in figures} >= {
        *("reload", "swap pinned", "swap streamed")
    }
    assert 0 <= found["mixed"]["idle_fraction"] < 1
