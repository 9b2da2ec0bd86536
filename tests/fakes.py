"""Stand-ins that play one failure each, named after it."""

import errno
import os
import stat
from pathlib import Path
from typing import Any, NoReturn

from store.errors import StoreFull
from store.memory import MemoryBucket


class RecordingBucket(MemoryBucket):
    """Remembers the keys in the order they were written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def create(self, key: str, data: bytes) -> bool:
        self.written.append(key)
        return super().create(key, data)

    def put(self, key: str, data: bytes, *, durable: bool = True) -> None:
        self.written.append(key)
        super().put(key, data, durable=durable)


class BucketFullAtWrite(RecordingBucket):
    """Has room for all writes before the given one, counted from 1, and for none from there on."""

    def __init__(self, fails_at: int) -> None:
        super().__init__()
        self._fails_at: int | None = fails_at

    def make_room(self) -> None:
        self._fails_at = None

    def create(self, key: str, data: bytes) -> bool:
        self._need_room()
        return super().create(key, data)

    def put(self, key: str, data: bytes, *, durable: bool = True) -> None:
        self._need_room()
        super().put(key, data, durable=durable)

    def _need_room(self) -> None:
        if self._fails_at is not None and len(self.written) + 1 >= self._fails_at:
            raise StoreFull


class CreateAnswerLost(MemoryBucket):
    """Writes, then answers as a repeated call would: somebody was here before, namely we."""

    def create(self, key: str, data: bytes) -> bool:
        super().create(key, data)
        return False


class CallFails:
    """Stands for a function of os that fails with this error number."""

    def __init__(self, code: int) -> None:
        self._code = code

    def __call__(self, *arguments: object, **options: object) -> NoReturn:
        raise OSError(self._code, os.strerror(self._code))


class LinkAnswerLost:
    """Stands for os.link on a network file system: links, then reports this error."""

    def __init__(self, code: int) -> None:
        self._link = os.link
        self._code = code

    def __call__(self, source: Path, target: Path) -> NoReturn:
        self._link(source, target)
        raise OSError(self._code, os.strerror(self._code))


class FolderSyncFails:
    """Stands for os.fsync on a disk that keeps contents but not the names of files."""

    def __init__(self) -> None:
        self._fsync = os.fsync

    def __call__(self, descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._fsync(descriptor)


class FileGrowsAfterStat:
    """Stands for os.fstat while somebody else appends to the file just looked at."""

    def __init__(self, path: Path, more: bytes) -> None:
        self._fstat = os.fstat
        self._path = path
        self._more = more

    def __call__(self, descriptor: int) -> Any:
        status = self._fstat(descriptor)
        with self._path.open("ab") as file:
            file.write(self._more)
        return status


class DiskFullAtWrite:
    """Stands for os.fdopen: files below a folder find room before the given one, from 1, and none from there on.

    The error comes with the bytes, when the empty file is there already.
    """

    def __init__(self, folder: Path, fails_at: int, code: int) -> None:
        self._fdopen = os.fdopen
        self._folder = folder
        self._fails_at: int | None = fails_at
        self._code = code
        self._written = 0

    @property
    def has_failed(self) -> bool:
        return self._fails_at is not None and self._written >= self._fails_at

    def make_room(self) -> None:
        self._fails_at = None

    def __call__(self, descriptor: int, mode: str) -> Any:
        file = self._fdopen(descriptor, mode)
        if Path(f"/proc/self/fd/{descriptor}").readlink().is_relative_to(self._folder):
            self._written += 1
            if self.has_failed:
                return _FileWithoutRoom(file, self._code)
        return file


class _FileWithoutRoom:
    def __init__(self, file: Any, code: int) -> None:
        self._file = file
        self.write = CallFails(code)

    def __enter__(self) -> "_FileWithoutRoom":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
