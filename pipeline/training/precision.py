"""The precision that trainings reckon in."""

from typing import Final

import torch

# what torch calls CPUs that work with bfloat16 as if by hand, far more slowly than in single precision
_SLOW: Final = ("DEFAULT", "AVX2")


def half_where_quick(device: torch.device) -> torch.autocast:
    """A context in which products are made in bfloat16, or in single precision on a CPU that is slow at it."""
    quick = device.type != "cpu" or torch.backends.cpu.get_cpu_capability() not in _SLOW
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=quick)
