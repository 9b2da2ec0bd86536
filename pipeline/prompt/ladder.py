"""Asks a language model in the ways its server may understand, strictest first, and in time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from pipeline.clock import Clock
from pipeline.prompt.deadline import Deadline
from pipeline.prompt.exchange import Failure, Mode, Reply, Said
from pipeline.prompt.instructions import messages
from pipeline.prompt.llm import ChatServer

_PAUSE: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Climb:
    """How asking went: the last result, in which mode, after how many calls."""

    result: Reply | Failure
    mode: Mode
    calls: int


class Ladder:
    """json_schema, then json_object: for a server that refuses the first, or answers it with no answer.

    There are two calls at most, three if the first failed in passing and was repeated.  It is repeated
    only if its turn comes before the deadline: a retry-after beyond it is not waited for.  A server
    found not to know json_schema is not asked for it again.
    """

    def __init__(
        self,
        server: ChatServer,
        clock: Clock,
        sleep: Callable[[float], None],
        *,
        timeout_seconds: float,
        deadline_seconds: float,
    ) -> None:
        self._server = server
        self._clock = clock
        self._sleep = sleep
        self._timeout = timeout_seconds
        self._deadline = deadline_seconds
        self._first: Mode = "json_schema"

    def climb(self, said: Said) -> Climb:
        """Ask about what was said; returns within the deadline."""
        deadline = Deadline(self._clock, self._deadline)
        strict = self._first == "json_schema"
        climb = self._ask(said, self._first, deadline, may_repeat=True)
        if not strict or not isinstance(climb.result, Failure) or deadline.left() <= 0:
            return climb
        if (why := climb.result.reason) not in ("bad_request", "invalid"):
            return climb
        second = self._ask(said, "json_object", deadline, may_repeat=climb.calls == 1)
        if why == "bad_request" and isinstance(second.result, Reply):
            self._first = "json_object"
        return replace(second, calls=climb.calls + second.calls)

    def _ask(self, said: Said, mode: Mode, deadline: Deadline, *, may_repeat: bool) -> Climb:
        """One call; another if that failed in passing and one may be repeated."""
        result = self._call(said, mode, deadline)
        if may_repeat and isinstance(result, Failure) and self._waits(result, deadline):
            return Climb(result=self._call(said, mode, deadline), mode=mode, calls=2)
        return Climb(result=result, mode=mode, calls=1)

    def _call(self, said: Said, mode: Mode, deadline: Deadline) -> Reply | Failure:
        return self._server.ask(messages(said, mode), mode, min(self._timeout, deadline.left()))

    def _waits(self, failure: Failure, deadline: Deadline) -> bool:
        """Wait until the call can be made again; False if that is not before the deadline."""
        pause = _PAUSE if failure.retry_after is None else failure.retry_after
        if not failure.transient or pause >= deadline.left():
            return False
        self._sleep(pause)
        return True
