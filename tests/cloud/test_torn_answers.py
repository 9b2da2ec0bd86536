"""Whatever happens to answers on their way, an object is created once, moved without a loss, and read whole."""

from collections.abc import Iterator

import pytest

from store.errors import KeyNotFound, SettingsInvalid, StoreUnavailable
from store.location import open_s3
from store.s3 import S3Bucket
from store.s3options import S3Options
from store.s3probe import honours_create
from tests.cloud.buckets import s3_bucket
from tests.cloud.proxy import Asked, Pass, Proxy, bent, conflict, ignores_conditions, lost_answer, slow_down
from tests.cloud.servers import Address

LIMIT = 1000


@pytest.fixture
def proxy(seaweed: Address) -> Iterator[Proxy]:
    with Proxy(seaweed).running() as proxy:
        yield proxy


@pytest.fixture
def bucket(proxy: Proxy) -> S3Bucket:
    return s3_bucket(proxy.address)


@pytest.fixture
def beside(bucket: S3Bucket, seaweed: Address) -> S3Bucket:
    """The same place, reached by somebody else without faults."""
    return s3_bucket(seaweed, bucket.address.removeprefix("s3://pictures/"))


def test_a_create_whose_answer_was_lost_knows_its_own_work_again(bucket: S3Bucket, proxy: Proxy) -> None:
    proxy.arm(lost_answer, "PUT")
    assert bucket.create("claim", b"mine") is True
    assert proxy.is_spent
    assert bucket.create("claim", b"mine") is False


def test_a_create_whose_answer_was_lost_does_not_take_equal_bytes_of_another_for_its_own(
    bucket: S3Bucket, proxy: Proxy
) -> None:
    bucket.create("claim", b"equal")
    proxy.arm(lost_answer, "PUT")
    assert bucket.create("claim", b"equal") is False


@pytest.mark.parametrize("fault", [slow_down, conflict])
def test_a_busy_store_is_asked_again(bucket: S3Bucket, proxy: Proxy, fault: object) -> None:
    proxy.arm(fault, "PUT", times=2)
    assert bucket.create("claim", b"mine") is True
    assert proxy.is_spent
    assert bucket.get("claim", LIMIT) == b"mine"


def test_a_conflict_that_does_not_end_is_a_store_that_is_unavailable(bucket: S3Bucket, proxy: Proxy) -> None:
    patient = S3Bucket(proxy.address.client("s3"), "pictures", pause=lambda seconds: None)
    proxy.always = conflict
    with pytest.raises(StoreUnavailable, match="ConditionalRequestConflict"):
        patient.put("claim", b"mine")


def test_a_content_that_changes_on_its_way_is_read_again(bucket: S3Bucket, proxy: Proxy) -> None:
    bucket.put("picture.png", b"the very bytes")
    proxy.arm(bent, "GET", "picture.png")
    assert bucket.get("picture.png", LIMIT) == b"the very bytes"
    assert proxy.is_spent


def test_a_move_whose_copy_lost_its_answer_is_still_done_once(bucket: S3Bucket, proxy: Proxy) -> None:
    bucket.put("r014.json", b"request")
    proxy.arm(lost_answer, "PUT", "archive")
    bucket.move("r014.json", "archive/r014.json")
    assert bucket.list(recursive=True) == ["archive/r014.json"]


def test_what_comes_under_a_name_whose_delete_lost_its_answer_is_left_where_it_is(
    bucket: S3Bucket, proxy: Proxy, beside: S3Bucket
) -> None:
    bucket.put("r014.json", b"request")

    def lost_and_another_comes(asked: Asked, go_on: Pass) -> None:
        go_on(asked)
        beside.put("r014.json", b"another request")

    proxy.arm(lost_and_another_comes, "DELETE")
    bucket.move("r014.json", "archive/r014.json")
    assert bucket.get("archive/r014.json", LIMIT) == b"request"
    assert bucket.get("r014.json", LIMIT) == b"another request"


def test_what_replaces_the_source_while_it_is_copied_does_not_overwrite_the_copy(
    bucket: S3Bucket, proxy: Proxy, beside: S3Bucket
) -> None:
    bucket.put("r014.json", b"request")

    def copied_and_replaced(asked: Asked, go_on: Pass) -> None:
        go_on(asked)
        beside.put("r014.json", b"another request")

    proxy.arm(copied_and_replaced, "PUT", "archive")
    bucket.move("r014.json", "archive/r014.json")
    assert bucket.get("archive/r014.json", LIMIT) == b"request"
    assert bucket.get("r014.json", LIMIT) == b"another request"


def test_a_move_of_what_another_worker_has_just_taken_says_so(bucket: S3Bucket, proxy: Proxy, beside: S3Bucket) -> None:
    bucket.put("r014.json", b"request")

    def taken_first(asked: Asked, go_on: Pass) -> object:
        beside.delete("r014.json")
        return go_on(asked)

    proxy.arm(taken_first, "PUT", "archive")
    with pytest.raises(KeyNotFound):
        bucket.move("r014.json", "archive/r014.json")
    assert bucket.list(recursive=True) == []


@pytest.mark.parametrize("server", ["seaweed", "ministack", "moto"])
def test_a_store_that_honours_conditions_is_known_and_the_probe_leaves_nothing(
    server: str, request: pytest.FixtureRequest
) -> None:
    bucket = s3_bucket(request.getfixturevalue(server))
    assert honours_create(bucket, "inbox.imagegen/") is True
    assert bucket.list(recursive=True) == []


def test_a_store_that_ignores_conditions_is_found_out(ministack: Address) -> None:
    # MiniStack does not mind that a signed header is missing
    with Proxy(ministack).running() as proxy:
        proxy.always = ignores_conditions
        assert honours_create(s3_bucket(proxy.address)) is False


def test_a_missing_bucket_and_wrong_keys_are_told_as_such(seaweed: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in seaweed.environment().items():
        monkeypatch.setenv(name, value)
    options = S3Options(endpoint_url=seaweed.url, addressing="path", region="us-east-1")
    with pytest.raises(StoreUnavailable, match="'nowhere' is not there; create it"):
        open_s3("nowhere", "", options).put("a", b"x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StoreUnavailable, match="SignatureDoesNotMatch; check credentials"):
        open_s3("pictures", "", options).put("a", b"x")


def test_a_profile_that_does_not_exist_is_a_fault_of_the_settings() -> None:
    with pytest.raises(SettingsInvalid, match="nobody"):
        open_s3("pictures", "", S3Options(profile="nobody"))
