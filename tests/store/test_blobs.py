"""Images lie under the hash of their bytes, once."""

from pathlib import Path

import pytest

from store.blobs import Blob, BlobStore, blob_path
from store.digest import Digest
from store.errors import BlobBroken, KeyNotFound, TooLarge
from store.folder import FolderBucket
from store.memory import MemoryBucket

OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
PATH_OF_ABC = f"generated_images/ba/{OF_ABC}.png"
LIMIT = 1000


@pytest.fixture
def bucket() -> MemoryBucket:
    return MemoryBucket()


@pytest.fixture
def blobs(bucket: MemoryBucket) -> BlobStore:
    return BlobStore(bucket)


def test_a_path_is_sharded_by_the_first_two_digits_and_named_by_all() -> None:
    assert blob_path(Digest(OF_ABC), "png") == PATH_OF_ABC


def test_add_says_where_the_content_lies(blobs: BlobStore) -> None:
    assert blobs.add(b"abc", "png") == Blob(path=PATH_OF_ABC, digest=Digest(OF_ABC), size=3, duplicate=False)


def test_add_writes_the_content_there(blobs: BlobStore, bucket: MemoryBucket) -> None:
    blobs.add(b"abc", "png")
    assert bucket.get(PATH_OF_ABC, LIMIT) == b"abc"


def test_equal_contents_are_kept_once_and_called_duplicates(blobs: BlobStore, bucket: MemoryBucket) -> None:
    blobs.add(b"abc", "png")
    again = blobs.add(b"abc", "png")
    assert again.duplicate is True
    assert again.path == PATH_OF_ABC
    assert bucket.list(recursive=True) == [PATH_OF_ABC]
    assert bucket.get(PATH_OF_ABC, LIMIT) == b"abc"


def test_a_blob_that_is_used_again_counts_as_new(blobs: BlobStore, bucket: MemoryBucket) -> None:
    blobs.add(b"abc", "png")
    before = bucket.head(PATH_OF_ABC)
    blobs.add(b"abc", "png")
    assert bucket.head(PATH_OF_ABC) != before


def test_other_contents_are_kept_apart(blobs: BlobStore, bucket: MemoryBucket) -> None:
    added = [blobs.add(data, "png") for data in (b"abc", b"abd")]
    assert [blob.duplicate for blob in added] == [False, False]
    assert len(bucket.list(recursive=True)) == 2


@pytest.mark.parametrize("broken", [b"", b"ab", b"abd", b"abc and more"], ids=["empty", "short", "changed", "long"])
def test_a_broken_file_under_the_name_is_mended(blobs: BlobStore, bucket: MemoryBucket, broken: bytes) -> None:
    bucket.put(PATH_OF_ABC, broken)
    blobs.add(b"abc", "png")
    assert bucket.get(PATH_OF_ABC, LIMIT) == b"abc"


def test_a_link_under_the_name_is_replaced_by_the_content(tmp_path: Path) -> None:
    link = tmp_path / PATH_OF_ABC
    link.parent.mkdir(parents=True)
    link.symlink_to("nowhere")
    BlobStore(FolderBucket(tmp_path)).add(b"abc", "png")
    assert not link.is_symlink()
    assert link.read_bytes() == b"abc"


def test_a_blob_deleted_between_two_looks_is_written_again(
    bucket: MemoryBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "create", lambda key, data: False)
    BlobStore(bucket).add(b"abc", "png")
    assert bucket.get(PATH_OF_ABC, LIMIT) == b"abc"


def test_check_finds_a_true_name_true(blobs: BlobStore, bucket: MemoryBucket) -> None:
    bucket.put(PATH_OF_ABC, b"abc")
    blobs.check(PATH_OF_ABC, LIMIT)


def test_check_finds_one_changed_byte(blobs: BlobStore, bucket: MemoryBucket) -> None:
    bucket.put(PATH_OF_ABC, b"abd")
    with pytest.raises(BlobBroken, match=str(Digest.of(b"abd"))):
        blobs.check(PATH_OF_ABC, LIMIT)


def test_check_of_an_absent_blob_says_so(blobs: BlobStore) -> None:
    with pytest.raises(KeyNotFound):
        blobs.check(PATH_OF_ABC, LIMIT)


def test_check_reads_no_more_than_allowed(blobs: BlobStore, bucket: MemoryBucket) -> None:
    bucket.put(PATH_OF_ABC, b"abc")
    with pytest.raises(TooLarge):
        blobs.check(PATH_OF_ABC, 2)
