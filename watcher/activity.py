"""What the requests in hand are doing: a drawing that makes no progress is told from one that waits its turn."""

import threading
from dataclasses import dataclass

from pipeline.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class InHand:
    """One request in hand: when it last made progress, on our monotonic clock, and whether it awaits its turn."""

    id: str
    progressed: float
    awaits_turn: bool = False


class Activity:
    """The requests of one worker; written by the threads that carry them, read by lease and heartbeat."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._in_hand: dict[str, InHand] = {}

    def progress(self, request_id: str, *, awaits_turn: bool = False) -> None:
        """The request is in hand and has just got further."""
        now = InHand(id=request_id, progressed=self._clock.monotonic(), awaits_turn=awaits_turn)
        with self._lock:
            self._in_hand[request_id] = now

    def end(self, request_id: str) -> None:
        """The request is no longer in hand."""
        with self._lock:
            self._in_hand.pop(request_id, None)

    def silence(self, request_id: str) -> float:
        """Seconds since the request got further; 0 while it awaits its turn or is not in hand."""
        with self._lock:
            found = self._in_hand.get(request_id)
        return self._silent(found) if found is not None else 0.0

    def longest_silence(self) -> float:
        """Seconds since the most silent request got further; 0 where nothing is in hand."""
        with self._lock:
            in_hand = list(self._in_hand.values())
        return max(map(self._silent, in_hand), default=0.0)

    def awaits_turn(self, request_id: str) -> bool:
        """Whether the request waits at the turnstile."""
        with self._lock:
            found = self._in_hand.get(request_id)
        return found is not None and found.awaits_turn

    def hangs(self, request_id: str, limit: float) -> bool:
        """Whether a request makes no progress for longer than so many seconds, or waits behind one that makes none."""
        if self.awaits_turn(request_id):
            return self.longest_silence() > limit
        return self.silence(request_id) > limit

    def ids(self) -> tuple[str, ...]:
        """The requests in hand."""
        with self._lock:
            return tuple(self._in_hand)

    def _silent(self, found: InHand) -> float:
        return 0.0 if found.awaits_turn else self._clock.monotonic() - found.progressed
