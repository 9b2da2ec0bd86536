"""A node that gives every picture the colours of an old photograph."""

from dataclasses import replace
from typing import ClassVar

import numpy as np

from pipeline.nodes.base import BaseNode, Done
from pipeline.progress import Progress
from pipeline.state import State

# red, green and blue of sepia as shares of the brightness
_TINT = np.array([1.0, 0.85, 0.66])


class Sepia(BaseNode):
    """Keep the brightness of each pixel and give it the tint of sepia."""

    name: ClassVar[str] = "sepia"
    needs: ClassVar[tuple[str, ...]] = ("pictures",)
    makes: ClassVar[tuple[str, ...]] = ("pictures",)

    def run(self, state: State, progress: Progress) -> Done:
        """Replace pictures by their sepia versions."""
        pictures = tuple(
            (picture.mean(axis=2, keepdims=True) * _TINT).round().astype(np.uint8) for picture in state.pictures
        )
        return Done(state=replace(state, pictures=pictures), detail={"pictures": len(pictures)})
