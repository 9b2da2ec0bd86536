"""The node that looks for lettering in what was drawn."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import ClassVar

from pydantic import JsonValue

from pipeline.lettering import DetectorFailed, find_lettering, missing
from pipeline.nodes.base import BaseNode, Done, Outcome, Redraw, Skipped
from pipeline.progress import Progress
from pipeline.state import Candidate, State
from store.digest import Digest


class TextGuard(BaseNode):
    """Report lettering in the pictures, or have them drawn again and keep those with the least of it.

    Nothing it finds, and nothing that goes wrong with it, fails a drawing: some alarms are false ones.
    """

    name: ClassVar[str] = "text_guard"
    needs: ClassVar[tuple[str, ...]] = ("sampling", "pictures")
    makes: ClassVar[tuple[str, ...]] = ("sampling", "pictures")

    def run(self, state: State, progress: Progress) -> Outcome:
        """Look at each picture; under the policy retry, those with lettering are drawn again while redraws are left."""
        policy = self.studio.config.text_guard
        if policy == "off":
            return Skipped(reason="drawing.text_guard is off")
        if reason := missing():
            return Skipped(reason=reason)
        try:
            best = tuple(_best(state))
        except DetectorFailed as error:
            return _unseen(state, policy, error)
        if policy == "retry" and state.redraws_left and _with_lettering(best):
            return _redraw(state, best)
        return _kept(state, policy, best)


def _best(state: State) -> Iterator[Candidate]:
    """For each position the picture with the least lettering so far; the state's pictures are the latest try."""
    tries = (
        Candidate(picture=picture, seed=seed, boxes=find_lettering(picture))
        for picture, seed in zip(state.pictures, state.sampling.seeds, strict=True)
    )
    if not state.candidates:
        yield from tries
    for candidate in state.candidates:
        # only positions with lettering were drawn again; of equals the first stays
        yield min(candidate, next(tries), key=lambda one: one.share) if candidate.boxes else candidate


def _with_lettering(candidates: Iterable[Candidate]) -> list[Candidate]:
    return [candidate for candidate in candidates if candidate.boxes]


def _redraw(state: State, best: tuple[Candidate, ...]) -> Redraw:
    again = _with_lettering(best)
    first = again[0]
    word = f"{first.seed} {Digest.of(first.picture.tobytes())} {state.redraws_left}"
    # the workflow draws as many pictures as there are seeds
    sampling = replace(state.sampling, seeds=tuple(candidate.seed for candidate in again))
    return Redraw(
        seed=int(Digest.of(word.encode())[:8], 16),
        state=replace(state, candidates=best, sampling=sampling),
        detail={"policy": "retry", "decision": "redraw", "images": _told(best)},
    )


def _kept(state: State, policy: str, best: tuple[Candidate, ...]) -> Done:
    warnings = [
        f"images[{index}]: it looks as if there were lettering in the picture"
        f" ({len(candidate.boxes)} places, {candidate.share:.1%} of its area)"
        for index, candidate in enumerate(best)
        if candidate.boxes
    ]
    decision = "lettering remains" if warnings else "no lettering"
    detail: dict[str, JsonValue] = {"policy": policy, "decision": decision, "images": _told(best)}
    return Done(state=_with_pictures(state.warn(*warnings), best), detail=detail)


def _unseen(state: State, policy: str, error: DetectorFailed) -> Done:
    warned = replace(state.warn(f"the text guard could not look at the pictures: {error}"), hindered=True)
    detail: dict[str, JsonValue] = {"policy": policy, "decision": "not looked at", "error": str(error)}
    if not state.candidates:
        return Done(state=warned, detail=detail)
    return Done(state=_with_pictures(warned, state.candidates), detail={**detail, "images": _told(state.candidates)})


def _with_pictures(state: State, best: tuple[Candidate, ...]) -> State:
    """The best pictures with the seeds that drew them."""
    return replace(
        state,
        pictures=tuple(candidate.picture for candidate in best),
        sampling=replace(state.sampling, seeds=tuple(candidate.seed for candidate in best)),
        candidates=(),
    )


def _told(candidates: Iterable[Candidate]) -> list[JsonValue]:
    return [
        {"seed": candidate.seed, "share": round(candidate.share, 6), "boxes": [box.detail() for box in candidate.boxes]}
        for candidate in candidates
    ]
