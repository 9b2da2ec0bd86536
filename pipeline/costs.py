"""What drawings and swaps have cost here lately, and how many drawings a swap is worth."""

import math
import statistics
import threading
from collections import deque

# of the time spent drawing, so much may go into swaps
_SHARE_OF_SWAPS = 0.05
_LEAST, _MOST = 2, 512
# nothing has been measured yet
_UNKNOWN = 8
_SWAPS_KEPT, _DRAWINGS_KEPT = 5, 21


class Costs:
    """Seconds of the latest swaps and drawings; medians, so that one slow disk read or a large picture moves little."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._swaps: deque[float] = deque(maxlen=_SWAPS_KEPT)
        self._drawings: deque[float] = deque(maxlen=_DRAWINGS_KEPT)
        self._swapped_in_turn = 0.0

    def swapped(self, seconds: float) -> None:
        """A checkpoint was brought in so many seconds, within the turn that is under way."""
        with self._lock:
            self._swaps.append(seconds)
            self._swapped_in_turn += seconds

    def begin_turn(self) -> None:
        """A turn begins."""
        with self._lock:
            self._swapped_in_turn = 0.0

    def end_turn(self, seconds: float) -> None:
        """A turn has ended well; what of it was no swap was drawing."""
        with self._lock:
            self._drawings.append(max(0.0, seconds - self._swapped_in_turn))

    def quantum(self) -> int:
        """How many drawings in a row keep the share of swaps within a twentieth: swap / (0.05 x drawing), 2 to 512."""
        with self._lock:
            if not self._swaps or not self._drawings:
                return _UNKNOWN
            swap, drawing = statistics.median(self._swaps), statistics.median(self._drawings)
        if drawing <= 0:
            return _MOST
        return max(_LEAST, min(_MOST, math.ceil(swap / (_SHARE_OF_SWAPS * drawing))))
