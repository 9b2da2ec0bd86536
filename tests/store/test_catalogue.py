"""The cheap reading of manifests agrees with the whole one."""

from typing import Any

import pytest

from store.catalogue import conflict_keys, decided_ids, result_key, summary
from store.digest import Digest
from store.errors import KeyNotFound
from store.memory import MemoryBucket
from store.outbox import Outbox
from tests.store.samples import NOON, bare_manifest, full_manifest, picture


@pytest.mark.parametrize("make", [bare_manifest, full_manifest])
def test_a_summary_says_what_the_manifest_says(make: Any) -> None:
    bucket = MemoryBucket()
    manifest = Outbox(bucket).publish(make(), [picture(b"one"), picture(b"two")])
    found = summary(bucket, result_key("r1"))
    assert found is not None
    assert (found.status, found.created_at) == (manifest.status, NOON)
    assert found.images == tuple(image.path for image in manifest.images)
    assert (found.redrive_of, found.request_sha256) == (manifest.redrive_of, manifest.request_sha256)


def test_the_summary_of_an_absent_result_is_an_error_and_not_a_broken_one() -> None:
    with pytest.raises(KeyNotFound):
        summary(MemoryBucket(), result_key("r1"))


def test_a_time_without_its_zone_is_broken() -> None:
    bucket = MemoryBucket()
    bucket.put(result_key("r1"), b'{"status": "failed", "created_at": "2026-01-01T00:00:00", "images": []}')
    assert summary(bucket, result_key("r1")) is None


def test_results_and_conflicts_are_told_apart() -> None:
    bucket = MemoryBucket()
    outbox = Outbox(bucket)
    outbox.publish(bare_manifest(id="a.b"))
    outbox.publish_conflict(bare_manifest(id="a"), Digest.of(b"other"))
    bucket.put("results/notes.txt", b"somebody's")
    assert decided_ids(bucket) == {"a.b"}
    assert conflict_keys(bucket) == [f"results/conflicts/a.{Digest.of(b'other')[:8]}.json"]
