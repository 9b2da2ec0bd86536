"""How a drawing is going: which node, which step, and what is done."""

import threading

from store.manifest import NodeRecord


class Progress:
    """Collects the records of one drawing; a subclass may show them or stop the drawing.

    Nodes call it from the thread that draws.  What `step` raises ends the drawing at that step.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: list[NodeRecord] = []

    @property
    def records(self) -> tuple[NodeRecord, ...]:
        """The nodes that have ended, in order."""
        with self._lock:
            return tuple(self._records)

    def await_turn(self, node: str) -> None:
        """A drawing node waits at the turnstile; its `begin` follows when its turn has come."""

    def begin(self, node: str) -> None:
        """A node starts."""

    def step(self, node: str, step: int, steps: int) -> None:
        """A drawing node finished denoising step `step` of `steps`, over all images."""

    def end(self, record: NodeRecord) -> None:
        """A node has ended, well or not."""
        with self._lock:
            self._records.append(record)
