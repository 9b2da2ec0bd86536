import subprocess
import sys
from pathlib import Path

import pytest

from store.errors import SettingsInvalid
from watcher.commands.supervise import build_supervisor
from watcher.fleet.gpus import gpus, visible_to
from watcher.settings import Settings

NO_DRIVER = Path("/nowhere")


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    """The folder of a driver that has two GPUs."""
    for address in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / address).mkdir()
    return tmp_path


def test_the_driver_says_how_many_gpus_there_are(driver: Path) -> None:
    assert gpus("auto", {}, driver) == ("0", "1")


def test_without_a_driver_there_are_none() -> None:
    assert gpus("auto", {}, NO_DRIVER) == ()


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("2,3", ("2", "3")),
        (" GPU-8932f937 , MIG-1b2c ", ("GPU-8932f937", "MIG-1b2c")),
        ("0,-1,1", ("0",)),
        ("-1", ()),
        ("", ()),
    ],
)
def test_cuda_visible_devices_is_read_as_cuda_reads_it(driver: Path, visible: str, expected: tuple[str, ...]) -> None:
    assert gpus("cuda", {"CUDA_VISIBLE_DEVICES": visible}, driver) == expected


@pytest.mark.parametrize("device", ["cpu", "mps", "cuda:1"])
def test_a_device_that_is_named_is_not_shared_out(driver: Path, device: str) -> None:
    assert gpus(device, {}, driver) == ()


def test_workers_share_gpus_in_turn() -> None:
    seen = [visible_to(number, ("4", "7"))["CUDA_VISIBLE_DEVICES"] for number in range(5)]
    assert seen == ["4", "7", "4", "7", "4"]


def test_without_gpus_the_variable_is_left_alone() -> None:
    assert visible_to(0, ()) == {}


@pytest.mark.parametrize(
    ("visible", "workers", "count"), [("0,1,2", "auto", 3), ("", "auto", 1), ("0,1", "5", 5), ("", "1", 1)]
)
def test_auto_is_one_worker_a_gpu_and_one_without(
    monkeypatch: pytest.MonkeyPatch, visible: str, workers: str, count: int
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert len(build_supervisor(Settings(), workers, ()).workers()) == count


@pytest.mark.parametrize("workers", ["0", "17", "-1", "two", "", "1.5"])
def test_other_numbers_of_workers_are_refused(workers: str) -> None:
    with pytest.raises(SettingsInvalid, match="--workers: found"):
        build_supervisor(Settings(), workers, ())


def test_the_supervisor_does_without_torch() -> None:
    script = (
        "import sys; import watcher.cli; from watcher.settings import Settings;"
        "from watcher.commands.supervise import build_supervisor;"
        "build_supervisor(Settings(), 'auto', ()); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
