"""The service against a plain diffusers loop, on the same built-in checkpoint.

Both arms draw the same requests of one style, with the same words, steps, sizes and seeds, in turns;
the service also watches, claims, validates, hashes, stores and reports.

    python benchmarks/service.py [--requests 20] [--rounds 3] [--threads 1] [--json FILE]
"""

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")

import torch
from diffusers import AutoencoderKL, EulerAncestralDiscreteScheduler, StableDiffusionXLPipeline

from pipeline.config import DrawingConfig
from pipeline.styles import Style
from watcher.hall import Hall, configured_styles, configured_weights
from watcher.settings import Settings

STYLE = "anime"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Seconds for all requests of one arm in one round."""

    wall: float
    cpu: float


Arm = Callable[[int, int], None]


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        drawing = DrawingConfig(threads=arguments.threads)
        settings = Settings(inbox=f"{folder}/inbox", outbox=f"{folder}/outbox", log_level="ERROR", drawing=drawing)
        arms = {
            name: _Process(arm, settings, arguments.threads)
            for name, arm in (("plain diffusers loop", _plain_arm), ("imagegen service", _service_arm))
        }
        costs: dict[str, list[Cost]] = {name: [] for name in arms}
        for turn in range(arguments.rounds):
            for name, arm in arms.items():
                costs[name].append(arm.draw(turn, arguments.requests))
        for arm in arms.values():
            arm.end()
    _report(costs, arguments)


class _Process:
    """An arm in a process of its own, idle unless asked: two would share OpenMP's threads in one."""

    def __init__(self, make: Callable[[Settings], Arm], settings: Settings, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=_work, args=(make, settings.model_dump(mode="json"), threads, there))
        self._process.start()

    def draw(self, turn: int, count: int) -> Cost:
        self._here.send((turn, count))
        return Cost(**self._here.recv())

    def end(self) -> None:
        self._here.send(None)
        self._process.join()


def _work(make: Callable[[Settings], Arm], settings: dict[str, Any], threads: int, orders: Connection) -> None:
    torch.set_num_threads(threads)
    arm = make(Settings(**settings))
    # the first picture pays for loading
    arm(-1, 1)
    while order := orders.recv():
        wall, cpu = time.perf_counter(), time.process_time()
        arm(*order)
        orders.send({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu})


def _plain_arm(settings: Settings) -> Arm:
    style = configured_styles(settings).styles[STYLE]
    return partial(_draw_plainly, _plain_pipe(settings), style, Path(settings.outbox).parent)


def _service_arm(settings: Settings) -> Arm:
    hall = Hall(settings)
    for lane in hall.lanes_open:
        lane.leases.start()
    return partial(_serve, hall, Path(settings.inbox))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="torch threads of both arms")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    return parser.parse_args()


def _plain_pipe(settings: Settings) -> Any:
    styles = configured_styles(settings)
    weights = configured_weights(settings, styles)
    vae = AutoencoderKL.from_pretrained(weights.vae(styles.vae).path, dtype=torch.float32)
    pipe = StableDiffusionXLPipeline.from_pretrained(
        weights.checkpoint(styles.styles[STYLE]).path, vae=vae, dtype=torch.float32, add_watermarker=False
    )
    pipe.scheduler = EulerAncestralDiscreteScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _draw_plainly(pipe: Any, style: Style, folder: Path, turn: int, count: int) -> None:
    for number in range(count):
        image = pipe(
            prompt=style.positive.replace("{prompt}", _prompt(number)),
            negative_prompt=style.negative.replace("{negative}", "").strip(" ,"),
            num_inference_steps=style.steps,
            guidance_scale=style.guidance_scale,
            width=style.native_size,
            height=style.native_size,
            generator=torch.Generator("cpu").manual_seed(_seed(turn, number)),
        ).images[0]
        image.save(folder / f"plain-{turn}-{number}.png")


def _serve(hall: Hall, inbox: Path, turn: int, count: int) -> None:
    for number in range(count):
        request = {"prompt": _prompt(number), "style": STYLE, "seed": _seed(turn, number)}
        (inbox / f"r{turn}-{number}.json").write_text(json.dumps(request, ensure_ascii=False))
    drained = hall.lanes.drain()
    assert not drained.pending, drained.pending
    statuses = {hall.outbox.result(name.removesuffix(".json")).status for name in drained.names}
    assert statuses == {"succeeded"}, statuses


def _prompt(number: int) -> str:
    return f"strawberry cake number {number}"


def _seed(turn: int, number: int) -> int:
    # never the same picture twice, or the store would keep it once
    return 1000 * (turn + 1) + number


def _report(costs: dict[str, list[Cost]], arguments: argparse.Namespace) -> None:
    count = arguments.requests
    walls = {name: statistics.median(cost.wall for cost in found) for name, found in costs.items()}
    cpus = {name: statistics.median(cost.cpu for cost in found) for name, found in costs.items()}
    print(f"{platform.machine()}, {os.cpu_count()} cores, {arguments.threads} torch threads, torch {torch.__version__}")
    print(f"{count} requests of style {STYLE}, 256x256, median of {arguments.rounds} rounds")
    print(f"{'arm':24} {'wall s':>8} {'requests/s':>11} {'CPU s':>8}")
    for name in costs:
        print(f"{name:24} {walls[name]:8.2f} {count / walls[name]:11.3f} {cpus[name]:8.2f}")
    plain, service = costs
    ratio = walls[service] / walls[plain]
    added = 1000 * (cpus[service] - cpus[plain]) / count
    print(f"service / plain wall time: {ratio:.3f}   added CPU per request: {added:.1f} ms")
    if arguments.json:
        figures = {name: [asdict(cost) for cost in found] for name, found in costs.items()}
        arguments.json.write_text(json.dumps({"ratio": ratio, "added_cpu_ms": added, "costs": figures}, indent=2))


if __name__ == "__main__":
    main()
