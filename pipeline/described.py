"""Checkpoints as they lie on disk, each looked at once: its parts, what goes with them, and which weights they are."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from pipeline.descriptions import digest_of_descriptions
from pipeline.loading import load_words_and_schedule
from pipeline.parts import Part, parts_of
from pipeline.styles import Style
from pipeline.weights import Located, Weights, locate
from store.digest import Digest
from store.errors import CheckpointReplaced
from store.manifest import WeightsRecord

# tokenizers of so many checkpoints, some megabytes each
_MOST = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a checkpoint is brought from; reader: equal where prompts are read alike."""

    parts: tuple[Part, ...]
    words_and_schedule: dict[str, Any]
    record: WeightsRecord
    reader: Digest


class KnownCheckpoints:
    """Those that were asked for lately; files are looked at each time and read when they have changed."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._known: OrderedDict[Hashable, Described] = OrderedDict()

    def described(self, style: Style) -> Described:
        """The style's checkpoint; raises CheckpointMissing, CheckpointBroken or CheckpointReplaced."""
        located = locate(self._weights, style)
        key = _key(located)
        if key not in self._known:
            described = _read(located)
            if _key(locate(self._weights, style)) != key:
                # its parts would be drawn with under the record of those before
                raise CheckpointReplaced(
                    f"{located.record.repo}: a file was replaced while it was looked at; the request is tried again"
                    " with what is there now"
                )
            self._known[key] = described
        self._known.move_to_end(key)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)
        return self._known[key]


def _key(located: Located) -> Hashable:
    """Equal where a checkpoint is built and recorded alike."""
    return located.path, located.config, located.variant, located.record, digest_of_descriptions(located)


def _read(located: Located) -> Described:
    parts = parts_of(located)
    encoders = [part.identity for part in parts if part.name != "unet"]
    return Described(
        parts=parts,
        words_and_schedule=load_words_and_schedule(located),
        record=located.record,
        reader=Digest.of(" ".join([*encoders, digest_of_descriptions(located)]).encode()),
    )
