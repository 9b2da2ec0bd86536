"""All lanes of a worker: each is served in a thread of its own, and what ails one does not stop the others."""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from watcher.lane import OpenLane
from watcher.rounds import Drained

_log = logging.getLogger("imagegen.lanes")


class Lanes:
    """Serves several inboxes with one window."""

    def __init__(self, lanes: Sequence[OpenLane]) -> None:
        self._lanes = tuple(lanes)
        self._failure: BaseException | None = None

    @property
    def problem(self) -> str | None:
        """What keeps a lane from starting requests just now; None if all is well."""
        return "; ".join(filter(None, (lane.served.problem for lane in self._lanes))) or None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Keep claims alive, look after what is in hand and listen to folders while the block runs."""
        with ExitStack() as stack:
            for lane in self._lanes:
                stack.callback(lane.leases.stop)
                lane.leases.start()
                stack.callback(lane.onlooker.stop)
                lane.onlooker.start()
                stack.callback(lane.doorbell.stop)
                lane.doorbell.start()
            yield

    def serve(self) -> None:
        """Serve until stopped; raises what ended a lane that was not asked to end."""
        others = [
            threading.Thread(target=self._serve, args=(lane,), name=f"lane {lane.name}") for lane in self._lanes[1:]
        ]
        for thread in others:
            thread.start()
        self._serve(self._lanes[0])
        for thread in others:
            thread.join()
        self._raise_failure()

    def drain(self) -> Drained:
        """Go round every inbox in turn until nothing more can be decided without waiting; queues are not asked.

        Raises what ended the worker.
        """
        drained = [lane.rounds.drain() for lane in self._lanes]
        self._raise_failure()
        return Drained(
            names=tuple(name for one in drained for name in one.names),
            pending=tuple(pending for one in drained for pending in one.pending),
            conflicts=tuple(conflict for one in drained for conflict in one.conflicts),
        )

    def stop(self) -> None:
        """Start nothing more."""
        for lane in self._lanes:
            lane.rounds.stop()
            if lane.listener is not None:
                lane.listener.stop()

    def fail(self, error: BaseException) -> None:
        """Start nothing more, and let `serve` or `drain` raise the error when all that is in hand is settled."""
        self._failure = self._failure or error
        self.stop()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _serve(self, lane: OpenLane) -> None:
        try:
            lane.served.serve()
        except BaseException as error:
            # a bug, or a studio that cannot be opened: the supervisor starts everything anew
            self.fail(error)
