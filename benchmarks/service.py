"""The service against a plain diffusers loop, on the same built-in checkpoint.

Both arms draw the same requests of one style, with the same words, steps, sizes and seeds, in turns;
the service also watches, claims, validates, hashes, stores and reports.  Neither looks for lettering.

    python benchmarks/service.py [--requests 20] [--rounds 5] [--threads 1] [--json FILE]
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from arms import DRAWN, Arm, Figures, PlainLoop, Process, Service, asks, machine, write

from pipeline.config import DrawingConfig
from watcher.settings import Settings

STYLE = "anime"
LEAST_RATIO, MOST_ADDED_MS = 0.95, 5.0


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        drawing = DrawingConfig(threads=arguments.threads, text_guard="off")
        arms = {
            name: Process(make, _settings(Path(folder) / name, drawing), arguments.threads)
            for name, make in (("plain", plain_arm), ("service", service_arm))
        }
        rounds: dict[str, list[Figures]] = {name: [] for name in arms}
        for turn in range(arguments.rounds):
            # who begins changes, because the machine is not equally busy all the time
            for name in sorted(arms, reverse=bool(turn % 2)):
                rounds[name].append(arms[name].draw(turn, arguments.requests))
        for arm in arms.values():
            arm.end()
    _report(rounds, arguments)


def plain_arm(settings: Settings) -> Arm:
    loop = PlainLoop(settings, keep_all=True)

    def draw(turn: int, count: int) -> Figures:
        for ask in asks(turn, count, [STYLE], references=0):
            loop.draw(ask)
        return {}

    return draw


def service_arm(settings: Settings) -> Arm:
    service = Service(settings)

    def draw(turn: int, count: int) -> Figures:
        service.serve(asks(turn, count, [STYLE], references=0))
        return {}

    return draw


def _settings(folder: Path, drawing: DrawingConfig) -> Settings:
    folder.mkdir()
    return Settings(
        inbox=f"{folder}/inbox", outbox=f"{folder}/outbox", log_level="ERROR", drawing=drawing, styles={STYLE: DRAWN}
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="torch threads of both arms")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    return parser.parse_args()


def _report(rounds: dict[str, list[Figures]], arguments: argparse.Namespace) -> None:
    count = arguments.requests
    walls = {name: statistics.median(one["wall"] for one in found) for name, found in rounds.items()}
    cpus = {name: statistics.median(one["cpu"] for one in found) for name, found in rounds.items()}
    # of neighbours in time, because the machine is not equally busy all the time
    pairs = list(zip(rounds["plain"], rounds["service"], strict=True))
    ratio = statistics.median(plain["wall"] / service["wall"] for plain, service in pairs)
    added = statistics.median(1000 * (service["cpu"] - plain["cpu"]) / count for plain, service in pairs)
    print(f"{machine()}, {arguments.threads} torch threads")
    print(f"{count} requests of style {STYLE}, median of {arguments.rounds} rounds")
    print(f"{'arm':10} {'wall s':>8} {'requests/s':>11} {'CPU s':>8}")
    for name in rounds:
        print(f"{name:10} {walls[name]:8.2f} {count / walls[name]:11.3f} {cpus[name]:8.2f}")
    print(f"requests/s, service of plain: {ratio:.3f} (bar {LEAST_RATIO})")
    print(f"added CPU a request: {added:.1f} ms (bar {MOST_ADDED_MS:g})")
    write(arguments.json, {"ratio": ratio, "added_cpu_ms": added, "rounds": rounds})


if __name__ == "__main__":
    main()
