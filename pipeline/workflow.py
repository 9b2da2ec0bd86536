"""The branches as a table, and the loop that walks one of them."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from pipeline.nodes.base import BaseNode, Done, Outcome, Redraw
from pipeline.progress import Progress
from pipeline.state import State
from pipeline.styles import weights_of
from pipeline.turnstile import Turn
from store.errors import WorkflowBroken

MAX_REDRAWS = 2
_GIVEN = ("request", "seed", "reference", "redraws_left", "warnings")
_DECIDED = ("style", "prompt", "sampling")
_ADDITION = re.compile(r"\s*(?P<node>[\w-]+)\s+(?P<where>before|after|instead[- ]of)\s+(?P<anchor>[\w-]+)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A branch: the State field whose presence chooses it (None: always), and its nodes in order."""

    name: str
    trigger: str | None
    nodes: tuple[str, ...]


# the first branch whose trigger is present is taken; only presence counts, never a value
BRANCHES = (
    Branch(
        name="image2image",
        trigger="reference",
        nodes=("prompting", "preprocessing", "controlnet", "image2image", "text_guard", "postprocessing"),
    ),
    Branch(name="text2image", trigger=None, nodes=("prompting", "text2image", "text_guard", "postprocessing")),
)


class Turns(Protocol):
    """Whoever draws waits here for its turn."""

    def turn(self, checkpoint: str) -> AbstractContextManager[Turn]:
        """Hold the GPU for one drawing with this checkpoint."""


def _forgets(state: State) -> None:
    """Remember no pictures."""


class Workflow:
    """Chooses the branch and runs its nodes one after the other."""

    def __init__(
        self,
        branches: Sequence[Branch],
        nodes: Mapping[str, BaseNode],
        turnstile: Turns,
        result: Sequence[str] = (),
    ) -> None:
        """Raises WorkflowBroken if a node is unknown, or needs what no earlier node makes.

        result: the State fields that every branch must have made at its end.
        """
        self._branches = tuple(branches)
        self._nodes = nodes
        self._turnstile = turnstile
        self._drawing_thread = ThreadPoolExecutor(1, thread_name_prefix="drawing")
        for branch in self._branches:
            _check(branch, nodes, result)

    def branch(self, state: State) -> Branch:
        """The branch this state takes."""
        return next(
            branch for branch in self._branches if branch.trigger is None or getattr(state, branch.trigger) is not None
        )

    def run(self, state: State, progress: Progress, recall: Callable[[State], State | None] = _forgets) -> State:
        """Walk the branch to its end; a Redraw goes back to the first drawing node, at most twice.

        recall is asked once, when style, words and numbers are decided: a state it gives is the end, and the nodes
        that are left are passed over.
        """
        nodes = [self._nodes[name] for name in self.branch(state).nodes]
        state = replace(state, redraws_left=MAX_REDRAWS)
        position, asked = 0, False
        while position < len(nodes):
            if not asked and _is_decided(state):
                asked, remembered = True, recall(state)
                if remembered is not None:
                    return _passed_over(nodes[position:], remembered, progress)
            node = nodes[position]
            outcome = self._pass(node, state, progress)
            position += 1
            match outcome:
                case Done():
                    state = outcome.state
                case Redraw(seed=seed) if state.redraws_left:
                    position = _first_drawing(nodes[:position])
                    state = _with_seed(outcome.state or state, seed)
        return state

    def _pass(self, node: BaseNode, state: State, progress: Progress) -> Outcome:
        if not node.draws:
            return node(state, progress)
        progress.await_turn(node.name)
        with self._turnstile.turn(weights_of(state.style)) as turn:
            # always in one thread: where a second thread called torch as well, a drawing took about twice as
            # long (docs/performance.md)
            return self._drawing_thread.submit(node, state, progress, {"turn": turn.detail()}).result()


def extended(branches: Iterable[Branch], additions: Iterable[str]) -> tuple[Branch, ...]:
    """The branches with nodes joined in, each addition as "NODE after|before|instead-of ANCHOR".

    Raises WorkflowBroken if an addition cannot be read or its anchor stands in no branch.
    """
    changed = tuple(branches)
    for addition in additions:
        match = _ADDITION.fullmatch(addition)
        if match is None:
            raise WorkflowBroken(
                f"extra_nodes: found {addition!r}; allowed: 'NODE after ANCHOR', 'NODE before ANCHOR'"
                " or 'NODE instead-of ANCHOR'"
            )
        if not any(match["anchor"] in branch.nodes for branch in changed):
            raise WorkflowBroken(f"extra_nodes: {addition!r}: no branch has a node {match['anchor']!r}")
        changed = tuple(replace(branch, nodes=tuple(_joined(branch, **match.groupdict()))) for branch in changed)
    return changed


def _joined(branch: Branch, node: str, where: str, anchor: str) -> Iterator[str]:
    for name in branch.nodes:
        if name != anchor:
            yield name
        else:
            yield from {"before": (node, name), "after": (name, node)}.get(where, (node,))


def _check(branch: Branch, nodes: Mapping[str, BaseNode], result: Iterable[str]) -> None:
    available = set(_GIVEN)
    for name in branch.nodes:
        if name not in nodes:
            raise WorkflowBroken(
                f"branch {branch.name}: there is no node {name!r}; known nodes: {', '.join(sorted(nodes))}"
            )
        # who draws waits for its turn by style
        needs = (*nodes[name].needs, "style") if nodes[name].draws else nodes[name].needs
        missing = [field for field in dict.fromkeys(needs) if field not in available]
        if missing:
            raise WorkflowBroken(
                f"branch {branch.name}: the node {name!r} needs {', '.join(missing)}, which no earlier node makes"
            )
        available.update(nodes[name].makes)
    if lacking := [field for field in result if field not in available]:
        raise WorkflowBroken(f"branch {branch.name}: no node makes {', '.join(lacking)}, and a result needs it")


def _is_decided(state: State) -> bool:
    return all(getattr(state, field) is not None for field in _DECIDED)


def _passed_over(nodes: Iterable[BaseNode], remembered: State, progress: Progress) -> State:
    for node in nodes:
        node.pass_over(progress, "the pictures of an equal request are in the outbox")
    return remembered


def _first_drawing(passed: Sequence[BaseNode]) -> int:
    for index, node in enumerate(passed):
        if node.draws:
            return index
    raise WorkflowBroken(
        f"the node {passed[-1].name!r} asks for a redraw before anything is drawn; let it stand behind a drawing node"
    )


def _with_seed(state: State, seed: int) -> State:
    seeds = tuple((seed + index) % 2**32 for index in range(len(state.sampling.seeds)))
    return replace(state, sampling=replace(state.sampling, seeds=seeds), redraws_left=state.redraws_left - 1)
