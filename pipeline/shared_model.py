"""A model that all checkpoints share: loaded on first use and kept, until its own files change or it has to go."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from pipeline.descriptions import digest_of_descriptions
from pipeline.weights import Located
from store.digest import Digest
from store.manifest import WeightsRecord

T = TypeVar("T")


class SharedModel(Generic[T]):
    """The VAE, or the ControlNet; safe to ask from several threads."""

    def __init__(self, locate: Callable[[], Located], load: Callable[[Located], T]) -> None:
        self._locate = locate
        self._load = load
        self._lock = threading.Lock()
        self._loaded: tuple[Located, Digest, T] | None = None

    def get(self) -> tuple[T, WeightsRecord]:
        """The model and which weights it has; raises CheckpointMissing or CheckpointBroken.

        Its files are looked at each time and read when somebody has replaced or edited them.
        """
        with self._lock:
            located = self._locate()
            described = digest_of_descriptions(located)
            if self._loaded is None or self._loaded[:2] != (located, described):
                # the old one goes first: there may be no room for both
                self._loaded = None
                self._loaded = located, described, self._load(located)
            return self._loaded[2], located.record

    def let_go(self) -> T | None:
        """The model, if it is loaded, which the next `get` loads anew; the caller frees its storage."""
        with self._lock:
            loaded, self._loaded = self._loaded, None
            return None if loaded is None else loaded[2]
