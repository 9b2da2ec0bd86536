"""A worker's signs of life: a beat now and then from a thread of its own, sent to whoever watches."""

import contextlib
import logging
import os
import threading
from collections.abc import Callable

from pydantic import Field

from store.manifest import Document

BEAT_SECONDS = 1.0
_MOST_NAMED = 16
_LONGEST_PROBLEM = 200
_log = logging.getLogger("imagegen.pulse")


class Beat(Document):
    """What a worker says of itself."""

    in_hand: tuple[str, ...] = Field(default=(), description="Ids of the requests in hand, at most 16 of them.")
    silence: float = Field(default=0.0, description="Seconds since the most silent of them got further.")
    problem: str | None = Field(default=None, description="What an operator should see to, in a sentence.")

    def line(self) -> bytes:
        """The beat as one line of JSON, short enough for a pipe to keep it in one piece."""
        problem = None if self.problem is None else self.problem[:_LONGEST_PROBLEM]
        short = self.model_copy(update={"in_hand": self.in_hand[:_MOST_NAMED], "problem": problem})
        return short.model_dump_json().encode() + b"\n"


class Pulse:
    """Sends a beat every so many seconds, for as long as the process runs."""

    def __init__(self, beat: Callable[[], Beat], send: Callable[[Beat], None], seconds: float) -> None:
        self._beat = beat
        self._send = send
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="pulse", daemon=True)

    def start(self) -> None:
        """Begin, with a beat at once."""
        self._thread.start()

    def stop(self) -> None:
        """End; whoever watches then hears nothing more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _keep(self) -> None:
        while not self._stop.is_set():
            try:
                self._send(self._beat())
            except Exception:
                # a thread that ended here would make a living worker look dead
                _log.exception("a sign of life could not be given", extra={"action": "pulse_failed"})
            self._stop.wait(self._seconds)


class Lifeline:
    """A worker's end of the pipe to its supervisor."""

    def __init__(self, descriptor: int, on_loss: Callable[[], None]) -> None:
        """on_loss is called once, when the supervisor is found gone; takes the descriptor over."""
        # a process that a worker starts must not hold the pipe open
        os.set_inheritable(descriptor, False)
        # a supervisor that stands still must not make its workers stand still
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._on_loss = on_loss
        self._lost = False

    def send(self, beat: Beat) -> None:
        """Tell the supervisor; what it has no room for is dropped."""
        if self._lost:
            return
        try:
            with contextlib.suppress(BlockingIOError):
                os.write(self._descriptor, beat.line())
        except BrokenPipeError:
            self._lost = True
            _log.warning("the supervisor is gone; this worker stops, too", extra={"action": "supervisor_gone"})
            self._on_loss()
