"""The device that draws: which one, in which precision, and how full it is."""

from dataclasses import dataclass

import psutil
import torch

from store.errors import SettingsInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A torch device with the precision its weights are kept in."""

    name: str
    dtype: torch.dtype

    @property
    def dtype_name(self) -> str:
        """The precision as a word, such as float16."""
        return str(self.dtype).removeprefix("torch.")

    def memory(self) -> int:
        """Bytes in use: allocated on a GPU, resident in this process on a CPU."""
        if self.name.startswith("cuda"):
            return int(torch.cuda.memory_allocated(self.name))
        return int(psutil.Process().memory_info().rss)

    def total_memory(self) -> int | None:
        """Bytes that the device has of its own; None where it shares those of the host."""
        if self.name.startswith("cuda"):
            return int(torch.cuda.get_device_properties(self.name).total_memory)
        return None

    def release(self) -> None:
        """Give cached, unused memory back to the driver."""
        if self.name.startswith("cuda"):
            torch.cuda.empty_cache()


def choose_device(name: str) -> Device:
    """The device of a name; "auto" takes CUDA, then Apple's GPU, then the CPU; raises SettingsInvalid."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, index = name.partition(":")
    count = torch.cuda.device_count() if kind == "cuda" else int(kind == "cpu" or torch.backends.mps.is_available())
    if int(index or 0) >= count:
        raise SettingsInvalid(
            f"drawing.device: found {name!r}, which torch {torch.__version__} does not see here; allowed: auto, cpu"
            " or a device that it sees",
            field="drawing.device",
        )
    # half precision on a CPU is slower than single and not bit-stable across kernels
    return Device(name=name, dtype=torch.float32 if name == "cpu" else torch.float16)
