"""One worker's place: who fills it, what was heard of it, and how long to wait before it is filled again."""

import signal
from dataclasses import dataclass
from typing import Protocol

from watcher.fleet.heartbeat import Vitals
from watcher.fleet.pulse import Beat

_INSTANT_SECONDS = 10.0
_PROVEN_SECONDS = 60.0
_LONGEST_PAUSE = 60.0
# 2 ** 6 is over the longest pause
_MOST_DOUBLINGS = 6
_GRACEFUL = (0, -signal.SIGTERM, -signal.SIGINT)


class Process(Protocol):
    """A worker in a process of its own."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def heard(self) -> Beat | None:
        """The newest beat since the last call."""

    def ended(self) -> int | None:
        """Its exit code, minus the signal that killed it, or None while it runs."""

    def stop(self) -> None:
        """Ask it to end when what it draws is finished."""

    def kill(self) -> None:
        """End it at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long a worker may be unheard, and a request in its hand silent; seconds."""

    heartbeat: float
    stall: float


class Post:
    """Filled by one process after the other; `now` is always the monotonic clock's."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: Process | None = None
        self.due = 0.0
        self.instant_failures = 0
        self.beat: Beat | None = None
        self.killed = False
        self._started = 0.0
        self._heard_at = 0.0
        self._starts = 0
        self._early_ends = 0

    def begin(self, now: float) -> None:
        """A process is about to be started."""
        self._starts += 1
        self._started = self._heard_at = now
        self.beat = None
        self.killed = False

    def hear(self, now: float) -> None:
        """Take note of what the process says."""
        beat = self.process.heard() if self.process is not None else None
        if beat is not None:
            self.beat, self._heard_at = beat, now

    def fault(self, bounds: Bounds, now: float) -> str | None:
        """Why the process has to be killed, if it has to."""
        unheard = now - self._heard_at
        if unheard > bounds.heartbeat:
            return f"no sign of life for {unheard:.0f} s"
        if self.beat is not None and self.beat.silence > bounds.stall:
            return f"no progress for {self.beat.silence:.0f} s with {', '.join(self.beat.in_hand)} in hand"
        return None

    def end(self, now: float) -> float:
        """The process has ended, or did not start; the pause before the next one, seconds.

        A second, and twice as long each time until a process has lived for a minute.
        """
        self.process = None
        lived = now - self._started
        instant = lived < _INSTANT_SECONDS and not self.killed
        self.instant_failures = self.instant_failures + 1 if instant else 0
        self._early_ends = 1 if lived >= _PROVEN_SECONDS else self._early_ends + 1
        pause = min(_LONGEST_PAUSE, 2.0 ** min(self._early_ends - 1, _MOST_DOUBLINGS))
        self.due = now + pause
        return pause

    def vitals(self, now: float) -> Vitals:
        """How its worker is."""
        restarts = max(0, self._starts - 1)
        if self.process is None:
            return Vitals(pid=None, state="waiting", restarts=restarts)
        beat = self.beat or Beat()
        return Vitals(
            pid=self.process.pid,
            state="killed" if self.killed else "running" if self.beat else "starting",
            restarts=restarts,
            heard=round(now - self._heard_at, 1),
            in_hand=len(beat.in_hand),
            silence=round(beat.silence, 1),
        )


def is_graceful(code: int) -> bool:
    """Whether a process that was asked to end has ended as it should; a signal may come before it listens."""
    return code in _GRACEFUL


def shown(code: int) -> str:
    """An exit code for people."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"
