"""What a store has confirmed is there after its power was cut."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from store.errors import StoreUnavailable
from store.s3 import S3Bucket
from tests.cloud import servers
from tests.cloud.buckets import s3_bucket


@pytest.mark.long
def test_nothing_that_was_created_is_lost_when_the_server_is_killed(tmp_path: Path) -> None:
    server, address = servers.seaweed(tmp_path)
    with server:
        bucket = s3_bucket(address)
        confirmed = [number for number in range(40) if bucket.create(f"claims/{number}", str(number).encode())]
        with ThreadPoolExecutor(1) as beside:
            late = [beside.submit(_created, bucket, number) for number in range(40, 80)]
            server.kill()
            server.start()
            confirmed += [number for number, done in enumerate((future.result() for future in late), 40) if done]
        kept = s3_bucket(address, bucket.address.removeprefix("s3://pictures/"))
        assert {f"claims/{number}" for number in confirmed} <= set(kept.list("claims/"))
        assert all(kept.get(f"claims/{number}", 10) == str(number).encode() for number in confirmed)


def _created(bucket: S3Bucket, number: int) -> bool:
    try:
        return bucket.create(f"claims/{number}", str(number).encode())
    except StoreUnavailable:
        return False
