"""How weights come to a GPU, played by fakes that note the order: none of this has met a real one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from pipeline.accelerator import Cuda, SameMemory, accelerator_of
from pipeline.device import Device
from pipeline.lost_device import is_device_lost
from pipeline.out_of_memory import is_out_of_memory

GPU = Device(name="cuda", dtype=torch.float16)
CPU = Device(name="cpu", dtype=torch.float32)


class Stream:
    """A stream of work that notes what it is told to wait for."""

    def __init__(self, name: str, story: list[str]) -> None:
        self.name = name
        self._story = story

    def wait_stream(self, other: "Stream") -> None:
        self._story.append(f"{self.name} waits for {other.name}")

    def synchronize(self) -> None:
        self._story.append(f"we wait for {self.name}")

    def record_event(self, event: "Event") -> None:
        event.stream = self


class Event:
    """A mark in a stream."""

    stream: Any = None

    def synchronize(self) -> None:
        self.stream.synchronize()


class OnTheGpu(Tensor):
    """A tensor of the GPU that notes what is copied into it, and from where."""

    story: list[str]

    @staticmethod
    def __new__(cls: type["OnTheGpu"], plain: Tensor, story: list[str]) -> "OnTheGpu":
        made: OnTheGpu = Tensor._make_subclass(cls, plain)
        made.story = story
        return made

    def copy_(self, source: Tensor, non_blocking: bool = False) -> Tensor:
        how = "locked" if isinstance(source, Locked) else "staged"
        self.story.append(f"{how} {'beside the drawing' if non_blocking else 'at once'}")
        return self


class Locked(Tensor):
    """Page-locked memory."""

    def is_pinned(self, device: Any = None) -> bool:
        return True


class SlowDisk:
    """Stands for stages whose files have not been read yet."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.has_read = self.inference = False

    def copy(self, pairs: object) -> None:
        assert self.ready.wait(timeout=60)
        self.has_read, self.inference = True, torch.is_inference_mode_enabled()


class DiskGoesAway:
    """Stands for stages whose files cannot be read any more."""

    def copy(self, pairs: object) -> None:
        raise OSError(5, "Input/output error")


class NoMoreToLock:
    """The system refuses to lock another page."""

    def __init__(self) -> None:
        self.plain = torch.empty

    def __call__(self, *size: Any, pin_memory: bool = False, **more: Any) -> Tensor:
        if pin_memory:
            raise RuntimeError("CUDA error: out of memory; cudaHostAlloc failed")
        return self.plain(*size, **more)


@pytest.fixture
def story(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    told: list[str] = []

    @contextmanager
    def within(stream: Stream) -> Iterator[None]:
        told.append(f"within {stream.name}:")
        yield
        told.append("end")

    monkeypatch.setattr(torch.cuda, "Stream", lambda device: Stream("copies", told))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Stream("drawing", told))
    monkeypatch.setattr(torch.cuda, "stream", within)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch, "empty", NoMoreToLock())
    return told


def test_copies_wait_for_the_drawing_that_uses_the_old_weights_and_run_beside_what_comes(story: list[str]) -> None:
    way = Cuda(GPU)
    locked = Tensor._make_subclass(Locked, torch.ones(4).half())
    way.copy(
        [(OnTheGpu(torch.zeros(4).half(), story), locked), (OnTheGpu(torch.zeros(4).half(), story), torch.ones(4))]
    )
    way.wait()
    assert story == [
        *("copies waits for drawing", "within copies:", "locked beside the drawing", "end"),
        *("within copies:", "staged beside the drawing", "we wait for copies", "end"),
        *("drawing waits for copies", "we wait for copies"),
    ]


def test_the_drawing_goes_on_while_files_are_read(story: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    way, disk = Cuda(GPU), SlowDisk()
    monkeypatch.setattr(way, "_stages", disk)
    with torch.inference_mode():
        way.copy([(torch.zeros(1), torch.ones(1))])
    assert not disk.has_read
    disk.ready.set()
    way.wait()
    assert disk.has_read
    assert disk.inference


def test_a_disk_that_fails_meanwhile_is_told_once_to_whoever_waits(
    story: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    way = Cuda(GPU)
    monkeypatch.setattr(way, "_stages", DiskGoesAway())
    way.copy([(torch.zeros(1), torch.ones(1))])
    with pytest.raises(OSError, match="Input/output error"):
        way.wait()
    way.wait()


def test_nothing_is_drawn_before_all_copies_have_arrived(story: list[str]) -> None:
    Cuda(GPU).wait()
    assert story == ["drawing waits for copies", "we wait for copies"]


def test_where_no_page_can_be_locked_plain_memory_is_taken_and_said(
    story: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert Cuda(GPU).buffer(100).numel() == 100
    assert "no page-locked memory, so swaps are slower" in caplog.text


def test_each_kind_of_device_has_its_way(story: list[str]) -> None:
    assert isinstance(accelerator_of(GPU), Cuda)
    assert isinstance(accelerator_of(Device(name="cuda:1", dtype=torch.float16)), Cuda)
    assert isinstance(accelerator_of(CPU), SameMemory)


def test_the_host_s_own_memory_is_copied_at_once() -> None:
    target, way = torch.zeros(3), SameMemory()
    way.copy([(target, torch.ones(3).half())])
    assert target.tolist() == [1, 1, 1]
    assert (way.buffer(7).numel(), way.buffer(7).dtype) == (7, torch.uint8)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 18 GB)"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"), True),
        (MemoryError(), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (ValueError("out of memory"), False),
    ],
    ids=str,
)
def test_a_lack_of_memory_is_told_from_other_errors(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            torch.AcceleratorError("CUDA error: an illegal memory access was encountered\nCUDA"),
            True,
        ),
        (RuntimeError("CUDA error: unspecified launch failure"), True),
        (RuntimeError("CUDA error: uncorrectable ECC error encountered"), True),
        (RuntimeError("CUDA error: device-side assert triggered"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), True),
        (RuntimeError("CUDA error: out of memory"), False),
        (RuntimeError("CUDA error: invalid argument"), False),
        (RuntimeError("CUDA error: no kernel image is available for execution on the device"), False),
        (ValueError("CUDA error: unspecified launch failure"), False),
        (RuntimeError("a hardware error of a scanner"), False),
    ],
    ids=str,
)
def test_an_error_that_takes_the_device_for_good_is_told_from_one_that_takes_a_drawing(
    error: Exception, expected: bool
) -> None:
    assert is_device_lost(error) is expected
