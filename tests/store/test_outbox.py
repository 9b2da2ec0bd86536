"""Images first, manifest last, and never a second manifest."""

import json

import pytest

from store.digest import Digest
from store.errors import ClaimLost, KeyNotFound, ManifestBroken, StoreFull
from store.manifest import to_bytes
from store.memory import MemoryBucket
from store.outbox import EncodedImage, Outbox
from store.verify import verify
from tests.fakes import BucketFullAtWrite, CreateAnswerLost, RecordingBucket
from tests.store.samples import bare_manifest, picture

RESULT = "results/r1.json"
LIMIT = 100_000
PICTURES = [picture(b"one", seed=1), picture(b"two", seed=2), picture(b"three", seed=3)]
WRITES_OF_A_PUBLISH = len(PICTURES) + 1


@pytest.fixture
def bucket() -> RecordingBucket:
    return RecordingBucket()


@pytest.fixture
def outbox(bucket: RecordingBucket) -> Outbox:
    return Outbox(bucket)


def test_every_image_is_written_before_the_manifest(outbox: Outbox, bucket: RecordingBucket) -> None:
    published = outbox.publish(bare_manifest(), PICTURES)
    assert bucket.written == [*(image.path for image in published.images), RESULT]
    assert len(bucket.written) == WRITES_OF_A_PUBLISH


def test_the_manifest_says_all_of_its_images(outbox: Outbox) -> None:
    image = EncodedImage(data=b"abc", width=64, height=96, format="webp", seed=2**32 - 1)
    [record] = outbox.publish(bare_manifest(), [image]).images
    digest = Digest.of(b"abc")
    assert record.model_dump() == {
        "path": f"generated_images/{digest[:2]}/{digest}.webp",
        "sha256": digest,
        "bytes": 3,
        "width": 64,
        "height": 96,
        "format": "webp",
        "seed": 2**32 - 1,
        "duplicate": False,
    }


def test_the_manifest_names_the_images_in_the_order_given(outbox: Outbox) -> None:
    published = outbox.publish(bare_manifest(), PICTURES)
    assert [image.seed for image in published.images] == [1, 2, 3]


def test_an_image_of_an_earlier_request_is_named_a_duplicate(outbox: Outbox) -> None:
    outbox.publish(bare_manifest(), [picture(b"one")])
    again = outbox.publish(bare_manifest(id="r2"), [picture(b"one"), picture(b"two")])
    assert [image.duplicate for image in again.images] == [True, False]


def test_what_publish_returns_is_what_lies_in_the_outbox(outbox: Outbox, bucket: RecordingBucket) -> None:
    published = outbox.publish(bare_manifest(), PICTURES)
    assert bucket.get(RESULT, LIMIT) == to_bytes(published)
    assert outbox.result("r1") == published


def test_a_request_is_decided_once_its_manifest_is_there(outbox: Outbox) -> None:
    before = outbox.has_result("r1")
    outbox.publish(bare_manifest(status="failed"))
    assert [before, outbox.has_result("r1"), outbox.has_result("r2")] == [False, True, False]


def test_the_result_of_an_undecided_request_is_not_found(outbox: Outbox) -> None:
    with pytest.raises(KeyNotFound):
        outbox.result("r1")


def test_a_second_result_is_refused_and_the_first_stays(outbox: Outbox, bucket: RecordingBucket) -> None:
    outbox.publish(bare_manifest(worker="first"), [picture(b"one")])
    first = bucket.get(RESULT, LIMIT)
    with pytest.raises(ClaimLost, match="r1"):
        outbox.publish(bare_manifest(worker="second"), [picture(b"two")])
    assert bucket.get(RESULT, LIMIT) == first
    assert verify(bucket).faults == ()


def test_publishing_the_same_result_again_is_fine(outbox: Outbox) -> None:
    first = outbox.publish(bare_manifest(status="rejected"))
    assert outbox.publish(bare_manifest(status="rejected")) == first


def test_a_publish_whose_answers_were_lost_is_not_taken_for_somebody_elses() -> None:
    outbox = Outbox(CreateAnswerLost())
    assert outbox.publish(bare_manifest(), PICTURES) == outbox.result("r1")


@pytest.mark.parametrize("write", range(1, WRITES_OF_A_PUBLISH + 1))
def test_a_bucket_that_fills_up_at_any_write_holds_no_manifest(write: int) -> None:
    bucket = BucketFullAtWrite(write)
    with pytest.raises(StoreFull):
        Outbox(bucket).publish(bare_manifest(), PICTURES)
    assert bucket.list("results/") == []
    assert len(bucket.written) == write - 1


@pytest.mark.parametrize("write", range(1, WRITES_OF_A_PUBLISH + 1))
def test_a_publish_repeated_once_there_is_room_leaves_nothing_wrong(write: int) -> None:
    bucket = BucketFullAtWrite(write)
    with pytest.raises(StoreFull):
        Outbox(bucket).publish(bare_manifest(), PICTURES)
    bucket.make_room()
    Outbox(bucket).publish(bare_manifest(), PICTURES)
    verdict = verify(bucket)
    assert (verdict.blobs, verdict.manifests, verdict.faults) == (len(PICTURES), 1, ())


def test_progress_is_shown_to_whoever_asks(outbox: Outbox) -> None:
    outbox.show_progress("r1", {"node": "text2image", "step": 3, "말": "그리는 중"})
    assert outbox.progress("r1") == {"node": "text2image", "step": 3, "말": "그리는 중"}


def test_newer_progress_replaces_older(outbox: Outbox, bucket: RecordingBucket) -> None:
    outbox.show_progress("r1", {"step": 3})
    outbox.show_progress("r1", {"step": 4})
    assert outbox.progress("r1") == {"step": 4}
    assert bucket.list(recursive=True) == ["progress/r1.json"]


def test_progress_can_be_read_as_a_plain_json_file(outbox: Outbox, bucket: RecordingBucket) -> None:
    outbox.show_progress("r1", {"말": "그리는 중"})
    written = bucket.get("progress/r1.json", LIMIT)
    assert json.loads(written) == {"말": "그리는 중"}
    assert "그리는 중".encode() in written


def test_progress_is_not_a_result(outbox: Outbox) -> None:
    outbox.show_progress("r1", {"step": 3})
    assert outbox.has_result("r1") is False


def test_cleared_progress_is_gone_and_the_result_stays(outbox: Outbox) -> None:
    outbox.show_progress("r1", {"step": 3})
    outbox.publish(bare_manifest())
    outbox.clear_progress("r1")
    with pytest.raises(KeyNotFound):
        outbox.progress("r1")
    assert outbox.has_result("r1") is True


def test_clearing_progress_that_was_never_shown_is_fine(outbox: Outbox, bucket: RecordingBucket) -> None:
    outbox.clear_progress("r1")
    assert bucket.list(recursive=True) == []


def test_a_result_by_a_newer_program_is_refused_rather_than_misread() -> None:
    bucket = MemoryBucket()
    newer = bare_manifest().model_dump(mode="json") | {"schema_version": 2}
    bucket.put(RESULT, json.dumps(newer).encode())
    with pytest.raises(ManifestBroken, match="no manifest of this version"):
        Outbox(bucket).result("r1")
