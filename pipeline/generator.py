"""The one entry: words in, pictures out; with a reference image it draws along it."""

import functools
from pathlib import Path
from typing import Any, TypedDict, Unpack

import torch
from PIL import Image
from platformdirs import user_cache_path

from pipeline.admission import admit
from pipeline.builtin.weights import STYLE_CHANGES, BuiltinWeights
from pipeline.checkpoints import CheckpointCache
from pipeline.clock import Clock, SystemClock
from pipeline.config import DrawingConfig
from pipeline.costs import Costs
from pipeline.device import Device, choose_device
from pipeline.drawing import RESULT, Drawing, finished
from pipeline.fingerprint import Fingerprints
from pipeline.given_reference import reference_from
from pipeline.machine import arithmetic
from pipeline.memory_budget import MemoryBudget, planner_of
from pipeline.memory_plan import GIB
from pipeline.node_set import PLUGINS, nodes_for
from pipeline.nodes.base import Studio
from pipeline.pipes import scheduler_class
from pipeline.profile import prepare
from pipeline.progress import Progress
from pipeline.prompt.keywords import Extractor
from pipeline.prompt.korean import KoreanExtractor
from pipeline.recollection import Recall, Recollection, never
from pipeline.reference import ReferenceImage
from pipeline.request import AspectRatio, GenerationRequest, Purpose, ReferenceMode
from pipeline.state import State
from pipeline.styles import Styles, load_styles
from pipeline.turnstile import Turnstile
from pipeline.weights import Weights
from pipeline.workflow import BRANCHES, Workflow, extended
from store.digest import Digest
from store.errors import ReferenceMissing
from store.manifest import ImageFormat, PromptRecord

_WARM_UP_SIDE = 64


class Parameters(TypedDict, total=False):
    """What may be said besides prompt and reference; each has the meaning of the request field."""

    user_input: str
    style: str
    purpose: Purpose
    negative_prompt: str
    width: int
    height: int
    aspect_ratio: AspectRatio
    steps: int
    guidance_scale: float
    seed: int
    num_images: int
    strength: float
    controlnet_scale: float
    reference_mode: ReferenceMode
    output_format: ImageFormat
    prompt_mode: str


class Generator:
    """Draws requests; `draw` may be called from several threads, they take turns on the GPU."""

    def __init__(
        self,
        weights: Weights,
        styles: Styles,
        config: DrawingConfig,
        clock: Clock | None = None,
        extractor: Extractor | None = None,
    ) -> None:
        """Nothing is loaded yet.  Raises WorkflowBroken or UnknownStyle if the configuration does not fit.

        extractor reads the prompts; without one, the rules do.
        """
        costs = Costs()
        # one thread draws the same built-in pictures on any number of cores
        threads = config.threads or (1 if isinstance(weights, BuiltinWeights) else None)
        if threads is not None:
            torch.set_num_threads(threads)
        styles.find(config.default_style)
        for style in styles.styles.values():
            scheduler_class(style)
        self.config = config
        self.weights = weights
        self.styles = styles
        self.device = choose_device(config.device)
        clock = clock or SystemClock()
        kept = None if config.host_cache_gb is None else int(config.host_cache_gb * GIB)
        prepare(config.profile)
        self.checkpoints = CheckpointCache(
            weights,
            styles,
            self.device,
            clock,
            host_cache_bytes=kept,
            profile=config.profile,
            on_swap=costs.swapped,
        )
        extractor = extractor or KoreanExtractor()
        studio = Studio(
            config=config,
            styles=styles,
            checkpoints=self.checkpoints,
            clock=clock,
            extractor=extractor,
            memory=_budget(weights, styles, config, self.device),
        )
        self._fingerprints = Fingerprints(weights, styles, config, lambda: arithmetic(self.device), PLUGINS)
        self._costs = costs
        self._turnstile = Turnstile(clock, costs)
        self._workflow = Workflow(
            extended(BRANCHES, config.extra_nodes), nodes_for(studio, config), self._turnstile, RESULT
        )

    def generate_image(
        self,
        prompt: str,
        reference_image: "Image.Image | bytes | Path | str | None" = None,
        **parameters: Unpack[Parameters],
    ) -> Drawing:
        """Draw a prompt; with a reference image (a PIL image, bytes or a path) along its edges and colours.

        The same arguments give the same bytes on one machine.  Raises RequestRejected if an argument
        is not allowed, DrawingError if it cannot be drawn.
        """
        document: dict[str, Any] = {"prompt": prompt, **parameters}
        reference = None if reference_image is None else reference_from(reference_image)
        if reference is not None:
            document["reference_image"] = {"name": reference.name, "sha256": reference.digest}
        request = admit(document, self.config.limits, self.styles.names)
        seed = int(Digest.of(request.model_dump_json().encode())[:8], 16)
        return self.draw(request, reference, seed=seed)

    def draw(
        self,
        request: GenerationRequest,
        reference: ReferenceImage | None = None,
        *,
        seed: int,
        progress: Progress | None = None,
        recall: Recall = never,
        prompt: PromptRecord | None = None,
    ) -> Drawing:
        """Draw an admitted request; seed is used where the request names none.

        recall is asked for the pictures of an equal request; where it has them, nothing is drawn.  prompt: words
        that were built before, drawn as they are in the style they name.

        Raises ReferenceMissing unless reference is what the request's reference_image speaks of, or both are absent.
        """
        if (request.reference_image is None) != (reference is None):
            raise ReferenceMissing("reference_image and the reference go together; give both or none")
        progress = progress or Progress()
        state = State(request=request, seed=seed, reference=reference, words=prompt)
        branch = self._workflow.branch(state).name
        recollection = Recollection(self._fingerprints, recall)
        done = self._workflow.run(state, progress, recollection)
        drawing = finished(
            done,
            branch,
            progress.records,
            device=self.device.name,
            dtype=self.device.dtype_name,
            profile=self.config.profile,
            threads=torch.get_num_threads(),
        )
        return recollection.told(drawing)

    def quantum(self) -> int:
        """How many drawings in a row a swap is worth, by what both have cost lately."""
        return self._costs.quantum()

    def warm_up(self) -> None:
        """Draw a picture on each branch in the default style, so that nothing is compiled when a request comes.

        Raises DrawingError.
        """
        blank = Image.new("RGB", (_WARM_UP_SIDE, _WARM_UP_SIDE))
        style = self.config.default_style
        self.generate_image("warm up", prompt_mode="raw", style=style, steps=2)
        # of two steps a configured strength may leave none
        self.generate_image("warm up", blank, prompt_mode="raw", style=style, steps=2, strength=1.0)

    def close(self) -> None:
        """Let the drawing that is under way finish and refuse all others with ShuttingDown."""
        self._turnstile.close()


def generate_image(
    prompt: str,
    reference_image: "Image.Image | bytes | Path | str | None" = None,
    **parameters: Unpack[Parameters],
) -> Drawing:
    """Draw with the built-in checkpoints and the default configuration; see Generator.generate_image."""
    return _default_generator().generate_image(prompt, reference_image, **parameters)


@functools.cache
def _default_generator() -> Generator:
    weights = BuiltinWeights(user_cache_path("imagegen"))
    return Generator(weights, load_styles(builtin=STYLE_CHANGES), DrawingConfig())


def _budget(weights: Weights, styles: Styles, config: DrawingConfig, device: Device) -> MemoryBudget | None:
    available = device.total_memory() if config.vram_gb is None else int(config.vram_gb * GIB)
    if available is None:
        return None
    return MemoryBudget(available=available, planner=planner_of(weights, styles, device.dtype.itemsize))
