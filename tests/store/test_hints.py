"""A hint is believed only where the pictures it speaks of are there and whole."""

import json
import threading
from datetime import timedelta
from typing import Any

import pytest

from store.bucket import Bucket
from store.digest import Digest
from store.errors import StoreFull
from store.hints import FINGERPRINTS, Hints
from store.location import open_bucket
from store.manifest import ResultManifest
from store.memory import MemoryBucket
from store.outbox import Outbox
from store.prune import Bound, prune_results
from store.verify import verify
from tests.fakes import BucketFullAtWrite
from tests.store.samples import NOON, full_manifest, picture

FINGERPRINT = Digest.of(b"everything that moves a pixel")
KEY = f"{FINGERPRINTS}/{FINGERPRINT.shard}/{FINGERPRINT}.json"


def noted(bucket: Bucket, *pictures: Any) -> ResultManifest:
    published = Outbox(bucket).publish(full_manifest(), pictures or (picture(b"one"),))
    Hints(bucket).note(FINGERPRINT, published, ("said while drawing",))
    return published


def test_what_was_noted_is_found_with_its_bytes() -> None:
    bucket = MemoryBucket()
    published = noted(bucket, picture(b"one", seed=3), picture(b"two", seed=9))
    found = Hints(bucket).find(FINGERPRINT)
    assert found is not None
    assert [(image.data, image.seed) for image in found.images] == [(b"one", 3), (b"two", 9)]
    assert found.result == published.id
    assert (found.models, found.warnings) == (published.models, ("said while drawing",))
    assert published.prompt is not None
    assert found.tokens == published.prompt.tokens


def test_another_fingerprint_finds_nothing() -> None:
    bucket = MemoryBucket()
    noted(bucket)
    assert Hints(bucket).find(Digest.of(b"another")) is None


@pytest.mark.parametrize("torn", [b"", b"{", b"[]", b'{"schema_version": 1}', b"\xff" * 50, b" " * (2 << 20)])
def test_a_torn_hint_finds_nothing(torn: bytes) -> None:
    bucket = MemoryBucket()
    noted(bucket)
    bucket.put(KEY, torn)
    assert Hints(bucket).find(FINGERPRINT) is None


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": Digest.of(b"another")},
        {"schema_version": 2},
        {"images": []},
        {"surprise": 1},
    ],
)
def test_a_hint_that_says_something_else_finds_nothing(change: dict[str, Any]) -> None:
    bucket = MemoryBucket()
    noted(bucket)
    bucket.put(KEY, json.dumps(json.loads(bucket.get(KEY, 1 << 20)) | change).encode())
    assert Hints(bucket).find(FINGERPRINT) is None


def test_a_hint_leads_to_images_only_whatever_path_it_names() -> None:
    bucket = MemoryBucket()
    noted(bucket)
    bucket.put("secret", b"one")
    hint = json.loads(bucket.get(KEY, 1 << 20))
    hint["images"][0]["path"] = "secret"
    bucket.put(KEY, json.dumps(hint).encode())
    bucket.delete(f"generated_images/{Digest.of(b'one').shard}/{Digest.of(b'one')}.png")
    assert Hints(bucket).find(FINGERPRINT) is None


@pytest.mark.parametrize("broken", [None, b"", b"onE", b"one and more"])
def test_a_picture_that_is_gone_or_broken_finds_nothing(broken: bytes | None) -> None:
    bucket = MemoryBucket()
    published = noted(bucket, picture(b"one"), picture(b"two"))
    path = published.images[0].path
    if broken is None:
        bucket.delete(path)
    else:
        bucket.put(path, broken)
    assert Hints(bucket).find(FINGERPRINT) is None


def test_a_store_that_cannot_be_read_finds_nothing(tmp_path: Any) -> None:
    bucket = open_bucket(str(tmp_path / "out"), make=True)
    noted(bucket)
    path = tmp_path / "out" / KEY
    path.unlink()
    path.mkdir()
    assert Hints(bucket).find(FINGERPRINT) is None


def test_a_later_result_replaces_the_hint_and_a_result_without_models_leaves_none() -> None:
    bucket = MemoryBucket()
    noted(bucket)
    later = Outbox(bucket).publish(full_manifest().model_copy(update={"id": "later"}), (picture(b"two"),))
    Hints(bucket).note(FINGERPRINT, later, ())
    found = Hints(bucket).find(FINGERPRINT)
    assert found is not None
    assert (found.result, found.images[0].data) == ("later", b"two")
    Hints(bucket).note(Digest.of(b"none"), later.model_copy(update={"models": None}), ())
    assert Hints(bucket).find(Digest.of(b"none")) is None


def test_many_who_note_and_look_at_once_see_a_whole_hint_or_none(tmp_path: Any) -> None:
    bucket = open_bucket(str(tmp_path / "out"), make=True)
    hints, published = Hints(bucket), noted(bucket)
    seen: list[bool] = []

    def note_and_look() -> None:
        for _ in range(20):
            hints.note(FINGERPRINT, published, ())
            found = hints.find(FINGERPRINT)
            seen.append(found is not None and found.images[0].data == b"one")

    threads = [threading.Thread(target=note_and_look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 80


def test_prune_takes_old_hints_and_verify_does_not_mind_them() -> None:
    now = NOON
    bucket = MemoryBucket(lambda: now)
    noted(bucket)
    bucket.put(f"{FINGERPRINTS}/ab/torn.json", b"{")
    assert verify(bucket).faults == ()
    now += timedelta(days=40)
    young = Outbox(bucket).publish(full_manifest().model_copy(update={"id": "y", "created_at": now}), (picture(b"y"),))
    Hints(bucket).note(Digest.of(b"young"), young, ())
    bound = Bound.of(now, timedelta(days=30), dry_run=False)
    removed, _ = prune_results(bucket, bound, (), now)
    assert {one.kind: one.count for one in removed} == {"results": 1, "fingerprints": 2, "images": 1}
    assert Hints(bucket).find(Digest.of(b"young")) is not None
    assert verify(bucket).faults == ()


def test_a_full_store_refuses_a_hint_by_name() -> None:
    bucket = BucketFullAtWrite(3)
    with pytest.raises(StoreFull):
        noted(bucket)
