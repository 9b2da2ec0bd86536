"""The ear of one lane: asks its queue in a thread of its own, for one message at a time."""

import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.clock import Clock
from store.errors import ServiceError
from watcher.listening import Listening
from watcher.message import Message, Queue

_FIRST_SECONDS = 15
_log = logging.getLogger("imagegen.queue")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the queue answered: a message, nothing, or that it cannot be used."""

    message: Message | None = None
    problem: str | None = None


class Ear:
    """Hears one message for each time it is asked to listen.

    The thread is left behind when the service stops, because an answer may take 20 seconds.  A server may hand a
    message to a poll whose process has ended: it is out of sight for a short while only, until we have it.
    """

    def __init__(
        self,
        lane: str,
        queue: Queue,
        listening: Listening,
        visibility: int,
        ring: Callable[[], None],
        clock: Clock,
    ) -> None:
        """Ring is called when there is an answer."""
        self._lane = lane
        self._queue = queue
        self._listening = listening
        self._visibility = visibility
        self._ring = ring
        self._clock = clock
        self._changed = threading.Condition()
        self._wanted: int | None = None
        self._is_busy = False
        self._heard: Heard | None = None
        self._is_closed = False
        self._thread = threading.Thread(target=self._listen, name="ear", daemon=True)

    def start(self) -> None:
        """Be ready to listen."""
        self._thread.start()

    def listen(self, longest: int) -> None:
        """Ask the queue, for at most so many seconds, unless that is being done or there is an answer to take."""
        with self._changed:
            if not self._is_busy:
                self._wanted, self._is_busy = longest, True
                self._changed.notify_all()

    def take(self) -> Heard | None:
        """The answer, once; `settle` is due when what it brought has been looked at."""
        with self._changed:
            heard, self._heard = self._heard, None
            return heard

    def settle(self, heard: Heard) -> None:
        """What was heard has been looked at; the ear can listen again."""
        self._listening.end(self._lane, found=heard.message is not None)
        with self._changed:
            self._is_busy = False

    def close(self) -> Message | None:
        """Listen no more; a message that nobody has taken yet is returned."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._listening.poke()
        heard = self.take()
        return None if heard is None else heard.message

    def _listen(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed or self._wanted is not None)
                longest, self._wanted = self._wanted, None
            seconds = None if longest is None else self._listening.begin(self._lane, longest, self._is_over)
            if seconds is None:
                return
            self._tell(self._ask(seconds))

    def _is_over(self) -> bool:
        return self._is_closed

    def _ask(self, seconds: int) -> Heard:
        began = self._clock.monotonic()
        try:
            message = self._queue.receive(seconds, min(self._visibility, _FIRST_SECONDS))
            if message is None:
                # a server that knows no long polls would be asked without end
                self._rest(began + seconds - self._clock.monotonic())
            return Heard(message=message)
        except ServiceError as error:
            return Heard(problem=error.message)
        except Exception as bug:
            _log.exception("asking the queue met a bug", extra={"action": "bug"})
            return Heard(problem=f"a bug of the service, see its log ({type(bug).__name__})")

    def _rest(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(self._is_over, max(seconds, 0.0))

    def _tell(self, heard: Heard) -> None:
        self._extend(heard, self._visibility)
        with self._changed:
            is_late = self._is_closed
            if not is_late:
                self._heard = heard
        if is_late:
            self._extend(heard, 0)
        else:
            self._ring()

    def _extend(self, heard: Heard, seconds: int) -> None:
        if heard.message is not None:
            # where that fails, somebody else sees it soon
            with contextlib.suppress(ServiceError):
                self._queue.extend(heard.message, seconds)
