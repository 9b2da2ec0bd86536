"""Remembers every manifest as it first looked."""

import threading
from types import TracebackType
from typing import Self

from store.digest import Digest
from tests.chaos.ground import Ground

_SECONDS = 0.02


class Witness:
    """Watches the results from a thread of its own for as long as the block runs."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._first: dict[str, Digest] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="witness")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    def changed(self) -> list[str]:
        """The manifests that are no longer what they were, or no longer there."""
        now = {path.name: Digest.of(path.read_bytes()) for path in self._ground.results()}
        return sorted(name for name, digest in self._first.items() if now.get(name) != digest)

    def _watch(self) -> None:
        while not self._stop.wait(_SECONDS):
            self._look()

    def _look(self) -> None:
        for path in self._ground.results():
            if path.name not in self._first:
                self._first[path.name] = Digest.of(path.read_bytes())
