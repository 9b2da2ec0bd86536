"""`imagegen plan` tells what fits, without torch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pipeline.memory_plan import MODES
from pipeline.sizes import BUCKETS
from store.errors import InvalidField
from watcher.cli import app


def plan(*options: str) -> Result:
    return CliRunner().invoke(app, ["plan", *options])


def test_every_mode_and_bucket_is_planned() -> None:
    ended = plan()
    assert ended.exit_code == 0
    assert "22 GiB there" in ended.output
    for mode in MODES:
        assert ended.output.count(mode) == len(BUCKETS)
    assert "short" not in ended.output


def test_one_size_on_a_small_card_says_which_rung_it_takes_and_what_is_short() -> None:
    told = json.loads(plan("--json", "--vram", "8", "--width", "1024", "--height", "1024").stdout)
    found = {one["mode"]: one["rung"] for one in told}
    assert found == {"text2image": "tiled_512", "variation": None, "structure": None}
    assert all(set(one["peak"]) == {"whole", "tiled_512", "tiled_256", "cpu"} for one in told)
    assert "no, " in plan("--vram", "8", "--width", "1024", "--height", "1024").output


def test_a_width_without_a_height_is_refused() -> None:
    assert isinstance(plan("--width", "1024").exception, InvalidField)


def test_pulled_checkpoints_that_are_not_there_are_planned_as_sdxl(tmp_path: Path) -> None:
    assert plan("--json", "--models", str(tmp_path)).stdout == plan("--json").stdout


def test_no_gpu_library_is_loaded_for_it() -> None:
    lines = ("import sys", "from watcher.cli import app", "try: app(['plan'])", "except SystemExit: pass")
    code = "\n".join([*lines, "assert 'torch' not in sys.modules"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("option", ["--vram=0", "--width=8"])
def test_nonsense_is_refused(option: str) -> None:
    assert plan(option).exit_code == 2
