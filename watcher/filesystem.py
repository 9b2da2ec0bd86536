"""Which file system a folder lies on: on a network one, file events do not tell of what others write."""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import psutil

_REMOTE = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afpfs", "webdav", "9p", "virtiofs", "ceph", "glusterfs", "lustre", "afs"}
)


class Mount(Protocol):
    """One line of the table of mounts."""

    @property
    def mountpoint(self) -> str:
        """The folder it is mounted on."""

    @property
    def fstype(self) -> str:
        """The kind of file system, as the system names it."""


def remote_kind(folder: Path, mounts: Iterable[Mount] | None = None) -> str | None:
    """The kind of network or FUSE file system a folder lies on; None where it is a local one."""
    table: Iterable[Mount] = psutil.disk_partitions(all=True) if mounts is None else mounts
    above = [mount for mount in table if folder.is_relative_to(mount.mountpoint)]
    if not above:
        return None
    # the last one of the deepest mounts hides those below it
    kind = max(reversed(above), key=lambda mount: len(Path(mount.mountpoint).parts)).fstype
    return kind if kind in _REMOTE or kind.startswith(("fuse", "osxfuse", "macfuse")) else None
