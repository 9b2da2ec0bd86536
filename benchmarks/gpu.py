"""A GPU's work: seconds per image, swaps, peak memory, idle time, and the share of what arithmetic allows.

Makes full-size SDXL checkpoints of random weights on the spot; nothing is downloaded.  Memory of the GPU is
capped, so that a larger card answers for a 22 GB one.  Without a GPU only --toy makes sense: everything runs,
and the figures say nothing.

    python benchmarks/gpu.py [--toy] [--images 5] [--steps 30] [--requests 60] [--models DIR] [--json FILE]
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from arms import Ask, Figures, PlainLoop, Service, asks, machine, write
from full_size import FULL, TOY, write_weights
from mixed import REFERENCES, STYLES, told
from torch.utils.flop_counter import FlopCounterMode

from pipeline.config import DrawingConfig
from pipeline.device import Device, choose_device
from pipeline.generator import Generator
from pipeline.memory_budget import planner_of
from watcher.hall import open_generator
from watcher.settings import Settings

_GIB = 1024**3
_CAP_GIB = 22
_SWAPS = 6
_MATMUL, _MATMUL_TOY, _MATMULS = 8192, 256, 20
_FAST = {"profile": "fast"}
_TIERS = {"pinned": {"host_cache_gb": 24}, "streamed": {"host_cache_gb": 0}}


def main() -> None:
    arguments = _arguments()
    device = choose_device("auto")
    if not arguments.toy and device.name == "cpu":
        raise SystemExit("no GPU here; --toy runs everything at a size a CPU can draw")
    with tempfile.TemporaryDirectory() as folder:
        models = arguments.models or Path(folder) / "models"
        if not models.exists():
            models.mkdir(parents=True)
            write_weights(models, TOY if arguments.toy else FULL, device.name)
        figures = _measured(Path(folder), models, arguments)
    _report(figures)
    write(arguments.json, figures)


def _measured(folder: Path, models: Path, arguments: argparse.Namespace) -> Figures:
    def alone(measure: Callable[..., Figures], name: str, **drawing: Any) -> Figures:
        settings = _settings(folder / name, models, arguments, drawing)
        print(f"{name} …", flush=True)
        # in a process of its own: nothing that another left behind on the device counts here
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(partial(measure, settings.model_dump(mode="json"), arguments))

    return {
        "arithmetic": alone(arithmetic, "arithmetic"),
        "plain": alone(plain, "plain"),
        "exact": alone(service_alone, "exact"),
        "fast": alone(service_alone, "fast", **_FAST),
        "reload": alone(reload, "reload"),
        **{f"swap {name}": alone(swaps, f"swap-{name}", **tier) for name, tier in _TIERS.items()},
        "mixed": alone(mixed, "mixed"),
    }


def arithmetic(settings: dict[str, Any], arguments: argparse.Namespace) -> Figures:
    """Floating-point operations of one image, and how many a second large matrix products reach here."""
    with _capped() as device:
        side = _MATMUL_TOY if arguments.toy else _MATMUL
        left, right = (torch.randn(side, side, device=device.name, dtype=device.dtype) for _ in range(2))
        seconds = min(_seconds(device, lambda: left @ right) for _ in range(_MATMULS))
        loop = PlainLoop(Settings(**settings), keep_all=False)
        with FlopCounterMode(display=False) as counter:
            loop.draw(_asked(0))
        return {"flop_per_image": counter.get_total_flops(), "flop_per_second": 2 * side**3 / seconds}


def plain(settings: dict[str, Any], arguments: argparse.Namespace) -> Figures:
    """Seconds per image of plain diffusers."""
    with _capped() as device:
        loop = PlainLoop(Settings(**settings), keep_all=False)
        return _drawn(device, lambda number: loop.draw(_asked(number)), arguments.images)


def service_alone(settings: dict[str, Any], arguments: argparse.Namespace) -> Figures:
    """Seconds per image of our pipeline, without inbox and outbox."""
    with _capped() as device:
        generator = open_generator(Settings(**settings))
        if generator.config.profile == "fast":
            generator.warm_up()

        def draw(number: int) -> None:
            generator.generate_image(_asked(number).words, style=STYLES[0], seed=number, prompt_mode="raw")

        return {**_drawn(device, draw, arguments.images), "planned_gib": _planned(generator)}


def _planned(generator: Generator) -> float:
    """What the memory plan says of the pictures that were drawn."""
    style = generator.styles.find(STYLES[0])
    planner = planner_of(generator.weights, generator.styles, generator.device.dtype.itemsize)(style)
    return planner.plan("text2image", style.native_size, style.native_size).peak("whole") / _GIB


def reload(settings: dict[str, Any], arguments: argparse.Namespace) -> Figures:
    """Seconds to unload a checkpoint and load the next with diffusers."""
    with _capped() as device:
        loop = PlainLoop(Settings(**settings), keep_all=False)
        loop.pipe(STYLES[0])
        names = [STYLES[number % len(STYLES)] for number in range(1, _SWAPS + 1)]
        times = [_seconds(device, partial(loop.pipe, name)) for name in names]
        return {"swap_seconds": statistics.median(times)}


def swaps(settings: dict[str, Any], arguments: argparse.Namespace) -> Figures:
    """Seconds of our swaps, after every checkpoint was seen once."""
    with _capped() as device:
        generator = open_generator(Settings(**settings))
        styles = [generator.styles.find(name) for name in STYLES]
        for style in styles:
            generator.checkpoints.bring(style)
        wanted = [styles[number % len(styles)] for number in range(_SWAPS)]
        times = [_seconds(device, partial(generator.checkpoints.bring, style)) for style in wanted]
        return {"swap_seconds": statistics.median(times)}


def mixed(settings: dict[str, Any], arguments: argparse.Namespace) -> Figures:
    """The mixed load through the whole service, and how long the device had nothing to draw."""
    with _capped():
        service = Service(Settings(**settings))
        service.serve(asks(-1, len(STYLES), STYLES, references=REFERENCES))
        started = time.perf_counter()
        results = service.serve(asks(0, arguments.requests, STYLES, references=REFERENCES))
        wall = time.perf_counter() - started
        found = told(results)
        busy = found["drawing_seconds"]
        return {**found, "requests": len(results), "wall": wall, "idle_fraction": 1 - busy / wall}


@contextmanager
def _capped() -> Iterator[Device]:
    """The device, with no more memory than an L4 has."""
    device = choose_device("auto")
    if device.name == "cuda":
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, _CAP_GIB * _GIB / total))
    yield device


def _drawn(device: Device, draw: Callable[[int], None], images: int) -> Figures:
    draw(-1 % 2**31)
    if device.name == "cuda":
        torch.cuda.reset_peak_memory_stats()
    times = [_seconds(device, partial(draw, number)) for number in range(images)]
    peak = torch.cuda.max_memory_reserved() if device.name == "cuda" else device.memory()
    return {"seconds_per_image": statistics.median(times), "peak_gib": peak / _GIB}


def _seconds(device: Device, call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    if device.name == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def _asked(number: int) -> Ask:
    return Ask(number=number, style=STYLES[0], seed=number, referenced=False)


def _settings(folder: Path, models: Path, arguments: argparse.Namespace, drawing: dict[str, Any]) -> Settings:
    folder.mkdir()
    native = (TOY if arguments.toy else FULL).native_size
    styles = {name: {"steps": arguments.steps, "guidance_scale": 5.0, "native_size": native} for name in STYLES}
    config = DrawingConfig(text_guard="off", threads=1 if arguments.toy else None, **drawing)
    return Settings(
        inbox=f"{folder}/inbox", outbox=f"{folder}/outbox", models=str(models), log_level="ERROR", drawing=config,
        styles=styles,
    )  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", action="store_true", help="the built-in checkpoints' size")
    parser.add_argument("--images", type=int, default=5, help="images each way of drawing is timed over")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--requests", type=int, default=60, help="of the mixed load")
    parser.add_argument("--models", type=Path, help="make the checkpoints here and keep them, or use those here")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    return parser.parse_args()


def _report(figures: Figures) -> None:
    sums = figures["arithmetic"]
    floor = sums["flop_per_image"] / sums["flop_per_second"]
    print(machine())
    print(f"an image: {sums['flop_per_image'] / 1e12:.2f} TFLOP; products reach {sums['flop_per_second'] / 1e12:.1f}"
          f" TFLOP/s; so at least {floor:.3f} s an image")  # fmt: skip
    print(f"{'arm':16} {'s/image':>9} {'of the floor':>13} {'peak GiB':>9} {'plan GiB':>9} {'swap s':>8}")
    for name, found in figures.items():
        if name in ("arithmetic", "mixed"):
            continue
        told = (found.get(key) for key in ("seconds_per_image", "peak_gib", "planned_gib", "swap_seconds"))
        seconds, peak, planned, swap = told
        share = "" if seconds is None else f"{floor / seconds:.0%}"
        print(
            f"{name:16} {_figure(seconds):>9} {share:>13} {_figure(peak):>9} {_figure(planned):>9} {_figure(swap):>8}"
        )
    found = figures["mixed"]
    print(f"mixed load: {found['requests']} requests in {found['wall']:.1f} s, {found['swaps']} swaps of"
          f" {found['swap_seconds']:.2f} s in all, the device idle for {found['idle_fraction']:.1%}")  # fmt: skip


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
