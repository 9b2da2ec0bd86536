"""Tells when to look into a folder; an event is only a hint, the scan is the truth."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from watchdog.events import (
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver

from watcher.arrivals import arrival_observer
from watcher.filesystem import remote_kind

_log = logging.getLogger("imagegen.doorbell")
# opened and closed-no-write are left out: our own scan would ring with every file it reads
_EVENTS: list[type[FileSystemEvent]] = [FileCreatedEvent, FileMovedEvent, FileClosedEvent, DirMovedEvent]


class Doorbell:
    """Wakes the service when something happens in a folder, and anyway after a while."""

    def __init__(self, folder: Path, kind: Callable[[Path], str | None] = remote_kind) -> None:
        """kind: the network file system a folder lies on, where events are not even tried."""
        self._folder = folder
        self._kind = kind
        self._rung = threading.Event()
        self._observer: BaseObserver | None = None
        self._inode = 0
        self._listening = False

    def start(self) -> None:
        """Begin to listen; where that is impossible, the clock alone rings, and every wait tries again."""
        kind = self._kind(self._folder)
        if kind is not None:
            self._say_deaf("doorbell_off", f"it lies on {kind}")
            return
        self._listening = True
        if not self._listen():
            self._say_deaf("doorbell_failed", "the system gives no more watches")

    def _say_deaf(self, action: str, why: str) -> None:
        sentence = "no file events for %s, %s; new requests are found by scanning only"
        _log.warning(sentence, self._folder, why, extra={"action": action})

    def _listen(self) -> bool:
        try:
            inode = self._folder.stat().st_ino
            observer = arrival_observer()
        except OSError:
            return False
        try:
            observer.schedule(_Ringer(self._rung), str(self._folder), recursive=False, event_filter=_EVENTS)
            observer.start()
        except OSError:
            # it holds a thread and an inotify instance, of which there are few
            observer.stop()
            return False
        self._observer, self._inode = observer, inode
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
        # a folder that was removed or renamed and made again leaves an observer that hears nothing
        observer = self._observer
        if not self._listening or (observer is not None and _is_well(observer) and self._is_the_same()):
            return
        if observer is not None:
            self._observer = None
            observer.stop()
            _log.warning("file events for %s ended", self._folder, extra={"action": "doorbell_failed"})
        if self._listen():
            _log.warning("file events for %s are back", self._folder, extra={"action": "doorbell_revived"})

    def _is_the_same(self) -> bool:
        try:
            return self._folder.stat().st_ino == self._inode
        except OSError:
            return False


def _is_well(observer: BaseObserver) -> bool:
    return observer.is_alive() and all(emitter.is_alive() for emitter in observer.emitters)


class _Ringer(FileSystemEventHandler):
    def __init__(self, rung: threading.Event) -> None:
        self._rung = rung

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._rung.set()
