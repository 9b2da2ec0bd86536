"""What killed writers leave behind: temporary files, which no listing shows."""

import os
import re
from pathlib import Path

from store.bucket import Bucket
from store.folder import FolderBucket

_TEMPORARY = re.compile(r"\.imagegen-[0-9a-f]{32}")


def leftovers(bucket: Bucket) -> list[str]:
    """The keys of all temporary files, also of those that somebody writes just now; only folders have any."""
    if not isinstance(bucket, FolderBucket):
        return []
    found: list[str] = []
    for folder, _, names in os.walk(bucket.root):
        within = Path(folder).relative_to(bucket.root)
        found += [(within / name).as_posix() for name in names if _TEMPORARY.fullmatch(name)]
    return found
