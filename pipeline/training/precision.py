"""The precision that trainings reckon in."""

from typing import Final

import torch

# instructions that multiply in bfloat16; without them a CPU does it as if by hand, two to four times as slowly
_QUICK: Final = ("avx512_bf16", "amx_bf16", "bf16")


def half_where_quick(device: torch.device) -> torch.autocast:
    """A context in which products are made in bfloat16, or in single precision on a CPU that is slow at it."""
    quick = device.type != "cpu" or any(torch.cpu.get_capabilities().get(name) for name in _QUICK)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=quick)
