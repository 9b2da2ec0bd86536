"""A folder inbox full of hostile files: each ends in a manifest, nothing blocks, and nothing outside is read."""

import io
import json
import logging
import os
import socket
import stat
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.config import Limits
from pipeline.request import ReferenceFile
from store.folder import FolderBucket
from tests.clock import FakeClock
from tests.watcher.house import SETTLE, House, build, picture, request_bytes
from tests.watcher.torture import DRAWN, TORTURES, Torture
from watcher import references as references_module
from watcher.logs import set_up_logging
from watcher.names import one_line, request_id, shown
from watcher.references import References

MIB = 1024 * 1024


@pytest.fixture
def house(tmp_path: Path) -> House:
    return build(incoming=FolderBucket(tmp_path))


def outcome(house: House, name: str) -> str:
    """What became of a request: its code, or that it was drawn; asked twice, with the time to settle between."""
    house.rounds.drain()
    house.clock.advance(SETTLE + 1)
    house.rounds.drain()
    result = house.result(request_id(name))
    return result.error.code if result.error else DRAWN


@pytest.mark.timeout(60)
@pytest.mark.parametrize("torture", TORTURES.values(), ids=TORTURES)
def test_json_that_breaks_parsers_ends_in_a_valid_manifest_with_a_stable_code(house: House, torture: Torture) -> None:
    house.drop("a.json", torture.content)
    started = time.process_time()
    assert outcome(house, "a.json") == torture.ends
    assert time.process_time() - started < 2
    assert house.incoming.list() == []
    manifest = json.loads(house.outgoing.get("results/a.json", 2 * MIB).decode("utf-8"))
    assert manifest["status"] == ("succeeded" if torture.ends == DRAWN else "rejected")


def test_a_request_of_five_gigabytes_is_rejected_without_being_read(house: House, tmp_path: Path) -> None:
    (tmp_path / "a.json").touch()
    os.truncate(tmp_path / "a.json", 5 * 1024 * MIB)
    tracemalloc.start()
    try:
        assert outcome(house, "a.json") == "request_too_large"
        assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    finally:
        tracemalloc.stop()


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(path.name)


def _full_folder(path: Path) -> None:
    (path / "deep").mkdir(parents=True)
    (path / "deep" / "a.json").write_text("{}")


def _device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root makes devices")


IRREGULAR: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "socket": _socket,
    "endless device": _device,
    "folder": Path.mkdir,
    "folder with files": _full_folder,
    "link to a file outside": lambda path: path.symlink_to("/etc/passwd"),
    "link to nothing": lambda path: path.symlink_to("nowhere"),
    "link to a folder": lambda path: path.symlink_to("/"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "link to another request": lambda path: path.symlink_to("other.json"),
}
every_irregular = pytest.mark.parametrize("make", IRREGULAR.values(), ids=IRREGULAR)


