"""Tells when to look into a folder; an event is only a hint, the scan is the truth."""

import logging
import threading
from pathlib import Path

from watchdog.events import (
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

_log = logging.getLogger("imagegen.doorbell")
# opened and closed-no-write are left out: our own scan would ring with every file it reads
_EVENTS: list[type[FileSystemEvent]] = [FileCreatedEvent, FileMovedEvent, FileClosedEvent, DirMovedEvent]


class Doorbell:
    """Wakes the service when something happens in a folder, and anyway after a while."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rung = threading.Event()
        self._observer: BaseObserver | None = None
        self._listening = False

    def start(self) -> None:
        """Begin to listen; where that is impossible, the clock alone rings, and every wait tries again."""
        self._listening = True
        if not self._listen():
            _log.warning(
                "no file events for %s; new requests are found by scanning only",
                self._folder,
                extra={"action": "doorbell_failed"},
            )

    def _listen(self) -> bool:
        observer = Observer()
        observer.schedule(_Ringer(self._rung), str(self._folder), recursive=False, event_filter=_EVENTS)
        try:
            observer.start()
        except OSError:
            return False
        self._observer = observer
        return True

    def stop(self) -> None:
        """Stop listening and wake whoever waits."""
        self.ring()
        self._listening = False
        if self._observer is not None:
            self._observer.unschedule_all()
            self._observer.stop()
            self._observer.join()
            self._observer = None

    def ring(self) -> None:
        """Wake whoever waits; safe to call from a signal handler."""
        self._rung.set()

    def wait(self, seconds: float) -> None:
        """Return when rung, at the latest after so many seconds; a dead observer is replaced first."""
        self._revive()
        self._rung.wait(seconds)
        self._rung.clear()

    def _revive(self) -> None:
        # a folder that was removed and made again leaves a living observer with dead emitters
        observer = self._observer
        if not self._listening or (observer is not None and _is_well(observer)):
            return
        if observer is not None:
            self._observer = None
            observer.stop()
            _log.warning("file events for %s ended", self._folder, extra={"action": "doorbell_failed"})
        if self._listen():
            _log.warning("file events for %s are back", self._folder, extra={"action": "doorbell_revived"})


def _is_well(observer: BaseObserver) -> bool:
    return observer.is_alive() and all(emitter.is_alive() for emitter in observer.emitters)


class _Ringer(FileSystemEventHandler):
    def __init__(self, rung: threading.Event) -> None:
        self._rung = rung

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._rung.set()
