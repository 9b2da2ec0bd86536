"""The check of a whole outbox finds what is wrong, and nothing where all is well."""

import json
from pathlib import Path
from typing import Any

import pytest

from store.digest import Digest
from store.folder import FolderBucket
from store.manifest import ResultManifest
from store.memory import MemoryBucket
from store.outbox import Outbox
from store.verify import Verdict, verify
from tests.store.samples import bare_manifest, picture

RESULT = "results/r1.json"


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()


@pytest.fixture
def published(bucket: MemoryBucket) -> ResultManifest:
    return Outbox(bucket).publish(bare_manifest(), [picture(b"one"), picture(b"two")])


def rewrite_image(bucket: MemoryBucket, manifest: ResultManifest, **change: Any) -> None:
    """Overwrite the manifest so that it says something else of its first image."""
    document = manifest.model_dump(mode="json")
    document["images"][0] |= change
    bucket.put(RESULT, json.dumps(document).encode())


def faulty_keys(verdict: Verdict) -> list[str]:
    return [fault.key for fault in verdict.faults]


def test_an_empty_outbox_is_clean(bucket: MemoryBucket) -> None:
    assert verify(bucket) == Verdict(blobs=0, manifests=0, faults=())


def test_a_clean_outbox_has_no_faults(bucket: MemoryBucket, published: ResultManifest) -> None:
    assert verify(bucket) == Verdict(blobs=2, manifests=1, faults=())


def test_an_image_that_no_manifest_names_is_no_fault(bucket: MemoryBucket, published: ResultManifest) -> None:
    bucket.delete(RESULT)
    assert verify(bucket) == Verdict(blobs=2, manifests=0, faults=())


def test_a_changed_byte_is_found(bucket: MemoryBucket, published: ResultManifest) -> None:
    path = published.images[0].path
    bucket.put(path, b"onE")
    assert faulty_keys(verify(bucket)) == [path]


def test_a_missing_image_is_found(bucket: MemoryBucket, published: ResultManifest) -> None:
    path = published.images[1].path
    bucket.delete(path)
    [fault] = verify(bucket).faults
    assert fault.key == RESULT
    assert fault.problem == f"its image {path} does not exist"


def test_a_cut_image_is_found_under_its_name_and_in_its_manifest(
    bucket: MemoryBucket, published: ResultManifest
) -> None:
    path = published.images[0].path
    bucket.put(path, b"on")
    verdict = verify(bucket)
    assert faulty_keys(verdict) == [path, RESULT]
    assert verdict.faults[1].problem == f"its image {path} has 2 bytes, not 3"


def test_a_wrong_size_in_the_manifest_is_found(bucket: MemoryBucket, published: ResultManifest) -> None:
    rewrite_image(bucket, published, bytes=4)
    [fault] = verify(bucket).faults
    assert fault.key == RESULT
    assert "has 3 bytes, not 4" in fault.problem


def test_a_wrong_digest_in_the_manifest_is_found(bucket: MemoryBucket, published: ResultManifest) -> None:
    rewrite_image(bucket, published, sha256=published.images[1].sha256)
    assert faulty_keys(verify(bucket)) == [RESULT]


@pytest.mark.parametrize("path", ["../outside.png", "/outside.png", ""])
def test_a_path_that_leads_out_of_the_outbox_is_found(
    bucket: MemoryBucket, published: ResultManifest, path: str
) -> None:
    rewrite_image(bucket, published, path=path)
    assert faulty_keys(verify(bucket)) == [RESULT]


@pytest.mark.parametrize("garbage", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"id": "r1"}'])
def test_a_garbage_manifest_is_found(bucket: MemoryBucket, published: ResultManifest, garbage: bytes) -> None:
    bucket.put(RESULT, garbage)
    [fault] = verify(bucket).faults
    assert fault.key == RESULT
    assert fault.problem.startswith("not a result manifest")


def test_every_fault_is_found_not_only_the_first(bucket: MemoryBucket, published: ResultManifest) -> None:
    for image in published.images:
        bucket.put(image.path, b"xxx")
    bucket.put("results/r0.json", b"garbage")
    assert sorted(faulty_keys(verify(bucket))) == sorted(
        ["results/r0.json", *(image.path for image in published.images)]
    )


def test_a_link_in_place_of_an_image_is_found(tmp_path: Path) -> None:
    bucket = FolderBucket(tmp_path)
    published = Outbox(bucket).publish(bare_manifest(), [picture(b"one")])
    path = published.images[0].path
    bucket.move(path, "elsewhere")
    (tmp_path / path).symlink_to(tmp_path / "elsewhere")
    assert faulty_keys(verify(bucket)) == [path, RESULT]


def test_the_record_of_a_conflict_is_checked_and_counted_as_a_manifest(bucket: MemoryBucket) -> None:
    Outbox(bucket).publish_conflict(bare_manifest(status="rejected"), Digest.of(b"other bytes"))
    assert verify(bucket) == Verdict(blobs=0, manifests=1, faults=())


def test_a_broken_record_of_a_conflict_is_found(bucket: MemoryBucket) -> None:
    bucket.put("results/conflicts/r1.12345678.json", b"{")
    assert faulty_keys(verify(bucket)) == ["results/conflicts/r1.12345678.json"]


def test_a_record_of_a_conflict_that_names_an_image_is_found(bucket: MemoryBucket, published: ResultManifest) -> None:
    bucket.move(RESULT, "results/conflicts/r1.12345678.json")
    [fault] = verify(bucket).faults
    assert fault.key == "results/conflicts/r1.12345678.json"
    assert "conflict" in fault.problem
