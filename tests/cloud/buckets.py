"""Fresh places in a server's S3."""

import uuid

from store.s3 import S3Bucket
from tests.cloud.servers import Address

_SHARED = "pictures"


def s3_bucket(address: Address, prefix: str | None = None) -> S3Bucket:
    """A prefix that nobody has used, in a bucket that is made when it is not there."""
    client = address.client("s3")
    # making a bucket anew for each test is slow
    if _SHARED not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
        client.create_bucket(Bucket=_SHARED)
    return S3Bucket(client, _SHARED, f"{uuid.uuid4().hex}/" if prefix is None else prefix)
