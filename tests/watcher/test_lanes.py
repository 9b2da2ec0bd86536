import threading
from pathlib import Path

import pytest

from store.errors import InternalError, SettingsInvalid
from store.location import open_bucket
from store.outbox import Outbox
from tests.watcher.house import Studio, request_bytes
from watcher.commands.lanes import lanes_of, only
from watcher.commands.run import _options
from watcher.hall import Hall
from watcher.settings import LaneSettings, Settings, load_settings

A, B, OUT = "s3://pictures/anime", "s3://pictures/real", "s3://pictures/out"
QA, QB = "https://sqs.eu-west-1.amazonaws.com/1/a", "https://sqs.eu-west-1.amazonaws.com/1/b"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def pairs(settings: Settings) -> list[tuple[str, str | None]]:
    return [(lane.inbox, lane.queue) for lane in settings.all_lanes]


def test_one_inbox_and_its_queue_are_a_lane() -> None:
    assert pairs(load_settings(inbox=A, queue=QA)) == [(A, QA)]
    assert pairs(load_settings()) == [("inbox", None)]


def test_several_pairs_on_the_command_line_are_lanes_in_that_order() -> None:
    settings = load_settings(None, lanes_of([A, B], [QA, QB]))
    assert pairs(settings) == [(A, QA), (B, QB)]
    assert settings.inbox == A
    assert pairs(load_settings(None, lanes_of([A, B], []))) == [(A, None), (B, None)]


def test_lanes_may_stand_in_the_configuration_file_and_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imagegen.toml").write_text(
        f'[[lanes]]\ninbox = "{A}"\nqueue = "{QA}"\n[[lanes]]\ninbox = "{B}"\nqueue = "{QB}"\n'
    )
    settings = load_settings()
    assert pairs(settings) == [(A, QA), (B, QB)]
    assert (settings.inbox, settings.queue) == (A, QA)
    # the command line says all there is to say of inboxes
    assert pairs(load_settings(inbox=B)) == [(B, None)]
    assert pairs(load_settings(None, lanes_of([B], [QB]))) == [(B, QB)]
    (tmp_path / "imagegen.toml").unlink()
    monkeypatch.setenv("IMAGEGEN_LANES", f'[{{"inbox": "{B}", "queue": "{QB}"}}]')
    assert pairs(load_settings()) == [(B, QB)]


@pytest.mark.parametrize("off", ["off", "0", "0.0"])
def test_the_scan_can_be_switched_off_where_there_is_a_queue(off: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEGEN_SCAN_SECONDS", off)
    assert load_settings(inbox=A, queue=QA).scan_interval(A) == 0
    # a command that only asks need not know of the queue
    alone = load_settings(inbox="inbox")
    with pytest.raises(SettingsInvalid, match="no queue announces"):
        Hall(alone)


def test_a_scan_is_often_in_a_folder_and_rare_in_s3() -> None:
    settings = load_settings()
    assert (settings.scan_interval("inbox"), settings.scan_interval(A)) == (5.0, 60.0)


def test_a_worker_with_several_queues_lists_no_more_often_than_with_one() -> None:
    settings = load_settings(None, lanes_of([A, B], [QA, QB]))
    assert settings.scan_interval(A) == settings.scan_interval(B) == 120.0
    assert load_settings(None, lanes_of([A, B], [])).scan_interval(A) == 60.0


@pytest.mark.parametrize(
    ("lanes", "told"),
    [
        ([("inbox", QA)], "is a folder, which no queue announces"),
        ([(A, QA), (A, QB)], "the same inbox"),
        ([(A, QA), (B, QA)], "the same queue"),
    ],
)
def test_what_does_not_go_together_is_refused(lanes: list[tuple[str, str]], told: str) -> None:
    with pytest.raises(SettingsInvalid, match=told):
        load_settings(None, [LaneSettings(inbox=inbox, queue=queue) for inbox, queue in lanes])


def test_an_inbox_beside_lanes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imagegen.toml").write_text(f'[[lanes]]\ninbox = "{A}"\n')
    monkeypatch.setenv("IMAGEGEN_INBOX", B)
    with pytest.raises(SettingsInvalid, match="either inbox and queue, or lanes"):
        load_settings()


def test_inboxes_and_queues_that_do_not_pair_up_are_refused() -> None:
    with pytest.raises(SettingsInvalid, match="found 2 --inbox and 1 --queue"):
        lanes_of([A, B], [QA])
    with pytest.raises(SettingsInvalid, match="found 2 --queue and no --inbox"):
        only([QA, QB])
    assert (only([QA]), only([])) == (QA, None)


def test_a_supervised_worker_is_given_the_same_pairs() -> None:
    options = _options(inbox=[A, B], queue=[QA, QB], outbox=OUT, models=None)
    assert options == (f"--inbox={A}", f"--inbox={B}", f"--queue={QA}", f"--queue={QB}", f"--outbox={OUT}")


def folders(*names: str, window: int = 1) -> Settings:
    lanes = tuple(LaneSettings(inbox=name) for name in names)
    return load_settings(None, lanes, outbox="outbox").model_copy(update={"window": window, "reserve_mib": 0})


def test_a_drain_empties_every_inbox_into_one_outbox(tmp_path: Path) -> None:
    hall = Hall(folders("one", "two"), lambda settings: Studio())
    (tmp_path / "one/a.json").write_bytes(request_bytes())
    (tmp_path / "two/b.json").write_bytes(request_bytes())
    assert hall.lanes.drain().names == ("a.json", "b.json")
    assert {hall.outbox.result(name).status for name in ("a", "b")} == {"succeeded"}


def served(hall: Hall, failures: list[BaseException]) -> threading.Thread:
    def serve() -> None:
        try:
            with hall.lanes.open():
                hall.lanes.serve()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_three_busy_folders_share_one_slot(tmp_path: Path) -> None:
    count, names = 10, ("one", "two", "three")
    hall = Hall(folders(*names), lambda settings: Studio())
    for name in names:
        for number in range(count):
            (tmp_path / name / f"{name}-{number:02}.json").write_bytes(request_bytes())
    failures: list[BaseException] = []
    thread = served(hall, failures)
    outbox, drawn = Outbox(open_bucket("outbox")), threading.Event()
    ids = [f"{name}-{number:02}" for name in names for number in range(count)]
    for _ in range(1200):
        if all(map(outbox.has_result, ids)):
            break
        drawn.wait(0.05)
    hall.stop()
    thread.join(60)
    assert failures == []
    assert all(map(outbox.has_result, ids))


def test_a_studio_that_cannot_be_opened_ends_every_lane() -> None:
    def broken(settings: Settings) -> Studio:
        raise InternalError("no studio")

    failures: list[BaseException] = []
    served(Hall(folders("one", "two"), broken), failures).join(60)
    assert [str(failure) for failure in failures] == ["no studio"]


def test_the_studio_is_opened_once_for_alllanes_of() -> None:
    opened: list[int] = []

    def open_studio(settings: Settings) -> Studio:
        opened.append(1)
        return Studio()

    hall = Hall(folders("one", "two", "three"), open_studio)
    failures: list[BaseException] = []
    thread = served(hall, failures)
    while not opened:
        threading.Event().wait(0.01)
    hall.stop()
    thread.join(60)
    assert (failures, opened) == ([], [1])
