"""Edges of pictures, as the pipeline finds them in a reference."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.config import DrawingConfig


def edges(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """Canny edges of RGB pictures (batch, height, width, 3): (batch, 3, height, width), 0 or 1."""
    config = DrawingConfig()
    greys = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in pictures]
    found = [cv2.Canny(grey, config.canny_low, config.canny_high) for grey in greys]
    return torch.from_numpy(np.stack(found)).float().div(255).unsqueeze(1).expand(-1, 3, -1, -1)
