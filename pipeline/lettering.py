"""Finds lettering in pictures with rapidocr (PP-OCRv6, Apache-2.0); the model lies in its wheel."""

import functools
import importlib.util
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

# chosen on 141 pictures drawn by SDXL: 15 of 21 with lettering found, 4 false alarms on 60 without
_LONGEST_SIDE = 640
_LEAST_SCORE = 0.6
_LEAST_SHARE, _MOST_SHARE = 0.0004, 0.5
_THREADS = 2
_NEEDED = ("rapidocr", "onnxruntime")
_SAID = 200
_LOCK = threading.Lock()

Point = tuple[int, int]


class DetectorFailed(Exception):
    """The detector could not be loaded or broke off; no drawing fails for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Where lettering was found.

    corners: four points (x, y) in pixels, clockwise from the top left of the line.  score: how sure, in
    [0.6, 1].  share: area over that of the picture.
    """

    corners: tuple[Point, ...]
    score: float
    share: float

    def detail(self) -> dict[str, JsonValue]:
        """As a node records it."""
        return {
            "corners": [list(corner) for corner in self.corners],
            "score": round(self.score, 3),
            "share": round(self.share, 6),
        }


def missing() -> str | None:
    """Why no lettering can be found here; None where all that is needed is installed."""
    absent = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    return f"{', '.join(absent)} not installed; pip install 'imagegen[guard]'" if absent else None


def find_lettering(picture: NDArray[np.uint8]) -> tuple[Box, ...]:
    """The lettering in an RGB picture of shape (height, width, 3), in any script; what it says is not read.

    Boxes that cover half of the picture or more, or next to nothing of it, are false alarms and left out.
    Several threads may call this; they take turns.  Raises DetectorFailed.
    """
    try:
        with _LOCK:
            # each flag given at a call stays set for all later ones, so none may be left out
            found = _engine()(np.ascontiguousarray(picture[:, :, ::-1]), use_det=True, use_cls=False, use_rec=False)
    except Exception as error:
        raise DetectorFailed(" ".join(repr(error).split())[:_SAID]) from error
    if found.boxes is None:
        return ()
    area = picture.shape[0] * picture.shape[1]
    boxes = (_box(points, score, area) for points, score in zip(found.boxes, found.scores, strict=True))
    return tuple(box for box in boxes if box.score >= _LEAST_SCORE and _LEAST_SHARE <= box.share < _MOST_SHARE)


def blank(edges: NDArray[np.uint8], boxes: tuple[Box, ...]) -> NDArray[np.uint8]:
    """A copy of an edge image of shape (height, width), black inside the boxes and a little around them."""
    mask = np.zeros(edges.shape, np.uint8)
    for box in boxes:
        cv2.fillPoly(mask, [np.array(box.corners, np.int32)], 1)
    # edges of strokes lie just outside of them
    margin = 1 + max(edges.shape) // 256
    mask = cv2.dilate(mask, np.ones((2 * margin + 1, 2 * margin + 1), np.uint8))
    return np.where(mask > 0, 0, edges).astype(np.uint8)


def _box(points: NDArray[Any], score: float, area: int) -> Box:
    corners = tuple((round(float(x)), round(float(y))) for x, y in points)
    share = float(cv2.contourArea(np.array(points, np.float32))) / area
    return Box(corners=corners, score=float(score), share=share)


@functools.cache
def _engine() -> Any:
    # a second to import, and not everybody has it
    import rapidocr

    (model,) = (Path(rapidocr.__file__).parent / "models").glob("*_det_*.onnx")
    return rapidocr.RapidOCR(
        params={
            "Global.log_level": "critical",
            # a path is used as it is; without one rapidocr looks the model up and may download it
            "Det.model_path": str(model),
            "Det.limit_type": "max",
            "Det.limit_side_len": _LONGEST_SIDE,
            # all cores otherwise, and torch draws on them
            "EngineConfig.onnxruntime.intra_op_num_threads": min(_THREADS, os.cpu_count() or 1),
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
