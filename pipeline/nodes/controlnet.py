"""The node that draws the edges the ControlNet follows."""

from dataclasses import replace
from typing import ClassVar

import cv2
import numpy as np
from PIL import Image

from pipeline.nodes.base import BaseNode, Done
from pipeline.progress import Progress
from pipeline.state import State


class ControlNet(BaseNode):
    """Canny edges of the init image (Canny 1986; OpenCV), white on black, at the drawn size."""

    name: ClassVar[str] = "controlnet"
    needs: ClassVar[tuple[str, ...]] = ("init_image",)
    makes: ClassVar[tuple[str, ...]] = ("control_image",)

    def run(self, state: State, progress: Progress) -> Done:
        """Make control_image from init_image."""
        low, high = self.studio.config.canny_low, self.studio.config.canny_high
        grey = np.asarray(state.init_image.convert("L"))
        edges = cv2.Canny(grey, low, high)
        control_image = Image.fromarray(np.repeat(edges[:, :, None], 3, axis=2))
        share = round(float(np.count_nonzero(edges)) / edges.size, 4)
        detail = {"kind": "canny", "low": low, "high": high, "edge_share": share}
        return Done(state=replace(state, control_image=control_image), detail=detail)
