"""How much memory of the host is left to this process: of the machine, or of its container."""

from pathlib import Path

import psutil

_CONTROL_GROUP = Path("/sys/fs/cgroup")


def spare_memory(group: Path = _CONTROL_GROUP) -> int:
    """Bytes that may still be taken; in a container with a limit, up to that (Linux control groups, version 2)."""
    available = int(psutil.virtual_memory().available)
    try:
        limit = (group / "memory.max").read_text("ascii").strip()
        used = int((group / "memory.current").read_text("ascii"))
        told = dict(line.split() for line in (group / "memory.stat").read_text("ascii").splitlines())
    except (OSError, ValueError):
        return available
    # the kernel gives up what it remembers of files before anybody goes without
    return available if limit == "max" else min(available, max(0, int(limit) - used + int(told.get("file", 0))))
