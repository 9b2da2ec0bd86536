"""The branch table decides which nodes run; the workflow runs them in order and keeps their records."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pipeline.costs import Costs
from pipeline.nodes.base import BaseNode, Done, Outcome, Redraw, Skipped
from pipeline.nodes.controlnet import ControlNet
from pipeline.nodes.image2image import Image2Image
from pipeline.nodes.postprocessing import Postprocessing
from pipeline.nodes.preprocessing import Preprocessing
from pipeline.nodes.prompting import Prompting
from pipeline.nodes.text2image import Text2Image
from pipeline.nodes.text_guard import TextGuard
from pipeline.progress import Progress
from pipeline.reference import ReferenceImage
from pipeline.state import State
from pipeline.turn_policy import Choice, Waiting
from pipeline.turnstile import Turn, Turnstile
from pipeline.workflow import BRANCHES, MAX_REDRAWS, Branch, Workflow, extended
from store.errors import CheckpointMissing, NodeFailed, ShuttingDown, WorkflowBroken
from store.manifest import NodeRecord
from tests.clock import FakeClock
from tests.pipeline.samples import asked, exact_size, plain_style, sampled, studio

Run = Callable[[State, Progress], Any]
SHIPPED = (Prompting, Preprocessing, ControlNet, Text2Image, Image2Image, TextGuard, Postprocessing)


A_TURNSTILE = Turnstile(FakeClock(), Costs())


class RecordingTurnstile:
    """Lets everybody pass and remembers what happened in and between the turns."""

    def __init__(self, story: list[str]) -> None:
        self._story = story

    @contextmanager
    def turn(self, checkpoint: str) -> Iterator[Turn]:
        self._story.append("[turn")
        waiting = Waiting(checkpoint=checkpoint, since=0.0)
        try:
            yield Turn(choice=Choice(waiting=waiting, reason="alone", run=0, quantum=2), waited=0.0)
        finally:
            self._story.append("]")


class ClosedTurnstile:
    """Sends everybody away."""

    @contextmanager
    def turn(self, checkpoint: str) -> Iterator[Turn]:
        raise ShuttingDown
        yield


class ProgressThatStops(Progress):
    """Wants the drawing to end at its first step."""

    def step(self, node: str, step: int, steps: int) -> None:
        raise ShuttingDown


def hand_on(state: State, progress: Progress) -> Done:
    return Done(state=state)


def a_node(
    name: str, run: Run = hand_on, *, needs: tuple[str, ...] = (), makes: tuple[str, ...] = (), draws: bool = False
) -> BaseNode:
    body = {"name": name, "needs": needs, "makes": makes, "draws": draws}
    kind = type(name, (BaseNode,), {**body, "run": lambda self, state, progress: run(state, progress)})
    node: BaseNode = kind(studio(clock=CLOCK))
    return node


CLOCK = FakeClock()


def workflow_of(*nodes: BaseNode, story: list[str] | None = None) -> Workflow:
    """One branch with these nodes, behind one that makes the style and the numbers."""
    first = a_node("deciding", decide, makes=("style", "sampling"))
    branch = Branch(name="only", trigger=None, nodes=("deciding", *(node.name for node in nodes)))
    turnstile = RecordingTurnstile([] if story is None else story)
    return Workflow([branch], {node.name: node for node in (first, *nodes)}, turnstile)


def decide(state: State, progress: Progress) -> Done:
    sampling = sampled(exact_size(64, 64), seeds=(10, 11))
    return Done(state=replace(state, style=plain_style(), sampling=sampling))


def fresh(**fields: Any) -> State:
    return State(request=asked(), seed=1, **fields)


def records_of(*nodes: BaseNode) -> tuple[NodeRecord, ...]:
    """The records of these nodes, however they end."""
    progress = Progress()
    with suppress(NodeFailed):
        workflow_of(*nodes).run(fresh(), progress)
    return progress.records[1:]


def test_the_branch_table() -> None:
    assert {branch.name: (branch.trigger, branch.nodes) for branch in BRANCHES} == {
        "image2image": (
            "reference",
            ("prompting", "preprocessing", "controlnet", "image2image", "text_guard", "postprocessing"),
        ),
        "text2image": (None, ("prompting", "text2image", "text_guard", "postprocessing")),
    }
    assert [branch.name for branch in BRANCHES] == ["image2image", "text2image"]


def test_the_shipped_nodes_fit_the_branch_table() -> None:
    workflow = Workflow(BRANCHES, {kind.name: kind(studio()) for kind in SHIPPED}, A_TURNSTILE)
    assert workflow.branch(fresh()).name == "text2image"


def test_only_the_two_drawing_nodes_use_the_gpu() -> None:
    assert [kind.name for kind in SHIPPED if kind.draws] == ["text2image", "image2image"]


@pytest.mark.parametrize(
    "fields",
    [{}, {"strength": 1.0}, {"controlnet_scale": 2}, {"reference_mode": "structure"}, {"reference_image": "cat.png"}],
    ids=str,
)
def test_the_branch_depends_on_the_presence_of_a_reference_alone(fields: dict[str, Any]) -> None:
    workflow = Workflow(BRANCHES, {kind.name: kind(studio()) for kind in SHIPPED}, A_TURNSTILE)
    state = State(request=asked(**fields), seed=1)
    assert workflow.branch(state).name == "text2image"
    assert workflow.branch(replace(state, reference=ReferenceImage.of(b"", ""))).name == "image2image"


def test_the_first_branch_whose_trigger_is_present_is_taken() -> None:
    branches = [Branch(name=name, trigger=name, nodes=()) for name in ("images", "reference", "request")]
    workflow = Workflow([*branches, Branch(name="else", trigger=None, nodes=())], {}, A_TURNSTILE)
    assert workflow.branch(fresh(images=None)).name == "request"
    assert workflow.branch(fresh(images=())).name == "images"


def test_an_unknown_node_is_refused_with_those_there_are() -> None:
    branch = Branch(name="broken", trigger=None, nodes=("a", "missing"))
    with pytest.raises(WorkflowBroken, match="branch broken: there is no node 'missing'; known nodes: a, b"):
        Workflow([branch], {"a": a_node("a"), "b": a_node("b")}, A_TURNSTILE)


def test_a_node_that_needs_what_no_earlier_node_makes_is_refused() -> None:
    nodes = {
        "reads": a_node("reads", needs=("seed", "prompt", "pictures")),
        "writes": a_node("writes", makes=("prompt",)),
    }
    branch = Branch(name="broken", trigger=None, nodes=("writes", "reads"))
    with pytest.raises(WorkflowBroken, match="branch broken: the node 'reads' needs pictures, which no earlier node"):
        Workflow([branch], nodes, A_TURNSTILE)


def test_a_node_that_makes_something_only_later_does_not_help() -> None:
    nodes = {"reads": a_node("reads", needs=("prompt",)), "writes": a_node("writes", makes=("prompt",))}
    branch = Branch(name="broken", trigger=None, nodes=("first", "reads", "writes"))
    with pytest.raises(WorkflowBroken, match="'reads' needs prompt"):
        Workflow([branch], {"first": a_node("first"), **nodes}, A_TURNSTILE)


def test_a_drawing_node_before_the_style_is_known_is_refused() -> None:
    branch = Branch(name="broken", trigger=None, nodes=("draws",))
    with pytest.raises(WorkflowBroken, match="the node 'draws' needs style"):
        Workflow([branch], {"draws": a_node("draws", draws=True)}, A_TURNSTILE)


def test_every_branch_is_checked_not_only_the_first() -> None:
    branches = [Branch(name="good", trigger="reference", nodes=()), Branch(name="bad", trigger=None, nodes=("x",))]
    with pytest.raises(WorkflowBroken, match="branch bad"):
        Workflow(branches, {}, A_TURNSTILE)


@pytest.mark.parametrize(
    ("addition", "nodes"),
    [
        ("sepia before text2image", ("prompting", "sepia", "text2image", "text_guard", "postprocessing")),
        ("sepia after text2image", ("prompting", "text2image", "sepia", "text_guard", "postprocessing")),
        ("sepia instead-of text2image", ("prompting", "sepia", "text_guard", "postprocessing")),
        ("sepia instead of text2image", ("prompting", "sepia", "text_guard", "postprocessing")),
        ("  my-node_2\tafter   text2image ", ("prompting", "text2image", "my-node_2", "text_guard", "postprocessing")),
    ],
)
def test_a_node_joins_where_the_configuration_says(addition: str, nodes: tuple[str, ...]) -> None:
    image2image, text2image = extended(BRANCHES, [addition])
    assert text2image.nodes == nodes
    assert image2image == BRANCHES[0]


def test_a_node_joins_every_branch_that_has_its_anchor() -> None:
    assert [branch.nodes[-2:] for branch in extended(BRANCHES, ["sepia before postprocessing"])] == [
        ("sepia", "postprocessing"),
        ("sepia", "postprocessing"),
    ]


def test_an_added_node_may_be_the_anchor_of_the_next() -> None:
    _, text2image = extended(BRANCHES, ["a after text2image", "b after a"])
    assert text2image.nodes == ("prompting", "text2image", "a", "b", "text_guard", "postprocessing")


def test_without_additions_the_branches_stay_as_they_are() -> None:
    assert extended(BRANCHES, []) == BRANCHES


@pytest.mark.parametrize(
    "addition", ["", "sepia", "sepia text2image", "sepia behind text2image", "a b after c", "a after"]
)
def test_an_addition_that_cannot_be_read_is_refused_with_its_grammar(addition: str) -> None:
    with pytest.raises(WorkflowBroken, match=r"extra_nodes: found .*; allowed: 'NODE after ANCHOR', 'NODE before"):
        extended(BRANCHES, [addition])


def test_an_addition_beside_a_node_that_stands_nowhere_is_refused() -> None:
    with pytest.raises(WorkflowBroken, match="'a after nowhere': no branch has a node 'nowhere'"):
        extended(BRANCHES, ["a after nowhere"])


def test_the_nodes_run_in_order_and_hand_the_state_on() -> None:
    def add(word: str) -> Run:
        return lambda state, progress: Done(state=state.warn(word))

    done = workflow_of(a_node("a", add("first")), a_node("b", add("second"))).run(fresh(), Progress())
    assert done.warnings == ("first", "second")


def test_a_warning_is_given_once() -> None:
    assert fresh().warn("a", "b").warn("b", "c", "a").warnings == ("a", "b", "c")


def test_a_run_that_succeeds_is_recorded_with_time_and_detail() -> None:
    def take_a_while(state: State, progress: Progress) -> Done:
        CLOCK.advance(2.5)
        return Done(state=state, detail={"found": [1, "two"]})

    began = CLOCK.now()
    assert records_of(a_node("slow", take_a_while), a_node("fast")) == (
        NodeRecord(name="slow", status="succeeded", started_at=began, seconds=2.5, detail={"found": [1, "two"]}),
        NodeRecord(name="fast", status="succeeded", started_at=began + timedelta(seconds=2.5), seconds=0),
    )


def test_a_run_that_skips_is_recorded_with_its_reason_and_changes_nothing() -> None:
    progress = Progress()
    skipping = a_node("idle", lambda state, progress: Skipped(reason="nothing to do"))
    done = workflow_of(skipping, a_node("next")).run(fresh(), progress)
    assert [(record.name, record.status, record.detail) for record in progress.records[1:]] == [
        ("idle", "skipped", {"reason": "nothing to do"}),
        ("next", "succeeded", {}),
    ]
    assert done == workflow_of().run(fresh(), Progress())


def test_a_run_that_fails_is_recorded_and_ends_the_drawing() -> None:
    def fail_after_a_while(state: State, progress: Progress) -> Outcome:
        CLOCK.advance(1.25)
        raise CheckpointMissing("anime is not here")

    progress, never = Progress(), a_node("never")
    with pytest.raises(CheckpointMissing, match="anime is not here"):
        workflow_of(a_node("broken", fail_after_a_while), never).run(fresh(), progress)
    record = progress.records[-1]
    assert (record.name, record.status, record.seconds) == ("broken", "failed", 1.25)
    assert record.detail == {"code": "checkpoint_missing", "message": "anime is not here"}


def test_an_exception_from_elsewhere_becomes_ours_with_the_nodes_name() -> None:
    def divide(state: State, progress: Progress) -> Outcome:
        raise ZeroDivisionError("by nought")

    progress = Progress()
    with pytest.raises(NodeFailed, match=r"the node 'broken' failed: ZeroDivisionError\('by nought'\)") as caught:
        workflow_of(a_node("broken", divide)).run(fresh(), progress)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert progress.records[-1].status == "failed"
    assert progress.records[-1].detail == {"code": "node_failed", "message": "ZeroDivisionError('by nought')"}


def test_a_node_that_forgets_to_return_has_failed() -> None:
    (record,) = records_of(a_node("forgetful", lambda state, progress: None))
    assert (record.name, record.status) == ("forgetful", "failed")
    assert "must return Done, Skipped or Redraw" in str(record.detail["message"])


def test_a_node_whose_detail_is_no_json_has_failed() -> None:
    (record,) = records_of(a_node("chatty", lambda state, progress: Done(state=state, detail={"what": object()})))
    assert (record.name, record.status, record.detail["code"]) == ("chatty", "failed", "node_failed")


def test_what_progress_raises_at_a_step_ends_the_node() -> None:
    def draw(state: State, progress: Progress) -> Done:
        progress.step("draw", 1, 2)
        return Done(state=state)

    progress = ProgressThatStops()
    with pytest.raises(ShuttingDown):
        workflow_of(a_node("draw", draw, draws=True)).run(fresh(), progress)
    assert progress.records[-1].detail["code"] == "shutting_down"


def test_drawing_nodes_run_in_the_turn_of_their_style_and_the_others_outside() -> None:
    story: list[str] = []

    def tell(name: str) -> Run:
        def run(state: State, progress: Progress) -> Done:
            story.append(name)
            return Done(state=state)

        return run

    nodes = [a_node(name, tell(name), draws=name.startswith("draw")) for name in ("before", "draw1", "draw2", "after")]
    workflow_of(*nodes, story=story).run(fresh(), Progress())
    assert story == ["before", "[turn", "draw1", "]", "[turn", "draw2", "]", "after"]


def test_a_drawing_node_that_fails_leaves_its_turn() -> None:
    def fail(state: State, progress: Progress) -> Outcome:
        raise ValueError

    story: list[str] = []
    with pytest.raises(NodeFailed):
        workflow_of(a_node("draw", fail, draws=True), story=story).run(fresh(), Progress())
    assert story == ["[turn", "]"]


def test_who_is_sent_away_at_the_turnstile_has_not_run() -> None:
    nodes = {"decide": a_node("decide", decide, makes=("style",)), "draw": a_node("draw", draws=True)}
    workflow = Workflow([Branch(name="b", trigger=None, nodes=("decide", "draw"))], nodes, ClosedTurnstile())
    progress = Progress()
    with pytest.raises(ShuttingDown):
        workflow.run(fresh(), progress)
    assert [record.name for record in progress.records] == ["decide"]


class Guard:
    """Asks for a redraw the first so many times, with a new seed each time; remembers what it saw."""

    def __init__(self, times: int, first: int = 1000) -> None:
        self._seeds = [first * (index + 1) for index in range(times)]
        self.seen: list[tuple[int, tuple[int, ...]]] = []

    def __call__(self, state: State, progress: Progress) -> Outcome:
        self.seen.append((state.redraws_left, state.sampling.seeds))
        if self._seeds:
            return Redraw(seed=self._seeds.pop(0), detail={"words": 3})
        return Done(state=state)


def guarded(times: int) -> tuple[Guard, tuple[NodeRecord, ...]]:
    guard, progress = Guard(times), Progress()
    nodes = [a_node("before"), a_node("draw", draws=True), a_node("between"), a_node("guard", guard), a_node("after")]
    workflow_of(*nodes).run(fresh(), progress)
    return guard, progress.records[2:]


def test_a_redraw_repeats_from_the_first_drawing_node_with_other_seeds() -> None:
    guard, records = guarded(times=1)
    assert [record.name for record in records] == ["draw", "between", "guard", "draw", "between", "guard", "after"]
    assert guard.seen == [(2, (10, 11)), (1, (1000, 1001))]
    assert records[2].status == "succeeded"
    assert records[2].detail == {"words": 3, "redraw_seed": 1000}


def test_a_redraw_may_hand_on_a_state_and_ask_for_fewer_pictures() -> None:
    def once(state: State, progress: Progress) -> Outcome:
        if state.redraws_left == MAX_REDRAWS:
            fewer = replace(state.warn("seen"), sampling=replace(state.sampling, seeds=(11,)))
            return Redraw(seed=1000, state=fewer)
        return Done(state=state)

    done = workflow_of(a_node("draw", draws=True), a_node("guard", once)).run(fresh(), Progress())
    assert (done.sampling.seeds, done.warnings, done.redraws_left) == ((1000,), ("seen",), 1)


def test_a_third_redraw_is_ignored_and_the_drawing_goes_on() -> None:
    guard, records = guarded(times=3)
    assert MAX_REDRAWS == 2
    assert guard.seen == [(2, (10, 11)), (1, (1000, 1001)), (0, (2000, 2001))]
    assert [record.name for record in records].count("draw") == 3
    assert [record.name for record in records][-2:] == ["guard", "after"]


def test_seeds_of_a_redraw_begin_again_at_0_after_the_largest() -> None:
    guard = Guard(1, first=2**32 - 1)
    workflow_of(a_node("draw", draws=True), a_node("guard", guard)).run(fresh(), Progress())
    assert guard.seen[-1] == (1, (2**32 - 1, 0))


def test_every_run_has_its_own_redraws() -> None:
    guard = Guard(2)
    workflow = workflow_of(a_node("draw", draws=True), a_node("guard", guard))
    workflow.run(fresh(), Progress())
    workflow.run(fresh(), Progress())
    assert [left for left, _ in guard.seen] == [2, 1, 0, 2]


def test_a_node_may_not_ask_for_a_redraw_before_anything_is_drawn() -> None:
    hasty = a_node("hasty", Guard(1))
    with pytest.raises(WorkflowBroken, match="the node 'hasty' asks for a redraw before anything is drawn"):
        workflow_of(hasty, a_node("draw", draws=True)).run(fresh(), Progress())


def test_a_branch_that_ends_without_what_a_result_needs_is_refused() -> None:
    with pytest.raises(WorkflowBroken, match="no node makes images, and a result needs it"):
        Workflow([Branch(name="only", trigger=None, nodes=())], {}, None, ("images",))  # type: ignore[arg-type]
