import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Limits
from store.digest import Digest
from store.errors import IdMismatch, NodeFailed
from store.folder import FolderBucket
from store.memory import MemoryBucket
from tests.watcher.house import SETTLE, STYLES, House, build, picture, request_bytes
from watcher.place import InboxPlace
from watcher.redriven import RedriveNote, RedriveNotes, others_wait
from watcher.references import References
from watcher.report import Reporter
from watcher.upkeep.quarantine import Quarantined, cancelled, quarantined
from watcher.upkeep.redrive import Redrive, Redriven
from watcher.validate import Validator


class NodeFails:
    """Draws nothing: every node fails."""

    def __call__(self, *arguments: object, **options: object) -> Any:
        raise NodeFailed("the canvas tore")


class PowerCutAtMove(MemoryBucket):
    """Ends the program at the given move, counted from 1."""

    def __init__(self) -> None:
        super().__init__()
        self.left: int | None = None

    def move(self, source: str, target: str) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                self.left = None
                raise SystemExit
        super().move(source, target)


def place(house: House) -> InboxPlace:
    return InboxPlace(bucket=house.incoming)


def items(house: House, identifier: str = "") -> list[Quarantined]:
    return [item for item in quarantined(place(house), house.outgoing) if identifier in ("", item.id)]


def again(house: House, identifier: str = "") -> list[Redriven]:
    return Redrive(place(house), house.outgoing, house.clock).again(items(house, identifier))


def failed(name: str = "cake.json", content: bytes | None = None, **options: Any) -> House:
    """A house in which this request has failed and lies in quarantine."""
    house = build(draw=NodeFails(), **options)
    house.drop(name, content)
    house.handle(name)
    return house


def test_the_same_bytes_come_back_under_a_new_id_and_the_old_result_stays() -> None:
    house = failed(content=request_bytes(user_input="한 번 더"))
    assert again(house) == [Redriven(old="cake", new="cake.r1")]
    assert house.incoming.get("cake.r1.json", 1000) == request_bytes(user_input="한 번 더")
    assert house.kept("quarantine") == []
    assert house.result("cake").status == "failed"


def test_the_note_says_which_bytes_come_again() -> None:
    house = failed()
    again(house)
    note = json.loads(house.incoming.get(".imagegen/redriven/cake.r1.json", 1000))
    assert (note["redrive_of"], note["request_file"]) == ("cake", "cake.json")
    assert note["request_sha256"] == Digest.of(request_bytes())
    assert note["at"] == "2026-01-01T00:16:40Z"


def test_the_own_files_come_back_under_their_old_names() -> None:
    house = build(draw=NodeFails())
    house.incoming.put("cake.png", picture())
    house.drop("cake.json", request_bytes(reference_image="cake.png"))
    house.handle("cake.json")
    again(house)
    assert sorted(house.incoming.list()) == ["cake.png", "cake.r1.json"]


def test_a_cancel_that_was_put_aside_does_not_come_back() -> None:
    house = failed()
    [item] = items(house)
    house.incoming.put(item.key.replace("cake.json", "cake.cancel"), b"")
    again(house)
    assert house.incoming.list() == ["cake.r1.json"]


def test_files_that_a_killed_worker_put_aside_alone_come_back_too() -> None:
    house = failed()
    house.incoming.put(".imagegen/quarantine/cake.00000000/cake.png", picture())
    again(house)
    assert sorted(house.incoming.list()) == ["cake.png", "cake.r1.json"]


def test_a_redrive_of_a_redrive_counts_on_from_the_first_id() -> None:
    house = failed()
    again(house)
    house.handle("cake.r1.json")
    assert again(house, "cake.r1") == [Redriven(old="cake.r1", new="cake.r2")]
    assert RedriveNotes(house.incoming, ".imagegen/").root_of("cake.r2") == "cake"


def test_the_first_id_is_known_from_the_result_where_the_note_is_pruned() -> None:
    house = failed()
    again(house)
    house.handle("cake.r1.json")
    result = json.loads(house.outgoing.get("results/cake.r1.json", 100_000))
    house.outgoing.put("results/cake.r1.json", json.dumps(result | {"redrive_of": "cake"}).encode())
    house.incoming.delete(".imagegen/redriven/cake.r1.json")
    assert [outcome.new for outcome in again(house, "cake.r1")] == ["cake.r2"]


