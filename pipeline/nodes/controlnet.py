"""The node that draws the edges the ControlNet follows."""

from dataclasses import replace
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import JsonValue

from pipeline.lettering import DetectorFailed, blank, find_lettering, missing
from pipeline.nodes.base import BaseNode, Done
from pipeline.progress import Progress
from pipeline.state import State


class ControlNet(BaseNode):
    """Canny edges of the init image (Canny 1986; OpenCV), white on black, at the drawn size.

    Unless the text guard is off, lettering in the init image leaves no edges, or it would be drawn again.
    """

    name: ClassVar[str] = "controlnet"
    needs: ClassVar[tuple[str, ...]] = ("init_image",)
    makes: ClassVar[tuple[str, ...]] = ("control_image",)

    def run(self, state: State, progress: Progress) -> Done:
        """Make control_image from init_image."""
        low, high = self.studio.config.canny_low, self.studio.config.canny_high
        grey = np.asarray(state.init_image.convert("L"))
        state, edges, blanked = self._without_lettering(state, cv2.Canny(grey, low, high))
        control_image = Image.fromarray(np.repeat(edges[:, :, None], 3, axis=2))
        share = round(float(np.count_nonzero(edges)) / edges.size, 4)
        detail = {"kind": "canny", "low": low, "high": high, "edge_share": share, **blanked}
        return Done(state=replace(state, control_image=control_image), detail=detail)

    def _without_lettering(
        self, state: State, edges: NDArray[np.uint8]
    ) -> tuple[State, NDArray[np.uint8], dict[str, JsonValue]]:
        if self.studio.config.text_guard == "off" or missing():
            return state, edges, {}
        try:
            boxes = find_lettering(np.asarray(state.init_image))
        except DetectorFailed as error:
            warning = f"the text guard could not look at the reference, so lettering in it may be drawn again: {error}"
            return replace(state.warn(warning), hindered=True), edges, {"blanked": [], "error": str(error)}
        return state, blank(edges, boxes), {"blanked": [box.detail() for box in boxes]}
