"""What keeps a worker from drawing through no fault of a request: its models are away, its device is lost."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.lock import FILE_NAME
from store.errors import CheckpointBroken, CheckpointMissing, DeviceLost, StoreUnavailable
from watcher.settings import BUILTIN

_log = logging.getLogger("imagegen.outages")


class Outages:
    """Tells outages from failures of requests; give_up ends a worker that can draw nothing more."""

    def __init__(self, models: str, give_up: Callable[[DeviceLost], None]) -> None:
        """models: the folder of pulled checkpoints, seen to be there before the first drawing, or `builtin`."""
        self._lock = None if models == BUILTIN else Path(models).expanduser() / FILE_NAME
        self._give_up = give_up

    def models_away(self) -> str | None:
        """Why no checkpoint can be read just now, or None."""
        if self._lock is None or self._lock.exists():
            return None
        return f"{self._lock} is not there any more; nothing is claimed until the models folder is back"

    @contextmanager
    def told_apart(self) -> Iterator[None]:
        """While the block draws a request: raises StoreUnavailable instead of what models that are away lead to."""
        try:
            yield
        except DeviceLost as lost:
            # whatever this process asks of the device from now on fails as well
            _log.error("%s", lost.message, extra={"action": lost.code})
            self._give_up(lost)
            raise
        except (CheckpointMissing, CheckpointBroken) as error:
            if (away := self.models_away()) is not None:
                raise StoreUnavailable(away) from error
            raise