def test_a_name_that_somebody_uses_already_is_never_taken() -> None:
    house = failed()
    house.drop("cake.r1.json", b"by hand")
    house.outgoing.put("results/cake.r2.json", b"decided")
    assert [outcome.new for outcome in again(house)] == ["cake.r3"]
    assert house.incoming.get("cake.r1.json", 1000) == b"by hand"


def test_a_name_whose_stem_is_no_id_is_redriven_by_its_hash() -> None:
    house = failed("딸기.json")
    assert again(house) == [Redriven(old="n-d0bddce5152373f4", new="n-d0bddce5152373f4.r1")]


def test_an_id_of_full_length_is_redriven_under_an_id_the_watcher_gives_the_new_name() -> None:
    house = failed("a" * 128 + ".json")
    [outcome] = again(house)
    assert outcome.new is not None
    assert outcome.new.startswith("n-")
    assert RedriveNotes(house.incoming, ".imagegen/").root_of(outcome.new) == "a" * 128
    assert house.inbox.claim("a" * 128 + ".r1.json", 1) is not None


@pytest.mark.parametrize("moves", [1, 2])
def test_a_power_cut_half_way_loses_nothing_and_redriving_again_finishes(moves: int) -> None:
    bucket = PowerCutAtMove()
    bucket.put("cake.png", picture())
    house = failed(content=request_bytes(reference_image="cake.png"), incoming=bucket)
    bucket.left = moves
    with pytest.raises(SystemExit):
        again(house)
    assert len(items(house)) == 1
    assert again(house) == [Redriven(old="cake", new="cake.r1")]
    assert sorted(bucket.list()) == ["cake.png", "cake.r1.json"]
    assert house.kept("quarantine") == []


def test_a_second_redrive_of_other_bytes_never_takes_the_note_of_the_first() -> None:
    house = failed()
    again(house)
    house.drop("cake.json", request_bytes(user_input="다른 것"))
    house.service.settle_again("cake.json")
    assert [outcome.new for outcome in again(house)] == ["cake.r2"]


@pytest.mark.parametrize("other", [{"redrive_of": "pie"}, {"request_sha256": Digest.of(b"other")}])
def test_an_unused_note_for_other_bytes_is_left_to_them(other: dict[str, Any]) -> None:
    house = failed()
    own = {"redrive_of": "cake", "request_sha256": Digest.of(request_bytes())}
    note = RedriveNote(request_file="cake.json", at=house.clock.now(), **(own | other))
    RedriveNotes(house.incoming, ".imagegen/").create("cake.r1", note)
    assert [outcome.new for outcome in again(house)] == ["cake.r2"]


def test_an_id_whose_result_is_pruned_is_free_again_for_the_same_bytes() -> None:
    house = failed()
    again(house)
    house.handle("cake.r1.json")
    house.outgoing.delete("results/cake.r1.json")
    assert [outcome.new for outcome in again(house, "cake.r1")] == ["cake.r1"]


def test_equal_bytes_of_one_id_are_submitted_once() -> None:
    house = failed()
    house.drop("cake.json")
    house.service.settle_again("cake.json")
    assert len(items(house)) == 2
    assert again(house) == [Redriven(old="cake", new="cake.r1")]
    assert house.kept("quarantine") == []
    assert house.incoming.list() == ["cake.r1.json"]


def test_of_a_reused_id_both_requests_are_found_and_told_apart() -> None:
    house = failed()
    house.drop("cake.json", request_bytes(user_input="다른 것"))
    house.service.settle_again("cake.json")
    assert sorted(item.decided.status for item in items(house) if item.decided) == ["failed", "rejected"]
    assert sorted(outcome.new or "" for outcome in again(house)) == ["cake.r1", "cake.r2"]


def test_another_file_in_the_inbox_is_never_replaced_by_an_own_file() -> None:
    house = build(draw=NodeFails())
    house.incoming.put("cake.png", picture())
    house.drop("cake.json")
    house.handle("cake.json")
    house.incoming.put("cake.png", picture("blue"))
    [outcome] = again(house)
    assert outcome.new is None
    assert "cake.png in the inbox is another file" in str(outcome.problem)
    assert house.incoming.get("cake.png", 10_000) == picture("blue")
    assert house.kept("quarantine") == ["cake.json", "cake.png"]


