"""Whose queue is asked next, where several lanes share a window."""

import math
import threading
from collections.abc import Callable, Sequence

from watcher.message import LONGEST_POLL_SECONDS
from watcher.window import Window

_SHORT_SECONDS = 1


class Listening:
    """Lets as many queues be asked at once as there are free slots, so that what comes can be started.

    The lane that found a message last is asked first, because its checkpoint is on the GPU, but at most
    max_run times in a row while another lane waits; the others follow by how long ago they were asked.
    So no lane is shut out, however busy the others are.
    """

    def __init__(self, window: Window, lanes: Sequence[str], max_run: int = 8) -> None:
        self._window = window
        self._lanes = frozenset(lanes)
        self._max_run = max_run
        self._changed = threading.Condition()
        self._waiting: set[str] = set()
        self._asking: set[str] = set()
        self._turns = 0
        self._asked: dict[str, int] = {}
        self._quiet: set[str] = set()
        self._resident: str | None = None
        self._run = 0
        self._has_yielded = False

    def begin(self, lane: str, longest: int, is_over: Callable[[], bool]) -> int | None:
        """Wait until this lane may ask its queue; for how many seconds, or None once it is over.

        longest: the most seconds the lane likes to wait for an answer.
        """
        with self._changed:
            self._waiting.add(lane)
            try:
                self._changed.wait_for(lambda: is_over() or self._may(lane))
            finally:
                self._waiting.discard(lane)
                self._changed.notify_all()
            if is_over():
                return None
            self._asking.add(lane)
            self._turns += 1
            self._asked[lane] = self._turns
            return min(longest, self._seconds(lane))

    def end(self, lane: str, *, found: bool) -> None:
        """The answer has come, and what it brought has been looked at."""
        with self._changed:
            self._asking.discard(lane)
            if lane != self._resident:
                self._has_yielded = False
                self._run = 0
            if found:
                self._run += 1
                self._resident = lane
                self._quiet.discard(lane)
            else:
                self._has_yielded = self._has_yielded or lane == self._resident
                self._quiet.add(lane)
            self._changed.notify_all()

    def poke(self) -> None:
        """A slot may have become free, or a lane may have ended."""
        with self._changed:
            self._changed.notify_all()

    def _may(self, lane: str) -> bool:
        if min(self._waiting, key=self._rank) != lane:
            return False
        others = 0 if self._is_favourite(lane) else len(self._asking)
        return self._window.free(lane) > others

    def _rank(self, lane: str) -> tuple[bool, int, str]:
        return (not self._is_favourite(lane), self._asked.get(lane, 0), lane)

    def _is_favourite(self, lane: str) -> bool:
        if lane != self._resident or self._has_yielded or self._quiet == self._lanes:
            return False
        return self._run < self._max_run or self._waiting <= {lane}

    def _seconds(self, lane: str) -> int:
        """As long as possible, but shorter where another lane waits for the same slot."""
        if not self._waiting - {lane}:
            return LONGEST_POLL_SECONDS
        if self._quiet < self._lanes:
            return _SHORT_SECONDS
        # nothing comes anywhere: each lane is asked as often as if it had the slots to itself
        return math.ceil(LONGEST_POLL_SECONDS * max(self._window.free(lane), 1) / len(self._lanes))
