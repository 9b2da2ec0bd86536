"""Three styles, shuffled, a fifth with a reference: what style changes cost us, and what they cost a plain loop.

The arms, each in a process of its own, in turns:

    reload    a plain diffusers loop that unloads one checkpoint and loads the next at each style change
    resident  a plain diffusers loop with all three checkpoints in memory
    ours      the service, which keeps one checkpoint on the device
    one style the service over the same requests, all of them in one style

    python benchmarks/mixed.py [--requests 60] [--rounds 3] [--threads 1] [--json FILE]
"""

import argparse
import itertools
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from arms import DRAWN, Arm, Figures, PlainLoop, Process, Service, asks, machine, write

from pipeline.config import DrawingConfig
from store.manifest import ResultManifest
from watcher.settings import Settings

STYLES = ("ultra_realistic", "semi_realistic", "anime")
REFERENCES = 0.2
LEAST_OF_ONE_STYLE = 0.95


def main() -> None:
    arguments = _arguments()
    kinds = {
        "reload": partial(plain_arm, keep_all=False),
        "resident": partial(plain_arm, keep_all=True),
        "ours": service_arm,
        "one style": partial(service_arm, only="anime"),
    }
    with tempfile.TemporaryDirectory() as folder:
        arms = {
            name: Process(make, mixed_settings(Path(folder) / name.replace(" ", "-"), arguments), arguments.threads)
            for name, make in kinds.items()
        }
        rounds: dict[str, list[Figures]] = {name: [] for name in arms}
        for turn in range(arguments.rounds):
            # who begins changes, because the machine is not equally busy all the time
            for name in list(arms)[:: -1 if turn % 2 else 1]:
                rounds[name].append(arms[name].draw(turn, arguments.requests))
        for arm in arms.values():
            arm.end()
    _report(rounds, arguments)


def plain_arm(settings: Settings, *, keep_all: bool) -> Arm:
    loop = PlainLoop(settings, keep_all=keep_all)

    def draw(turn: int, count: int) -> Figures:
        wanted = asks(turn, count, STYLES, references=REFERENCES)
        for ask in wanted:
            loop.draw(ask)
        changes = sum(one.style != other.style for one, other in itertools.pairwise(wanted))
        return {"swaps": 0 if keep_all else changes}

    return draw


def service_arm(settings: Settings, *, only: str | None = None) -> Arm:
    service = Service(settings)

    def draw(turn: int, count: int) -> Figures:
        wanted = asks(turn, count, STYLES, references=REFERENCES)
        if only is not None:
            wanted = [replace(ask, style=only) for ask in wanted]
        return told(service.serve(wanted))

    return draw


def told(results: Sequence[ResultManifest]) -> Figures:
    """Swaps and the seconds they took, and the seconds of drawing without them."""
    details = [node for result in results for node in result.nodes if "swap_seconds" in node.detail]
    swaps = [float(str(node.detail["swap_seconds"])) for node in details]
    return {
        "swaps": sum(seconds > 0 for seconds in swaps),
        "swap_seconds": sum(swaps),
        "drawing_seconds": sum(node.seconds for node in details) - sum(swaps),
    }


def mixed_settings(folder: Path, arguments: argparse.Namespace) -> Settings:
    folder.mkdir()
    drawing = DrawingConfig(threads=arguments.threads, text_guard="off", device=arguments.device)
    styles = {name: {**DRAWN, "guidance_scale": 5.0} for name in STYLES}
    return Settings(
        inbox=f"{folder}/inbox", outbox=f"{folder}/outbox", log_level="ERROR", drawing=drawing, styles=styles
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="torch threads of all arms")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    return parser.parse_args()


def _report(rounds: dict[str, list[Figures]], arguments: argparse.Namespace) -> None:
    count = arguments.requests
    print(f"{machine()}, {arguments.threads} torch threads")
    print(f"{count} requests, three styles shuffled, a fifth with a reference; median of {arguments.rounds} rounds")
    print(f"{'arm':10} {'wall s':>8} {'requests/s':>11} {'swaps':>6} {'ours is':>8}")
    ratios = {}
    for name, found in rounds.items():
        wall = statistics.median(one["wall"] for one in found)
        swaps = statistics.median(one["swaps"] for one in found)
        # of neighbours in time, because the machine is not equally busy all the time
        pairs = zip(found, rounds["ours"], strict=True)
        ratios[name] = statistics.median(one["wall"] / ours["wall"] for one, ours in pairs)
        print(f"{name:10} {wall:8.2f} {count / wall:11.3f} {swaps:6.0f} {ratios[name]:7.3f}x")
    print(f"requests/s, ours of one style: {ratios['one style']:.3f} (bar {LEAST_OF_ONE_STYLE})")
    write(arguments.json, {"ours_over": ratios, "rounds": rounds})


if __name__ == "__main__":
    main()