def test_of_two_requests_with_different_files_of_one_name_the_second_waits() -> None:
    house = failed()
    for tag, colour, words in (("00000001", "red", "하나"), ("00000002", "blue", "둘")):
        folder = f".imagegen/quarantine/pie.{tag}/"
        house.incoming.put(folder + "pie.json", request_bytes(user_input=words))
        house.incoming.put(folder + "pie.png", picture(colour))
    first, second = again(house, "pie")
    assert (first.new, second.new) == ("pie.r1", None)
    assert house.incoming.get("pie.png", 10_000) == picture("red")


def test_the_folder_in_quarantine_goes_with_the_last_file(tmp_path: Path) -> None:
    house = failed(incoming=FolderBucket(tmp_path))
    again(house)
    assert list((tmp_path / ".imagegen" / "quarantine").iterdir()) == []


def test_a_cancelled_request_is_found_in_the_archive_when_it_is_asked_for() -> None:
    house = failed()
    [item] = items(house)
    house.incoming.move(item.key, ".imagegen/archive/cake.00000000/cake.json")
    result = json.loads(house.outgoing.get("results/cake.json", 100_000))
    house.outgoing.put("results/cake.json", json.dumps(result | {"status": "cancelled"}).encode())
    assert [found.id for found in cancelled(place(house), house.outgoing, {"cake"})] == ["cake"]
    assert cancelled(place(house), house.outgoing, {"pie"}) == []


def validator(house: House) -> Validator:
    references = References(house.incoming, "", Limits(), house.clock, SETTLE)
    return Validator(Limits(), STYLES, references, RedriveNotes(house.incoming, ".imagegen/").root_of)


def test_a_redriven_request_may_name_the_id_it_first_came_under() -> None:
    house = failed(content=request_bytes(id="cake"))
    again(house)
    assert validator(house).read("cake.r1.json", request_bytes(id="cake")).id == "cake"


@pytest.mark.parametrize("identifier", ["pie", "cake.r2"])
def test_a_redriven_request_may_name_no_other_id(identifier: str) -> None:
    house = failed()
    again(house)
    with pytest.raises(IdMismatch):
        validator(house).read("cake.r1.json", request_bytes(id=identifier))


def test_without_a_note_the_name_alone_makes_no_redrive() -> None:
    with pytest.raises(IdMismatch):
        validator(build()).read("cake.r1.json", request_bytes(id="cake"))


def test_the_manifest_of_a_redriven_request_names_the_first_id() -> None:
    house = failed()
    again(house)
    reporter = Reporter("w", {}, house.clock, RedriveNotes(house.incoming, ".imagegen/").root_of)
    claim = house.inbox.claim("cake.r1.json", 1)
    assert claim is not None
    assert reporter.ended(claim, NodeFailed("again"), (), 1.0).redrive_of == "cake"


@pytest.mark.parametrize(
    ("names", "waits"),
    [
        (["cake.r1.json"], False),
        (["cake.r1.json", "cake.r2.json"], True),
        (["cake.json", "cake.r1.json"], True),
        (["cake.r1.json", "cake.r2.png", "cake.rx.json", "cakes.r2.json", "cake.r2.json.json"], False),
    ],
)
def test_the_files_of_the_first_id_are_needed_while_another_request_of_it_waits(names: list[str], waits: bool) -> None:
    assert others_wait(sorted(names), "cake.r1.json", "cake") is waits


def test_the_files_of_an_id_made_from_a_name_are_needed_while_that_name_waits() -> None:
    root = "n-d0bddce5152373f4"
    assert others_wait(["a.json", "딸기.json"], f"{root}.r1.json", root) is True
    assert others_wait(["a.json", "사과.json"], f"{root}.r1.json", root) is False


def test_the_files_of_the_first_id_are_archived_with_the_last_request_that_may_need_them() -> None:
    house = build(draw=NodeFails())
    house.incoming.put("cake.png", picture())
    house.drop("cake.json", request_bytes(reference_image="cake.png"))
    house.handle("cake.json")
    again(house)
    for name in ("cake.json", "cake.r2.json"):
        house.drop(name, request_bytes(seed=1))
    note = RedriveNote(redrive_of="cake", request_file="cake.json", request_sha256=None, at=house.clock.now())
    RedriveNotes(house.incoming, ".imagegen/").create("cake.r2", note)
    house.service.settle_again("cake.json")
    house.inbox.ack("cake.r2.json")
    assert sorted(house.incoming.list()) == ["cake.png", "cake.r1.json"]
    house.inbox.ack("cake.r1.json")
    assert house.incoming.list() == []
    assert house.kept("archive") == ["cake.png", "cake.r1.json", "cake.r2.json"]
