"""Whether a bucket keeps what claims rest on: that of two who create one key, the second is refused."""

import uuid

from store.bucket import Bucket


def honours_create(bucket: Bucket, prefix: str = "") -> bool:
    """Create a key twice below prefix and see; some servers overwrite it without a word.

    Raises StoreUnavailable where the bucket cannot be written at all.
    """
    key = f"{prefix}probe-{uuid.uuid4().hex}"
    try:
        return bucket.create(key, b"first") and not bucket.create(key, b"second") and bucket.get(key, 16) == b"first"
    finally:
        bucket.delete(key)
