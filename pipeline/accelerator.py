"""The seam to the device: memory it copies from fastest, and copies beside the drawing."""

import logging
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import torch
from torch import Tensor

from pipeline.device import Device
from pipeline.staging import Mark, Pairs, Stages

_log = logging.getLogger("imagegen.accelerator")


class Accelerator(Protocol):
    """How weights come to a device; one thread at a time may use it."""

    def buffer(self, size: int) -> Tensor:
        """So many bytes of host memory, uint8, from which the device copies fastest."""

    def copy(self, pairs: Pairs) -> None:
        """Begin to copy the second of each pair into the first; the device finishes it behind what it draws now."""

    def wait(self) -> None:
        """Return when all that was begun has arrived; raises, once, what kept some of it from arriving."""


class SameMemory:
    """A device that computes in the host's own memory, or copies from any of it alike: the CPU, Apple's GPU."""

    def buffer(self, size: int) -> Tensor:
        """Plain memory."""
        return torch.empty(size, dtype=torch.uint8)

    def copy(self, pairs: Pairs) -> None:
        """Copy at once; a second thread would take the drawing's cores."""
        for target, source in pairs:
            target.copy_(source)

    def wait(self) -> None:
        """Everything has arrived already."""


class Cuda:
    """NVIDIA's: page-locked buffers, and a stream of its own for copies (CUDA C++ Programming Guide, 3.2.8).

    What lies in plain memory is read by threads, and handed to that stream by a thread of its own.
    """

    def __init__(self, device: Device) -> None:
        self._device = device.name
        self._stream: Any = torch.cuda.Stream(device.name)  # type: ignore[no-untyped-call]
        self._stages = Stages(self)
        self._porter = ThreadPoolExecutor(1, thread_name_prefix="copies")
        self._on_the_way: list[Future[None]] = []

    def buffer(self, size: int) -> Tensor:
        """Page-locked memory, or plain memory where the system has no more of it to lock."""
        try:
            return torch.empty(size, dtype=torch.uint8, pin_memory=True)
        except RuntimeError as error:
            _log.warning("no page-locked memory, so swaps are slower: %s", error, extra={"action": "pinning_refused"})
            return torch.empty(size, dtype=torch.uint8)

    def copy(self, pairs: Pairs) -> None:
        """Begin on the stream of copies, behind whatever is being drawn with these weights."""
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        locked = [pair for pair in pairs if pair[1].is_pinned()]
        with torch.cuda.stream(self._stream):
            for target, source in locked:
                target.copy_(source, non_blocking=True)
        if plain := [pair for pair in pairs if not pair[1].is_pinned()]:
            # torch has both modes by thread
            modes = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
            self._on_the_way.append(self._porter.submit(self._carry, plain, *modes))

    def _carry(self, pairs: Pairs, grad: bool, inference: bool) -> None:
        with torch.inference_mode(inference), torch.set_grad_enabled(grad), torch.cuda.stream(self._stream):
            self._stages.copy(pairs)

    def wait(self) -> None:
        """Hold the drawing's stream and this thread until the stream of copies is empty."""
        carried, self._on_the_way = self._on_the_way, []
        futures.wait(carried)
        torch.cuda.current_stream(self._device).wait_stream(self._stream)
        self._stream.synchronize()
        for one in carried:
            one.result()

    def arrival(self) -> Mark:
        """A mark behind what the stream of copies was given so far."""
        mark: Mark = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._stream.record_event(mark)
        return mark


def accelerator_of(device: Device) -> Accelerator:
    """The way to a device."""
    return Cuda(device) if device.name.startswith("cuda") else SameMemory()
