"""A studio without a GPU: real branches, turnstile and prompting over nodes that sleep instead of drawing."""

import time
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from pipeline.clock import SystemClock
from pipeline.config import DrawingConfig
from pipeline.costs import Costs
from pipeline.drawing import RESULT, Drawing, finished
from pipeline.nodes.base import BaseNode, Done, Skipped, Studio
from pipeline.nodes.postprocessing import Postprocessing
from pipeline.nodes.preprocessing import Preprocessing
from pipeline.nodes.prompting import Prompting
from pipeline.progress import Progress
from pipeline.prompt.korean import KoreanExtractor
from pipeline.recollection import Recall, never
from pipeline.reference import ReferenceImage
from pipeline.request import GenerationRequest
from pipeline.state import State
from pipeline.styles import Styles
from pipeline.turnstile import Turnstile
from pipeline.workflow import BRANCHES, Workflow
from store.digest import Digest
from store.manifest import ModelsRecord, WeightsRecord
from tests.chaos.diary import Diary

POISON = "poison"
STEP_SECONDS = 0.02
_WEIGHTS = WeightsRecord(repo="chaos/none", revision=None, sha256=Digest.of(b"chaos"))


class SleepingDrawing(BaseNode):
    """Sleeps for every step, then fills each picture with a colour of its seed; poison ends the process."""

    makes: ClassVar[tuple[str, ...]] = ("models", "pictures")
    draws: ClassVar[bool] = True

    def __init__(self, studio: Studio, diary: Diary, step_seconds: float) -> None:
        super().__init__(studio)
        self._diary = diary
        self._step_seconds = step_seconds

    def run(self, state: State, progress: Progress) -> Done:
        """Make pictures."""
        steps, size = state.sampling.steps, state.sampling.size
        for step in range(1, steps + 1):
            time.sleep(self._step_seconds)
            progress.step(self.name, step, steps)
            if POISON in state.request.metadata:
                self._diary.die(POISON, str(state.request.metadata[POISON]))
        shape = (size.drawn_height, size.drawn_width, 3)
        pictures = tuple(np.full(shape, _colour(seed), np.uint8) for seed in state.sampling.seeds)
        return Done(state=replace(state, pictures=pictures, models=ModelsRecord(checkpoint=_WEIGHTS, vae=_WEIGHTS)))


class SleepingText2Image(SleepingDrawing):
    """Plays the node that draws from words alone."""

    name: ClassVar[str] = "text2image"
    needs: ClassVar[tuple[str, ...]] = ("style", "prompt", "sampling")


class SleepingImage2Image(SleepingDrawing):
    """Plays the node that draws along a reference."""

    name: ClassVar[str] = "image2image"
    needs: ClassVar[tuple[str, ...]] = ("style", "prompt", "sampling", "init_image", "control_image")


class NoEdges(BaseNode):
    """Plays the node that finds edges, without OpenCV."""

    name: ClassVar[str] = "controlnet"
    needs: ClassVar[tuple[str, ...]] = ("init_image",)
    makes: ClassVar[tuple[str, ...]] = ("control_image",)

    def run(self, state: State, progress: Progress) -> Done:
        """Make control_image."""
        return Done(state=replace(state, control_image=Image.new("RGB", state.init_image.size)))


class NoGuard(BaseNode):
    """Plays the node that looks for lettering, without its model."""

    name: ClassVar[str] = "text_guard"
    needs: ClassVar[tuple[str, ...]] = ("sampling", "pictures")

    def run(self, state: State, progress: Progress) -> Skipped:
        """Look at nothing."""
        return Skipped(reason="chaos needs no guard")


class SleepingStudio:
    """What a worker draws with."""

    def __init__(self, config: DrawingConfig, styles: Styles, diary: Diary, step_seconds: float = STEP_SECONDS) -> None:
        no_checkpoints: Any = None
        studio = Studio(
            config=config,
            styles=styles,
            checkpoints=no_checkpoints,
            clock=SystemClock(),
            extractor=KoreanExtractor(),
        )
        kinds = (Prompting, Preprocessing, NoEdges, NoGuard, Postprocessing)
        nodes: dict[str, BaseNode] = {kind.name: kind(studio) for kind in kinds}
        nodes |= {kind.name: kind(studio, diary, step_seconds) for kind in (SleepingText2Image, SleepingImage2Image)}
        self._costs = Costs()
        self._turnstile = Turnstile(SystemClock(), self._costs)
        self._workflow = Workflow(BRANCHES, nodes, self._turnstile, RESULT)

    def draw(
        self,
        request: GenerationRequest,
        reference: ReferenceImage | None = None,
        *,
        seed: int,
        progress: Progress,
        recall: Recall = never,
    ) -> Drawing:
        """Walk the real workflow."""
        state = State(request=request, seed=seed, reference=reference)
        branch = self._workflow.branch(state).name
        done = self._workflow.run(state, progress)
        return finished(done, branch, progress.records, device="cpu", dtype="none", threads=1, profile="exact")

    def quantum(self) -> int:
        """As measured; nothing is ever swapped."""
        return self._costs.quantum()

    def close(self) -> None:
        """Send away whoever waits for a turn."""
        self._turnstile.close()


def _colour(seed: int) -> tuple[int, int, int]:
    return seed % 256, seed // 256 % 256, seed // 65536 % 256
