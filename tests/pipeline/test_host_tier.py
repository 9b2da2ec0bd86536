"""Weights are kept in the host's memory within their bound, byte for byte, and read by several threads on their way."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pipeline.accelerator import SameMemory
from pipeline.host_memory import spare_memory
from pipeline.host_tier import HostTier
from pipeline.staging import Mark, Stages, bytes_packed, packed

KINDS = (torch.float16, torch.bfloat16, torch.float32)


class CountsBuffers(SameMemory):
    """Notes the size of each buffer that was asked for."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def buffer(self, size: int) -> Tensor:
        self.sizes.append(size)
        return super().buffer(size)


class ArrivesLate:
    """A device whose copies are made only when somebody waits for them, as late as a stream of copies may be."""

    def __init__(self) -> None:
        self.begun: list[tuple[Tensor, Tensor]] = []
        self.buffers = 0

    def buffer(self, size: int) -> Tensor:
        self.buffers += 1
        return torch.full((size,), 255, dtype=torch.uint8)

    def arrival(self) -> Mark:
        return self

    def synchronize(self) -> None:
        for target, source in self.begun:
            target.data.copy_(source)
        self.begun.clear()


def tensors(count: int = 3, size: int = 100, kind: torch.dtype = torch.float16) -> dict[str, Tensor]:
    return {f"weight {index}": torch.full((size,), index + 1.0, dtype=kind) for index in range(count)}


def tier(most: int | None, *, spare: int = 0, precision: torch.dtype = torch.float32) -> HostTier:
    return HostTier(most, precision, SameMemory(), spare=lambda: spare)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_what_was_kept_is_there_and_is_a_copy() -> None:
    kept = tier(10_000)
    given = tensors()
    kept.keep("anime", given)
    expected = {key: tensor.clone() for key, tensor in given.items()}
    for tensor in given.values():
        tensor.zero_()
    found = kept.get("anime")
    assert found is not None
    assert same(found, expected)
    assert kept.bytes == 600


def test_with_no_memory_nothing_is_kept_and_everything_is_handed_on() -> None:
    nothing = tier(0)
    given = tensors()
    assert same(nothing.keep("anime", given), given)
    assert (nothing.get("anime"), nothing.bytes) == (None, 0)


def test_three_in_turns_with_room_for_two_find_two_of_three() -> None:
    kept = tier(1_300)
    found = []
    for round_ in range(4):
        for name in ("a", "b", "c"):
            held = kept.get(name)
            if held is None:
                kept.keep(name, tensors())
            found += [held is not None] if round_ else []
    assert found == [True, True, False] * 3


def test_what_nobody_asks_for_any_more_makes_room() -> None:
    kept = tier(700)
    kept.keep("old", tensors())
    for _ in range(100):
        kept.get("new")
    kept.keep("new", tensors())
    assert (kept.get("old"), kept.bytes) == (None, 600)
    assert kept.get("new") is not None


def test_unless_told_how_much_it_takes_half_of_what_is_spare_at_a_time() -> None:
    assert tier(None, spare=1_199).keep("a", tensors()) is not None
    assert tier(None, spare=1_199).bytes == 0
    roomy = tier(None, spare=1_200)
    roomy.keep("a", tensors())
    assert roomy.bytes == 600


def test_numbers_become_the_device_s_once_unless_they_are_smaller() -> None:
    for precision, kind, expected in (
        (torch.float16, torch.float32, torch.float16),
        (torch.float32, torch.float16, torch.float16),
        (torch.float16, torch.bfloat16, torch.float16),
    ):
        found = tier(10_000, precision=precision).keep("a", tensors(kind=kind))
        assert {tensor.dtype for tensor in found.values()} == {expected}
        assert float(found["weight 1"][0]) == 2.0


def test_a_component_lies_in_buffers_of_a_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.host_tier._BUFFER_BYTES", 1_000)
    way = CountsBuffers()
    kept = HostTier(100_000, torch.float32, way)
    found = kept.keep("a", {**tensors(10), "large": torch.ones(900, dtype=torch.float16)})
    assert same(found, {**tensors(10), "large": torch.ones(900, dtype=torch.float16)})
    assert len(way.sizes) == 3
    assert max(way.sizes) == 1_856


def test_what_nobody_confirms_is_read_again_and_what_was_confirmed_stays() -> None:
    kept = tier(10_000)
    for name in ("a", "b", "c"):
        kept.keep(name, tensors())
    kept.confirm("b")
    kept.confirm("never there")
    kept.drop_unconfirmed()
    assert [kept.get(name) is not None for name in ("a", "b", "c")] == [False, True, False]
    assert kept.bytes == 600


@given(
    sizes=st.lists(st.integers(0, 70), min_size=1, max_size=12),
    kinds=st.lists(st.sampled_from(KINDS), min_size=12, max_size=12),
)
def test_packed_tensors_are_what_they_were_and_begin_where_any_number_may(
    sizes: list[int], kinds: list[torch.dtype]
) -> None:
    given_tensors = [torch.arange(size).to(kind) for size, kind in zip(sizes, kinds, strict=False)]
    buffer = torch.empty(bytes_packed(given_tensors), dtype=torch.uint8)
    found = packed(given_tensors, buffer)
    assert all(torch.equal(one, other) for one, other in zip(found, given_tensors, strict=True))
    assert all((tensor.data_ptr() - buffer.data_ptr()) % 64 == 0 for tensor in found if tensor.numel())


def test_transposed_and_scalar_weights_are_packed_as_well() -> None:
    given_tensors = [torch.arange(6.0).view(2, 3).t(), torch.tensor(3.0)]
    found = packed(given_tensors, torch.empty(bytes_packed(given_tensors), dtype=torch.uint8))
    assert torch.equal(found[0], given_tensors[0])
    assert torch.equal(found[1], given_tensors[1])


def test_a_buffer_is_filled_anew_only_when_the_device_has_copied_from_it() -> None:
    way = ArrivesLate()
    sources = [torch.arange(20.0).half() + 100 * index for index in range(9)]
    sources.append(torch.arange(500.0).bfloat16())
    targets = [LateTensor(torch.zeros(len(source)), way) for source in sources]
    Stages(way, size=128).copy([(target, source) for target, source in zip(targets, sources, strict=True)])
    for target, source in zip(targets, sources, strict=True):
        assert torch.equal(target.plain, source.float())
    assert way.buffers == 2


class LateTensor(Tensor):
    """A tensor on the device that arrives late."""

    plain: Tensor
    way: ArrivesLate

    @staticmethod
    def __new__(cls: type["LateTensor"], plain: Tensor, way: ArrivesLate) -> "LateTensor":
        made: LateTensor = Tensor._make_subclass(cls, plain)
        return made

    def __init__(self, plain: Tensor, way: ArrivesLate) -> None:
        self.plain = plain
        self.way = way

    def copy_(self, source: Tensor, non_blocking: bool = False) -> Tensor:
        assert non_blocking
        self.way.begun.append((self.plain, source))
        return self


def test_in_a_container_only_what_its_limit_leaves_is_spare(tmp_path: Path) -> None:
    everything = spare_memory(tmp_path / "no control group")
    assert everything > 0
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 500\nfile 150\n")
    (tmp_path / "memory.max").write_text("1000\n")
    assert spare_memory(tmp_path) == 450
    (tmp_path / "memory.max").write_text("100\n")
    assert spare_memory(tmp_path) == 0
    (tmp_path / "memory.max").write_text("max\n")
    assert spare_memory(tmp_path) > 450
