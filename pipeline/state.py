"""The value that is handed from node to node."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from pipeline.reference import ReferenceImage
from pipeline.request import GenerationRequest
from pipeline.sampling import Sampling
from pipeline.styles import Style
from store.manifest import ModelsRecord, PromptRecord
from store.outbox import EncodedImage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from pipeline.lettering import Box

# stands in a field until the node that makes it has run; Workflow checks the order before the first drawing
_LATER: Any = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """A picture that may be the one to keep, the seed that drew it, and the lettering found in it."""

    picture: "NDArray[np.uint8]"
    seed: int
    boxes: "tuple[Box, ...]"

    @property
    def share(self) -> float:
        """How much of the picture's area is lettering; boxes that overlap count twice."""
        return sum(box.share for box in self.boxes)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One drawing on its way; a node returns a changed copy.

    The upper fields are there from the start.  Each lower one is made by one node and may be read by
    the nodes behind it: which ones, a node says in `needs` and `makes`.

    init_image: RGB, drawn size.  control_image: RGB, drawn size, white edges on black.
    words: the prompts, where they were built before and stay as they are.
    pictures: one uint8 array of shape (drawn height, drawn width, 3) per image.

    decoded: the rung of every picture that was decoded so far.
    hindered: something failed that may work the next time, and the pictures or what is said of them would be others.
    candidates: while some pictures are drawn again, the best so far of every image; else empty.
    """

    request: GenerationRequest
    seed: int
    reference: ReferenceImage | None = None
    words: PromptRecord | None = None
    redraws_left: int = 0
    warnings: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    decoded: tuple[str, ...] = ()
    hindered: bool = False

    style: Style = _LATER
    prompt: PromptRecord = _LATER
    sampling: Sampling = _LATER
    init_image: "Image.Image" = _LATER
    control_image: "Image.Image" = _LATER
    models: ModelsRecord = _LATER
    pictures: "tuple[NDArray[np.uint8], ...]" = _LATER
    images: tuple[EncodedImage, ...] = field(default=())

    def warn(self, *warnings: str) -> Self:
        """A copy with these warnings added, each once."""
        return replace(self, warnings=tuple(dict.fromkeys((*self.warnings, *warnings))))
