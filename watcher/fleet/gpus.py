"""Which GPUs there are, told without torch, which the supervisor must not load."""

from collections.abc import Mapping
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
_LISTING = Path("/proc/driver/nvidia/gpus")


def gpus(device: str, environment: Mapping[str, str], listing: Path = _LISTING) -> tuple[str, ...]:
    """The names under which CUDA knows the GPUs that workers may share out, in order.

    device is the setting drawing.device; where it names one device, nothing is shared out.  `listing` is
    the folder in which NVIDIA's driver has one entry a GPU.
    """
    if device not in ("auto", "cuda"):
        return ()
    visible = environment.get(VISIBLE)
    if visible is not None:
        return _named(visible)
    return tuple(str(index) for index, _ in enumerate(listing.iterdir())) if listing.is_dir() else ()


def visible_to(number: int, shared_out: tuple[str, ...]) -> dict[str, str]:
    """The variables that show worker `number` (from 0) its GPU alone; none where there is no GPU to share out."""
    return {VISIBLE: shared_out[number % len(shared_out)]} if shared_out else {}


def _named(visible: str) -> tuple[str, ...]:
    names: list[str] = []
    for name in (part.strip() for part in visible.split(",")):
        # as CUDA reads the list: what is behind the first name that is none does not count
        if not name or name.startswith("-"):
            break
        names.append(name)
    return tuple(names)
