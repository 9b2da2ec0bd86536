"""What of a machine moves pixels: its arithmetic, and how many threads share it."""

import functools
from pathlib import Path

import torch
from pydantic import JsonValue

from pipeline.device import Device

_CPUS = Path("/proc/cpuinfo")
_TELLING = ("vendor_id", "cpu family", "model", "model name", "stepping", "CPU implementer", "CPU part")


def arithmetic(device: Device) -> dict[str, JsonValue]:
    """The kind of device, its precision, the CPU's features and torch's threads.

    A CPU takes part on a GPU too: the noise is drawn there.
    """
    found: dict[str, JsonValue] = {
        "kind": device.name.partition(":")[0],
        "dtype": device.dtype_name,
        "threads": torch.get_num_threads(),
        "cpu": _cpu(),
    }
    if device.name.startswith("cuda"):
        found["gpu"] = torch.cuda.get_device_name(device.name)
        found["cuda"] = str(torch.version.cuda)
    return found


def _cpu() -> list[JsonValue]:
    # two makers with the same features have different kernels in the mathematics library
    return [torch.backends.cpu.get_cpu_capability(), *_makers_words()]


@functools.cache
def _makers_words() -> tuple[str, ...]:
    try:
        lines = _CPUS.read_text("utf-8", "replace").partition("\n\n")[0].splitlines()
    except OSError:
        return ()
    fields = [line.partition(":") for line in lines]
    return tuple(f"{name.strip()}: {value.strip()}" for name, _, value in fields if name.strip() in _TELLING)
