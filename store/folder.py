"""A bucket in a folder: whoever looks sees a whole file or none."""

import errno
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from store.bucket import Head, check_key, check_prefix
from store.errors import InvalidKey, KeyNotFound, NotARegularFile, StoreFull, StoreUnavailable, TooLarge

_TEMPORARY = ".imagegen-"
_DOCUMENT = ".json"
_LINKED = 2
# the last second of the year 9999, beyond which datetime does not go
_LATEST = 253402300799.0
_PASSING_DEPTH = 3
_SAFE_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FolderBucket:
    """Keeps the Bucket promises with files below one existing folder, on one file system."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(self, key: str, data: bytes) -> bool:
        """Write a temporary file, link it to its name, make both durable."""
        target = self._path(key)
        with self._ours(key), self._temporary(target, data, durable=True) as temporary:
            if not _link(temporary, target):
                return False
            _sync_directory(_parent(target))
        return True

    def put(self, key: str, data: bytes, *, durable: bool = True) -> None:
        """Write a temporary file and rename it over the name."""
        target = self._path(key)
        with self._ours(key), self._temporary(target, data, durable=durable) as temporary:
            os.replace(temporary, target)
            if durable:
                _sync_directory(_parent(target))

    def get(self, key: str, limit: int) -> bytes:
        """Read a regular file; links, pipes and devices are refused without blocking."""
        with self._ours(key):
            # to open a pipe or a device may wake whoever holds its other end
            _regular(os.lstat(self._path(key)), key)
        with self._ours(key), open(self._path(key), "rb", opener=_open_safely) as file:
            size = _regular(os.fstat(file.fileno()), key).st_size
            # one byte more than allowed, in case the file grows between fstat and read
            data = file.read(limit + 1) if size <= limit else b""
        if size > limit or len(data) > limit:
            raise TooLarge(f"{key!r} has {size} bytes; at most {limit} are allowed")
        return data

    def head(self, key: str) -> Head | None:
        """The version is made of modification time, size and inode."""
        try:
            with self._ours(key):
                status = _regular(os.lstat(self._path(key)), key)
        except KeyNotFound:
            return None
        version = f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"
        return Head(size=status.st_size, version=version, modified=_since(status))

    def list(self, prefix: str = "", *, beginning: str = "", recursive: bool = False) -> list[str]:
        """Names only, without a stat for each; temporary files are left out.

        A folder under the name of a document (`x.json`) is a key too: get, head and move then say or mend it.
        """
        start = self._path(prefix[:-1]) if check_prefix(prefix) else str(self.root)
        keys: list[str] = []
        with suppress(KeyNotFound), self._ours(prefix), os.scandir(start) as entries:
            for entry in entries:
                if not entry.name.startswith(beginning):
                    continue
                is_folder = entry.is_dir(follow_symlinks=False)
                if is_folder and recursive:
                    keys += self.list(f"{prefix}{entry.name}/", recursive=True)
                elif not is_folder or entry.name.endswith(_DOCUMENT):
                    keys.append(prefix + entry.name)
        return [key for key in keys if not key.rpartition("/")[2].startswith(_TEMPORARY)]

    def move(self, source: str, target: str) -> None:
        """Rename and make both folders durable."""
        old, new = self._path(source), self._path(target)
        with self._ours(source):
            try:
                os.rename(old, new)
            except FileNotFoundError:
                os.lstat(old)
                self._make_parent(new)
                os.rename(old, new)
            _sync_directory(_parent(new))
            _sync_directory(_parent(old))

    def touch(self, key: str) -> None:
        """Set the modification time to now, by the clock of the file system's server."""
        with self._ours(key):
            os.utime(self._path(key), follow_symlinks=False)

    def delete(self, key: str) -> None:
        """Unlink the file, and remove the folders it leaves empty that are at least three levels below the root."""
        with suppress(KeyNotFound), self._ours(key):
            os.unlink(self._path(key))
        # the folders above come back all the time, and removing them would get in the way of whoever writes there
        with suppress(OSError):
            while key.count("/") >= _PASSING_DEPTH:
                key = _parent(key)
                os.rmdir(self._path(key))

    def _path(self, key: str) -> str:
        # not a Path, which interns each of its parts: memory grew with names that never come again
        return f"{self.root}/{check_key(key)}"

    def _require_root(self) -> None:
        if not self.root.is_dir():
            raise StoreUnavailable(f"the folder {self.root} is not there; create or mount it")

    def _make_parent(self, path: str) -> None:
        # never the root itself: a disk that goes away must not be replaced by an empty folder
        self._require_root()
        parent = Path(path).parent
        parent.mkdir(parents=True, exist_ok=True)
        # a new folder that is not synced in the one above can vanish in a power cut with all it holds
        for folder in parent.parents:
            if folder.is_relative_to(self.root):
                _sync_directory(str(folder))

    @contextmanager
    def _ours(self, key: str) -> Iterator[None]:
        """Turn what the operating system raises into the errors of the house."""
        try:
            yield
        except FileNotFoundError as error:
            self._require_root()
            raise KeyNotFound(f"there is nothing under {key!r}") from error
        except OSError as error:
            raise _translated(error, key) from error
        except UnicodeEncodeError as error:
            raise InvalidKey(f"{key[:200]!r} is not a key: it holds a character that no file name can hold") from error

    @contextmanager
    def _temporary(self, target: str, data: bytes, *, durable: bool) -> Iterator[str]:
        path = f"{_parent(target)}/{_TEMPORARY}{uuid.uuid4().hex}"
        try:
            descriptor = _exclusive(path)
        except FileNotFoundError:
            self._make_parent(target)
            descriptor = _exclusive(path)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            yield path
        finally:
            with suppress(FileNotFoundError):
                os.unlink(path)


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _open_safely(path: str, flags: int) -> int:
    return os.open(path, _SAFE_READ)


def _exclusive(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)


def _link(temporary: str, target: str) -> bool:
    try:
        os.link(temporary, target)
    except OSError as error:
        # on NFS the link may have worked and only its answer been lost: then the file has two names
        if os.stat(temporary).st_nlink == _LINKED:
            return True
        if isinstance(error, FileExistsError):
            return False
        if error.errno in (errno.EPERM, errno.EOPNOTSUPP):
            raise StoreUnavailable(
                f"{target!r} cannot be made by a hard link; put inbox and outbox on a file system that has them"
            ) from error
        raise
    return True


def _regular(status: os.stat_result, key: str) -> os.stat_result:
    if not stat.S_ISREG(status.st_mode):
        raise NotARegularFile(f"{key!r} is not a regular file; write a plain file under this name")
    return status


def _since(status: os.stat_result) -> datetime:
    # a rename keeps the time of the content and sets the other one; anybody may set a time out of our range
    seconds = max(status.st_mtime, status.st_ctime)
    return datetime.fromtimestamp(min(max(seconds, 0.0), _LATEST), UTC)


def _sync_directory(path: str) -> None:
    # a rename or link that is not synced can vanish in a power cut although the file was written
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _translated(error: OSError, key: str) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFull(f"no space is left to write {key!r}; free some, work resumes by itself")
    if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
        return NotARegularFile(f"{key!r} is not a regular file; write a plain file under this name")
    if error.errno == errno.ENAMETOOLONG:
        return InvalidKey(f"the name {key[:80]!r}… is too long for the file system")
    return StoreUnavailable(f"{key!r}: {error.strerror or error}")
