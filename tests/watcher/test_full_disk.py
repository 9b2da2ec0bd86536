"""A disk that fills up at any write, from the first look at a request to its manifest."""

import errno
import os
from pathlib import Path

import pytest

from store.digest import Digest
from store.folder import FolderBucket
from store.leftovers import leftovers
from tests.fakes import DiskFullAtWrite
from tests.watcher.house import House, build, picture, request_bytes

REQUESTS = ("own", "plain", "shared")
_MOST_WRITES = 60
_MOST_ROUNDS = 12


def full_house(folder: Path) -> House:
    """Three requests: one whose own reference is still to come, one without, one with a shared reference."""
    for place in ("inbox", "outbox"):
        (folder / place).mkdir(parents=True)
    house = build(incoming=FolderBucket(folder / "inbox"), outgoing=FolderBucket(folder / "outbox"))
    data = picture()
    (folder / "inbox" / "everybody.png").write_bytes(data)
    references = {"own": "own.png", "shared": {"name": "everybody.png", "sha256": Digest.of(data)}}
    for name in REQUESTS:
        fields = {"reference_image": references[name]} if name in references else {}
        (folder / "inbox" / f"{name}.json").write_bytes(request_bytes(metadata={"name": name}, **fields))
    return house


def bring_own_reference(folder: Path, house: House) -> None:
    """After the first round, which notes since when it is waited for."""
    house.rounds.drain()
    (folder / "inbox" / "own.png").write_bytes(picture())
    house.clock.advance(60.0)


def drain(house: House) -> None:
    """Go round and wait until the inbox is empty, or patience is."""
    for _ in range(_MOST_ROUNDS):
        house.rounds.drain()
        if not house.inbox.scan().requests:
            return
        house.clock.advance(60.0)


def require_nothing_lost(house: House) -> None:
    for name in REQUESTS:
        lies_there = f"{name}.json" in house.inbox.scan().requests
        assert lies_there or house.result(name).status == "succeeded"
        assert house.claims.attempts(name).counted == 0


def require_all_drawn_once(house: House) -> None:
    for name in REQUESTS:
        result = house.result(name)
        assert (result.status, result.metadata) == ("succeeded", {"name": name})
        assert all(house.outgoing.head(image.path) is not None for image in result.images)
    assert house.kept("archive") == ["own.json", "own.png", "plain.json", "shared.json"]
    assert house.incoming.list() == ["everybody.png"]
    for kind in ("claims", "quarantine", "seen"):
        assert house.kept(kind) == []
    assert house.outgoing.list("progress/") == []
    assert leftovers(house.incoming) == leftovers(house.outgoing) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("place", ["inbox", "outbox"])
def test_a_disk_that_fills_at_any_write_of_the_whole_flow_loses_nothing(
    place: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for fails_at in range(1, _MOST_WRITES):
        folder = tmp_path / str(fails_at)
        house = full_house(folder)
        disk = DiskFullAtWrite(folder / place, fails_at, code)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fdopen", disk)
            bring_own_reference(folder, house)
            drain(house)
            if not disk.has_failed:
                break
            require_nothing_lost(house)
            disk.make_room()
            drain(house)
        require_all_drawn_once(house)
    else:
        pytest.fail(f"there is no end to the writes: {_MOST_WRITES}")
    require_all_drawn_once(house)
    assert fails_at > len(REQUESTS)