@pytest.mark.timeout(10)
@every_irregular
def test_what_is_no_file_is_rejected_as_a_request_and_put_aside_as_it_is(
    house: House, tmp_path: Path, make: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path may have 107 bytes at most
    make(tmp_path / "a.json")
    kind = stat.S_IFMT((tmp_path / "a.json").lstat().st_mode)
    assert outcome(house, "a.json") == "not_a_regular_file"
    [aside] = (tmp_path / ".imagegen" / "quarantine").glob("a.*/*")
    assert stat.S_IFMT(aside.lstat().st_mode) == kind
    assert house.incoming.list() == []


@pytest.mark.timeout(10)
@every_irregular
def test_what_is_no_file_is_rejected_as_a_reference_and_stays(
    house: House, tmp_path: Path, make: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "shared.png")
    house.drop("a.json", request_bytes(reference_image="shared.png"))
    assert outcome(house, "a.json") == "not_a_regular_file"
    assert os.path.lexists(tmp_path / "shared.png")


def test_one_hostile_file_does_not_keep_the_others_waiting(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for index, make in enumerate(IRREGULAR.values()):
        make(tmp_path / f"a{index}.json")
    house.drop("z.json")
    assert outcome(house, "z.json") == DRAWN
    assert house.incoming.list() == []


NAMES = {
    "255 bytes": b"x" * 250 + b".json",
    "255 bytes of Korean": "가".encode() * 83 + b".json",
    "not UTF-8": b"\xff\xfe\x80.json",
    "newline": b"a\nb.json",
    "terminal escape": b"\x1b[2J\x1b]0;x\x07.json",
    "all control characters": bytes(range(1, 32)) + b".json",
    "percent": b"a%2f..%2f..%2fetc%2fpasswd.json",
    "two dots": b"a..json",
    "minus": b"-rf.json",
    "backslash": b"a\\..\\b.json",
    "quotes": b"'\"`$(x);|.json",
    "right to left": "\u202egnp.json".encode(),
    "markup": b"[red]a[-].json",
    "id and counter": b"a.1.json",
    "blank": b" .json",
}


@pytest.mark.parametrize("raw", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("content", [request_bytes(), b"[]"], ids=["good", "bad"])
def test_a_request_under_an_odd_name_is_settled_like_any_other(
    house: House, tmp_path: Path, raw: bytes, content: bytes
) -> None:
    name = os.fsdecode(raw)
    (tmp_path / name).write_bytes(content)
    assert outcome(house, name) == (DRAWN if content != b"[]" else "not_an_object")
    assert house.incoming.list() == []
    shown_name = house.result(request_id(name)).request_file
    assert shown_name == shown(name)
    assert shown_name.encode("utf-8") == raw or "\\x" in shown_name


def test_names_that_differ_only_in_case_are_two_requests(house: House) -> None:
    house.drop("cake.json", request_bytes(seed=1))
    house.drop("Cake.json", request_bytes(seed=2))
    house.rounds.drain()
    assert {house.result(name).id for name in ("cake", "Cake")} == {"cake", "Cake"}


def test_hidden_files_are_left_alone(house: House, tmp_path: Path) -> None:
    for name in (".x.json", "..x.json", ".json"):
        (tmp_path / name).write_bytes(request_bytes())
    assert house.rounds.drain().names == ()
    assert len(house.incoming.list()) == 3


def test_a_shown_name_is_one_line_that_no_terminal_obeys() -> None:
    assert shown(os.fsdecode(b"a\n\x1b[2J\x7f\xff.json")) == r"a\x0a\x1b[2J\x7f\xff.json"
    assert one_line("딸기\u0085") == r"딸기\x85"


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """The log of the house, put back as it was."""
    logger = logging.getLogger("imagegen")
    before = (logger.handlers[:], logger.level, logger.propagate)
    yield logger
    logger.handlers[:], logger.level, logger.propagate = before


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def written(log: logging.Logger, stream: io.TextIOWrapper, message: str) -> str:
    """What a stream with this encoding is sent for a message."""
    set_up_logging("INFO", stream)
    log.info("%s", message)
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode(stream.encoding)


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "cp949", "latin-1"])
def test_a_log_for_machines_stays_json_in_any_encoding(log: logging.Logger, encoding: str) -> None:
    message = "딸기 é \x80 😀 \n \udcff"
    line = written(log, io.TextIOWrapper(io.BytesIO(), encoding), message)
    assert json.loads(line)["message"] == message
    assert line.count("\n") == 1


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_log_for_people_is_one_line_that_no_terminal_obeys(log: logging.Logger, encoding: str) -> None:
    line = written(log, Terminal(io.BytesIO(), encoding), "딸\x1b[2J\nforged \udcff")
    assert line.endswith(("딸" if encoding == "utf-8" else r"\ub538") + r"\x1b[2J\x0aforged \udcff" + "\n")
    assert line.count("\n") == 1


def test_a_reference_name_too_long_when_decomposed_is_waited_for_like_any_other(house: House) -> None:
    house.drop("a.json", request_bytes(reference_image="각" * 83 + ".png"))
    [pending] = house.rounds.drain().pending
    assert "not in the inbox yet" in pending.reason


class CountingBucket(FolderBucket):
    """Counts how often a key was read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.reads = 0

    def get(self, key: str, limit: int) -> bytes:
        self.reads += 1
        return super().get(key, limit)


def test_a_reference_that_waits_is_decoded_once_for_each_version(tmp_path: Path) -> None:
    bucket, clock = CountingBucket(tmp_path), FakeClock()
    references = References(bucket, "", Limits(), clock, SETTLE)
    reference = ReferenceFile(name="cup.png")
    bucket.put("cup.png", picture()[:-12])
    references.look(reference)
    clock.advance(2)
    for _ in range(5):
        assert references.look(reference) is not None
    assert bucket.reads == 1
    bucket.put("cup.png", picture())
    references.look(reference)
    clock.advance(2)
    for _ in range(5):
        assert references.look(reference) is None
    assert bucket.reads == 2


def test_what_is_remembered_of_references_is_bounded_and_forgotten_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(references_module, "_REMEMBERED", 2)
    bucket, clock = CountingBucket(tmp_path), FakeClock()
    references = References(bucket, "", Limits(), clock, SETTLE)
    wanted = [ReferenceFile(name=f"{index}.png") for index in range(3)]
    for reference in wanted:
        bucket.put(reference.name, picture())
        references.look(reference)
    clock.advance(2)
    for reference in wanted:
        references.look(reference)
    references.look(wanted[2])
    assert bucket.reads == 3
    references.look(wanted[0])
    assert bucket.reads == 4
    references.retain({"1.png"})
    references.look(wanted[2])
    clock.advance(2)
    references.look(wanted[2])
    assert bucket.reads == 5


def test_a_rejection_is_never_a_bug(house: House, caplog: pytest.LogCaptureFixture) -> None:
    for index, torture in enumerate(TORTURES.values()):
        house.drop(f"t{index}.json", torture.content)
    outcome(house, "t0.json")
    assert [record for record in caplog.records if getattr(record, "action", "") in ("bug", "left")] == []
