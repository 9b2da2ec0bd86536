"""Whether the disks have room for more results."""

import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

_log = logging.getLogger("imagegen.room")
_MIB = 1024 * 1024


def free_bytes(folder: Path) -> int:
    """The space that is left for us on the disk of a folder."""
    return shutil.disk_usage(folder).free


class Room:
    """Says when the free space falls below a reserve, and when it is back."""

    def __init__(self, folders: Sequence[Path], reserve_mib: int, free: Callable[[Path], int] = free_bytes) -> None:
        self._folders = tuple(folders)
        self._reserve = reserve_mib * _MIB
        self._free = free
        self._was_low = False

    def lacking(self) -> str | None:
        """Why nothing should be claimed now, or None; a change is logged."""
        reason = next(filter(None, map(self._low, self._folders)), None)
        if reason is not None and not self._was_low:
            _log.error("%s; nothing is claimed until there is room", reason, extra={"action": "disk_low"})
        if reason is None and self._was_low:
            _log.warning("there is room again; work goes on", extra={"action": "disk_back"})
        self._was_low = reason is not None
        return reason

    def _low(self, folder: Path) -> str | None:
        try:
            free = self._free(folder)
        except OSError:
            # a folder that is away is told by whoever reads it
            return None
        if free >= self._reserve:
            return None
        return (
            f"only {free // _MIB} MiB are free for {folder};"
            f" at least {self._reserve // _MIB} MiB are kept (reserve_mib)"
        )
