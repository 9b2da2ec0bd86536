"""One request's question whether its pictures exist already, and what may be remembered of the answer."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from pipeline.drawing import Drawing
from pipeline.state import State
from store.digest import Digest
from store.hints import Remembered
from store.manifest import ModelsRecord

_WHOLE = "whole"
Recall = Callable[[Digest], Remembered | None]


class TakesFingerprints(Protocol):
    """Whoever knows what moves a pixel."""

    def of(self, state: State) -> Digest | None:
        """The fingerprint of a decided state, or None where nothing is to be remembered."""

    def drew(self, models: ModelsRecord, state: State) -> bool:
        """Whether these weights are the ones that a fingerprint taken now speaks of."""


def never(fingerprint: Digest) -> None:
    """Remember nothing."""


@dataclass(slots=True)
class Recollection:
    """Asked once by the workflow; afterwards it tells the drawing what it found."""

    _fingerprints: TakesFingerprints
    _recall: Recall
    _decided: State | None = None
    _fingerprint: Digest | None = None
    _cached: bool = False

    def __call__(self, state: State) -> State | None:
        """The finished state, where the pictures of an equal request are remembered."""
        self._decided, self._fingerprint = state, self._fingerprints.of(state)
        remembered = None if self._fingerprint is None else self._recall(self._fingerprint)
        if remembered is None or not _fits(remembered, state):
            return None
        self._cached = True
        return _recalled(state, remembered)

    def told(self, drawing: Drawing) -> Drawing:
        """The drawing with its fingerprint, if its pictures may be remembered under it."""
        decided = self._decided
        if decided is None or not self._holds(drawing, decided):
            return drawing
        said = tuple(warning for warning in drawing.warnings if warning not in decided.warnings)
        return replace(drawing, cached=self._cached, fingerprint=self._fingerprint, drawing_warnings=said)

    def _holds(self, drawing: Drawing, decided: State) -> bool:
        """Whether the fingerprint still speaks of what drew: weights may have been replaced meanwhile."""
        if self._fingerprint is None or self._cached:
            return self._fingerprint is not None
        if drawing.hindered or set(drawing.sampling.decoded) - {_WHOLE}:
            # without the fault, with more memory, or in another precision, it would look a little different
            return False
        return self._fingerprints.drew(drawing.models, decided) and self._fingerprints.of(decided) == self._fingerprint


def _fits(remembered: Remembered, state: State) -> bool:
    sampling = state.sampling
    asked = (sampling.size.width, sampling.size.height, sampling.output_format)
    found = {(image.width, image.height, image.format) for image in remembered.images}
    return len(remembered.images) == len(sampling.seeds) and found == {asked}


def _recalled(state: State, remembered: Remembered) -> State:
    seeds = tuple(image.seed for image in remembered.images)
    return replace(
        state.warn(*remembered.warnings),
        images=remembered.images,
        models=remembered.models,
        # no others are remembered
        decoded=(_WHOLE,),
        prompt=state.prompt.model_copy(update={"tokens": remembered.tokens}),
        sampling=replace(state.sampling, seeds=seeds),
    )
