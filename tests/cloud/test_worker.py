"""The service by events of a bucket: over two emulators, which differ in what they announce and how."""

from pathlib import Path

import pytest

from store.digest import Digest
from tests.cloud.office import Office, eventually, open_office, working
from tests.cloud.queues import count, make_queue, send
from tests.cloud.servers import Address
from tests.watcher.event_samples import TEST_EVENT, by_sns, ceph, direct, event_bridge, minio
from tests.watcher.house import picture
from watcher.settings import LaneSettings

NAMES = ["a.json", "a b+c%é.json", "100%.json", "%2B.json", "딸기 케이크.json", "🍓.json", "a&b=c?d#e.json"]


@pytest.fixture(params=["ministack", "moto"])
def address(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Address:
    found: Address = request.getfixturevalue(request.param)
    for name, value in found.environment().items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def office(address: Address) -> Office:
    return open_office(address)


def settled(office: Office, *names: str) -> None:
    def is_done() -> bool:
        return office.is_idle() and set(names) <= office.statuses().keys()

    def told() -> object:
        return office.keys(f"{office.inbox}/"), count(office.address, office.queue), office.statuses()

    eventually(is_done, told)


def test_whatever_its_name_a_request_that_is_put_is_drawn_by_its_event_alone(office: Office, tmp_path: Path) -> None:
    with working(office.lane, outbox=office.outbox, folder=tmp_path):
        for name in NAMES:
            office.request(name)
        settled(office, *NAMES)
    results = office.results()
    assert {document["status"] for document in results.values()} == {"succeeded"}
    for document in results.values():
        (image,) = document["images"]
        assert Digest.of(office.get(f"out/{image['path']}")) == image["sha256"]
    assert office.keys("in.imagegen/claims/") == []
    assert office.keys("in.imagegen/quarantine/") == []


def test_references_first_or_late_by_one_part_or_many_are_drawn_along(office: Office, tmp_path: Path) -> None:
    s3, big = office.address.client("s3"), picture(size=(128, 128))
    with working(office.lane, outbox=office.outbox, folder=tmp_path):
        office.put("first.1.png", picture(size=(128, 128)))
        office.request("first.json", reference_image={"name": "first.1.png", "sha256": Digest.of(big)})
        office.request("late.json", reference_image={"name": "shared.png", "sha256": Digest.of(big)})
        office.request("never.json", reference_image="never.png")
        settled_one = ["first.json"]
        eventually(lambda: set(settled_one) <= office.statuses().keys())
        # in parts, which moto announces twice
        upload = s3.create_multipart_upload(Bucket=office.bucket, Key="in/shared.png")["UploadId"]
        asked = {"Bucket": office.bucket, "Key": "in/shared.png", "UploadId": upload}
        part = s3.upload_part(**asked, PartNumber=1, Body=big)
        s3.complete_multipart_upload(**asked, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
        eventually(lambda: "late.json" in office.statuses())
        office.put("never.cancel", b"")
        eventually(lambda: "never.json" in office.statuses())
        eventually(lambda: count(office.address, office.queue) == 0)
    statuses = {name: document["status"] for name, document in office.results().items()}
    assert statuses == {"first.json": "succeeded", "late.json": "succeeded", "never.json": "cancelled"}
    assert {document["branch"] for document in office.results().values() if document["branch"]} == {"image2image"}
    # a shared reference stays
    assert office.keys("in/") == ["in/shared.png"]


def test_duplicates_strangers_and_every_dialect_leave_an_empty_queue(office: Office, tmp_path: Path) -> None:
    strangers = ["hello", '{"Records": [{}]}', direct("in/a.json")]
    office.request("silent.json")
    with working(office.lane, outbox=office.outbox, folder=tmp_path):
        office.request("a.json")
        for written in (direct, minio, ceph, event_bridge):
            body = written("in/a.json").replace('"pictures"', f'"{office.bucket}"')
            send(office.address, office.queue, body)
            send(office.address, office.queue, by_sns(body))
        for body in (TEST_EVENT, *strangers):
            send(office.address, office.queue, body)
        settled(office, "a.json", "silent.json")
    assert set(office.statuses().values()) == {"succeeded"}
    assert [document["attempt"] for document in office.results().values()] == [1, 1]
    kept = {key.rpartition("/")[2]: office.get(key) for key in office.keys("in.imagegen/quarantine/messages/")}
    assert kept == {Digest.of(body.encode()): body.encode() for body in strangers}


def test_the_scan_finds_what_was_never_announced_and_a_bad_request_is_rejected(
    address: Address, tmp_path: Path
) -> None:
    office = open_office(address)
    silent = Office(address=address, bucket=office.bucket, inbox="silent", queue=make_queue(address))
    silent.request("old.json")
    silent.put("bad.json", b'{"prompt": "x", "colour": 1}')
    with working(silent.lane, outbox=silent.outbox, folder=tmp_path, scan_seconds=2.0):
        settled(silent, "old.json", "bad.json")
    assert silent.statuses() == {"old.json": "succeeded", "bad.json": "rejected"}


def test_several_lanes_are_served_by_one_worker_and_one_that_is_away_stops_no_other(
    address: Address, tmp_path: Path
) -> None:
    first = open_office(address)
    other = open_office(address, "other", None)
    no_queue = LaneSettings(inbox=f"s3://{first.bucket}/deaf", queue=f"{address.url}/000000000000/never-made")
    no_bucket = LaneSettings(inbox="s3://never-made/in", queue=make_queue(address))
    with working(
        no_queue, no_bucket, first.lane, other.lane, outbox=first.outbox, folder=tmp_path, scan_seconds=60.0, window=2
    ) as hall:
        for number in range(4):
            first.request(f"a{number}.json")
            other.request(f"b{number}.json")
        eventually(lambda: first.is_idle() and other.is_idle() and len(first.results()) == 8)
        assert "never-made" in (hall.lanes.problem or "")
    assert set(first.statuses().values()) == {"succeeded"}


def test_a_stop_gives_waiting_messages_back_at_once(office: Office, tmp_path: Path) -> None:
    names = ["ApproximateNumberOfMessagesNotVisible"]
    sqs = office.address.client("sqs")

    def unseen() -> int:
        answer = sqs.get_queue_attributes(QueueUrl=office.queue, AttributeNames=names)
        return int(answer["Attributes"][names[0]])

    with working(office.lane, outbox=office.outbox, folder=tmp_path, visibility_seconds=3600):
        office.request("waits.json", reference_image="never.png")
        eventually(lambda: bool(office.keys("in.imagegen/seen/")))
        eventually(lambda: unseen() == 1)
    assert unseen() == 0
    assert count(office.address, office.queue) == 1
