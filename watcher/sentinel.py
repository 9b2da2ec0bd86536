"""A sentinel in a folder: tells an unmounted disk from an empty one, and a folder that was made anew."""

import logging
import uuid
from pathlib import Path

from store.bucket import Bucket
from store.errors import KeyNotFound, StoreUnavailable

_log = logging.getLogger("imagegen.sentinel")
_MAX_BYTES = 1024


class Sentinel:
    """Watches that a folder stays on the disk it was on at the start.

    Without it, a mount that goes away leaves an empty folder of the disk below, and results would
    be written where nobody looks for them.
    """

    def __init__(self, folder: Path, bucket: Bucket, key: str) -> None:
        """key: where the sentinel lies in the bucket of this folder."""
        self._folder = folder
        self._bucket = bucket
        self._key = key
        self._token = b""
        self._device, self._inode = 0, 0

    def check(self) -> None:
        """Raise StoreUnavailable if another disk lies under the folder's name; report a folder made anew.

        The first call remembers folder and disk as they are; it may raise StoreFull.
        """
        if not self._token:
            self._post()
            return
        device, inode = self._identity()
        if (device, inode) == (self._device, self._inode):
            return
        if self._is_posted():
            self._device, self._inode = device, inode
            return
        if device != self._device:
            raise StoreUnavailable(
                f"{self._folder} lies on another disk than at the start; mount the first one again,"
                " or restart the service if this is the right one"
            )
        _log.warning("%s was made anew; what was in it is gone", self._folder, extra={"action": "folder_replaced"})
        self._post()

    def _post(self) -> None:
        self._device, self._inode = self._identity()
        self._bucket.create(self._key, uuid.uuid4().hex.encode())
        self._token = self._bucket.get(self._key, _MAX_BYTES)

    def _is_posted(self) -> bool:
        try:
            return self._bucket.get(self._key, _MAX_BYTES) == self._token
        except KeyNotFound:
            return False

    def _identity(self) -> tuple[int, int]:
        try:
            status = self._folder.stat()
        except OSError as error:
            raise StoreUnavailable(f"the folder {self._folder} is not there; create or mount it") from error
        return status.st_dev, status.st_ino
