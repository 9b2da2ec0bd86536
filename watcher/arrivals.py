"""File events of arrivals alone: watchdog without its wait for the other half of a rename."""

import sys

from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

if sys.platform == "linux":
    from watchdog.observers.inotify import InotifyEmitter
    from watchdog.observers.inotify_c import InotifyConstants, InotifyFD, Mask

    _ARRIVALS = (
        InotifyConstants.IN_CREATE
        | InotifyConstants.IN_MOVED_TO
        | InotifyConstants.IN_CLOSE_WRITE
        | InotifyConstants.IN_DELETE_SELF
    )

    class _ArrivalEmitter(InotifyEmitter):
        """Never hears of what leaves the folder.

        Watchdog holds a departure back for half a second, in case it was a rename, and everything
        behind it; each request that is archived would make us deaf for so long.
        """

        def get_event_mask_from_filter(self) -> Mask:
            return Mask(_ARRIVALS)

    class _ArrivalObserver(BaseObserver):
        """An InotifyObserver for this emitter."""

        def __init__(self) -> None:
            self._inotify = InotifyFD()
            self._inotify.start()
            super().__init__(_ArrivalEmitter, inotify_fd=self._inotify)

        def on_thread_stop(self) -> None:
            super().on_thread_stop()
            self._inotify.stop()
            self._inotify.join()


def arrival_observer() -> BaseObserver:
    """An observer that tells of files that come; raises OSError where the system has no more watches."""
    return _ArrivalObserver() if sys.platform == "linux" else Observer()
