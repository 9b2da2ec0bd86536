"""The real service over an inbox full of hostile files: all are settled, and it is alive and idle at the end."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from store import errors
from tests.flow.program import SECONDS, environment, until
from tests.pipeline import hostile_images
from tests.watcher.torture import DRAWN, TORTURES
from watcher.names import is_request, request_id

SETTINGS = '{"prompt": "고양이", "width": 64, "height": 64, "steps": 2'
REJECTIONS = {
    kind.code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.RequestRejected)
}
FEW = ("trailing comma", "100000 brackets", "a million digits", "half a pair as key", "utf-16", "byte order mark")


@pytest.fixture
def settled_soon(folder: Path) -> Path:
    """A working folder whose service gives broken files a second."""
    (folder / "imagegen.toml").write_text("settle_seconds = 1\nscan_seconds = 0.5\nreference_seconds = 1\n")
    return folder


@contextmanager
def serving(folder: Path, cache: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`imagegen run` whose log, which thousands of files make long, goes into a file; each line of it is JSON."""
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", "watcher", "run"]
        process = subprocess.Popen(command, cwd=folder, env=environment(cache), stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()
    for line in (folder / "log").read_bytes().decode("utf-8").splitlines():
        assert json.loads(line)["action"] not in ("bug", "left")


def drop(folder: Path, name: str, content: bytes) -> None:
    (folder / "inbox" / name).write_bytes(content)


def drop_with_reference(folder: Path, identifier: str, image: bytes) -> None:
    drop(folder, f"{identifier}.png", image)
    drop(folder, f"{identifier}.json", f'{SETTINGS}, "reference_image": "{identifier}.png"}}'.encode())


def drop_irregular(folder: Path) -> dict[str, str]:
    inbox = folder / "inbox"
    os.mkfifo(inbox / "pipe.json")
    (inbox / "folder.json" / "deep").mkdir(parents=True)
    (inbox / "outside.json").symlink_to("/etc/passwd")
    (inbox / "nowhere.json").symlink_to("nowhere")
    (inbox / "itself.json").symlink_to("itself.json")
    with socket.socket(socket.AF_UNIX) as unix:
        here = Path.cwd()
        os.chdir(inbox)
        try:
            unix.bind("socket.json")
        finally:
            os.chdir(here)
    (inbox / "huge.json").touch()
    os.truncate(inbox / "huge.json", 5 * 1024**3)
    names = ("pipe", "folder", "outside", "nowhere", "itself", "socket")
    return {**dict.fromkeys(names, "not_a_regular_file"), "huge": "request_too_large"}


def results(folder: Path) -> dict[str, str]:
    """What each request came to: its code, or that it was drawn; every manifest is JSON in UTF-8."""
    found = {}
    for path in (folder / "outbox" / "results").glob("*.json"):
        manifest = json.loads(path.read_bytes().decode("utf-8"))
        found[manifest["id"]] = manifest["error"]["code"] if manifest["error"] else DRAWN
    return found


def require_settled(folder: Path, process: subprocess.Popen[bytes], seconds: float = SECONDS) -> None:
    until(lambda: not left(folder) or process.poll() is not None, seconds)
    assert process.poll() is None, (folder / "log").read_text()[-2000:]


def left(folder: Path) -> list[str]:
    return [name for path in (folder / "inbox").iterdir() if is_request(name := path.name)]


def require_alive_and_idle(pid: int) -> None:
    process = psutil.Process(pid)
    before = sum(process.cpu_times()[:2])
    time.sleep(2)
    assert process.is_running()
    assert sum(process.cpu_times()[:2]) - before < 1


def test_a_hostile_inbox_is_settled_and_the_next_request_drawn(settled_soon: Path, builtin_cache: Path) -> None:
    folder = settled_soon
    expected = drop_irregular(folder)
    for number, name in enumerate(FEW):
        drop(folder, f"t{number}.json", TORTURES[name].content)
        expected[f"t{number}"] = TORTURES[name].ends
    strange = os.fsdecode(b"\xff\n\xfe.json")
    drop(folder, strange, b"[]")
    expected[request_id(strange)] = "not_an_object"
    drop_with_reference(folder, "tall", hostile_images.too_large()["1x100000"])
    drop_with_reference(folder, "zeros", hostile_images.unreadable()["JPEG half zeros"])
    expected |= {"tall": "reference_too_large", "zeros": "reference_unreadable"}
    with serving(folder, builtin_cache) as process:
        require_settled(folder, process)
        drop(folder, "good.json", f"{SETTINGS}}}".encode())
        until(lambda: "good" in results(folder))
        assert process.poll() is None
    assert results(folder) == {**expected, "good": DRAWN}


@pytest.mark.long
@pytest.mark.timeout(600)
def test_every_hostile_file_we_know_ends_in_its_manifest(settled_soon: Path, builtin_cache: Path) -> None:
    folder, expected = settled_soon, drop_irregular(settled_soon)
    for number, torture in enumerate(TORTURES.values()):
        drop(folder, f"t{number}.json", torture.content)
        expected[f"t{number}"] = torture.ends
    corpora = {
        "reference_too_large": hostile_images.too_large(),
        "reference_unreadable": hostile_images.unreadable(),
        DRAWN: hostile_images.odd(),
    }
    for code, images in corpora.items():
        for number, image in enumerate(images.values()):
            drop_with_reference(folder, f"{code}-{number}", image)
            expected[f"{code}-{number}"] = code
    with serving(folder, builtin_cache) as process:
        require_settled(folder, process, 500)
        require_alive_and_idle(process.pid)
    assert results(folder) == expected


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.skipif("IMAGEGEN_CORPUS" not in os.environ, reason="IMAGEGEN_CORPUS names a folder of public files")
def test_a_public_corpus_ends_in_manifests(settled_soon: Path, builtin_cache: Path) -> None:
    folder, count = settled_soon, 0
    for path in sorted(Path(os.environ["IMAGEGEN_CORPUS"]).rglob("*")):
        if path.is_file():
            count += 1
            if path.suffix == ".json":
                shutil.copyfile(path, folder / "inbox" / f"c{count}.json")
            else:
                drop_with_reference(folder, f"c{count}", path.read_bytes())
    with serving(folder, builtin_cache) as process:
        require_settled(folder, process, 1700)
        require_alive_and_idle(process.pid)
    found = results(folder)
    sys.stdout.write(f"{dict(Counter(found.values()))}\n")
    assert len(found) == count
    assert set(found.values()) <= {DRAWN, *REJECTIONS}
