"""What befalls a worker costs no request its picture: a lost device, a models folder that is away."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.lock import FILE_NAME
from store.errors import CheckpointMissing, DeviceLost, ServiceError
from tests.watcher.house import Studio, request_bytes
from watcher import cli
from watcher.fleet.supervisor import FAILED, MISUSED
from watcher.hall import Draws, Hall
from watcher.settings import Settings, load_settings


class DeviceFallsOffTheBus(Studio):
    """Loses its device at the first drawing, and has none from then on."""

    def __init__(self) -> None:
        super().__init__()
        self.tried = 0

    def draw(self, *args: Any, **more: Any) -> Any:
        self.tried += 1
        raise DeviceLost("CUDA error: unspecified launch failure")


class UnmountsUnderway(Studio):
    """Its models go away while it draws."""

    def __init__(self, lock: Path) -> None:
        super().__init__()
        self._lock = lock

    def draw(self, *args: Any, **more: Any) -> Any:
        self._lock.unlink()
        raise CheckpointMissing("the VAE: madebyollin/sdxl-vae-fp16-fix is not in models")


class IsNotPulled(Studio):
    """Has no checkpoint of the style that is asked for."""

    def draw(self, *args: Any, **more: Any) -> Any:
        raise CheckpointMissing("style 'anime': cagliostrolab/animagine-xl-3.1 is not in models")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "models" / FILE_NAME
    path.parent.mkdir()
    path.touch()
    return path


def opened(studio: Draws, models: str = "builtin") -> Hall:
    settings = load_settings(inbox="inbox", outbox="outbox", models=models)
    return Hall(settings.model_copy(update={"window": 1, "reserve_mib": 0}), lambda settings: studio)


def dropped(*names: str) -> None:
    Path("inbox").mkdir(exist_ok=True)
    for name in names:
        Path(f"inbox/{name}.json").write_bytes(request_bytes())


def statuses(hall: Hall, *names: str) -> list[str]:
    return [hall.outbox.result(name).status if hall.outbox.has_result(name) else "waits" for name in names]


def test_a_worker_whose_device_is_lost_ends_and_leaves_all_requests_to_the_next_one() -> None:
    lost = DeviceFallsOffTheBus()
    hall = opened(lost)
    dropped("a", "b", "c")
    with pytest.raises(DeviceLost, match="unspecified launch failure"):
        hall.lanes.drain()
    assert (lost.tried, lost.closed) == (1, True)
    assert statuses(hall, "a", "b", "c") == ["waits"] * 3
    following = opened(Studio())
    assert following.lanes.drain().pending == ()
    assert statuses(following, "a", "b", "c") == ["succeeded"] * 3


@pytest.mark.parametrize(("error", "code"), [(DeviceLost(), FAILED), (CheckpointMissing(), MISUSED)])
def test_a_lost_device_ends_the_process_as_one_that_may_be_started_again(
    error: ServiceError, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def app() -> None:
        raise error

    monkeypatch.setattr(cli, "app", app)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code


@pytest.mark.parametrize("serves", [lambda hall: hall.lanes.drain(), lambda hall: hall.lanes.serve()])
def test_a_request_that_takes_the_device_each_time_is_given_up(serves: Callable[[Hall], object]) -> None:
    dropped("poison")
    for _ in range(3):
        hall = opened(DeviceFallsOffTheBus())
        assert statuses(hall, "poison") == ["waits"]
        with pytest.raises(DeviceLost), hall.lanes.open():
            serves(hall)
    error = hall.outbox.result("poison").error
    assert error is not None
    assert error.code == "device_lost"


def test_nothing_is_claimed_while_the_models_folder_is_away(lock: Path) -> None:
    hall = opened(Studio(), str(lock.parent))
    dropped("a")
    hall.lanes.drain()
    lock.rename(lock.with_suffix(".away"))
    dropped("b")
    (waiting,) = hall.lanes.drain().pending
    assert waiting.reason == f"{lock} is not there any more; nothing is claimed until the models folder is back"
    lock.with_suffix(".away").rename(lock)
    hall.lanes.drain()
    assert statuses(hall, "a", "b") == ["succeeded"] * 2


def test_a_request_that_was_claimed_before_the_models_went_away_waits_for_them(lock: Path) -> None:
    hall = opened(UnmountsUnderway(lock), str(lock.parent))
    dropped("a")
    assert [waiting.name for waiting in hall.lanes.drain().pending] == ["a.json"]
    assert statuses(hall, "a") == ["waits"]
    lock.touch()
    following = opened(Studio(), str(lock.parent))
    following.lanes.drain()
    assert statuses(following, "a") == ["succeeded"]


def test_a_style_that_was_never_pulled_is_still_an_error(lock: Path) -> None:
    hall = opened(IsNotPulled(), str(lock.parent))
    dropped("a")
    hall.lanes.drain()
    assert statuses(hall, "a") == ["failed"]


def test_models_that_were_never_there_are_told_by_what_opens_the_studio(tmp_path: Path) -> None:
    def missing(settings: Settings) -> Draws:
        raise CheckpointMissing("the VAE is not in models; run `imagegen models pull`")

    hall = Hall(load_settings(inbox="inbox", outbox="outbox", models=str(tmp_path / "none")), missing)
    dropped("a")
    with pytest.raises(CheckpointMissing, match="models pull"):
        hall.lanes.drain()
