"""A style change and the first drawing step behind it: ours, beside unloading and `from_pretrained`.

Random checkpoints of 1.8 GB each in SDXL's layout (5.5 GB on disk, made on the spot), 64 x 64 pixels and one step, so
that the weights dominate.  The arms, each in a process of its own, in turns, each change to another style:

    reload    a plain diffusers loop: del pipe; gc.collect(); from_pretrained
    kept      ours, with checkpoints kept in the host's memory
    streamed  ours, reading from disk (the page cache) each time

    python benchmarks/swap.py [--rounds 10] [--swaps 5] [--threads 2] [--toy] [--models DIR] [--json FILE]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
from arms import Arm, Ask, Figures, PlainLoop, Process, machine, write
from full_size import MEDIUM, TOY, write_weights

from pipeline.config import DrawingConfig
from store.digest import Digest
from watcher.hall import open_generator
from watcher.settings import Settings

STYLES = ("ultra_realistic", "semi_realistic", "anime")
LEAST_RATIO, MOST_GROWTH = 1.5, 0.02
_KEPT_GB = 12
_MIB = 1024 * 1024


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        models = arguments.models or Path(folder) / "models"
        if not models.exists():
            models.mkdir(parents=True)
            write_weights(models, TOY if arguments.toy else MEDIUM, "cpu")
        kinds: dict[str, tuple[Callable[[Settings], Arm], float]] = {
            "reload": (plain_arm, 0), "kept": (our_arm, _KEPT_GB), "streamed": (our_arm, 0)
        }  # fmt: skip
        arms = {
            name: Process(make, _settings(Path(folder) / name, models, kept, arguments), arguments.threads)
            for name, (make, kept) in kinds.items()
        }
        rounds: dict[str, list[Figures]] = {name: [] for name in arms}
        for turn in range(arguments.rounds):
            # who begins changes, because the machine is not equally busy all the time
            for name in list(arms)[:: -1 if turn % 2 else 1]:
                rounds[name].append(arms[name].draw(turn, arguments.swaps))
        for arm in arms.values():
            arm.end()
    _report(rounds, arguments)


def plain_arm(settings: Settings) -> Arm:
    loop = PlainLoop(settings, keep_all=False)
    return partial(_changes, loop.draw)


def our_arm(settings: Settings) -> Arm:
    generator = open_generator(settings)
    pictures: list[bytes] = []

    def draw(ask: Ask) -> None:
        drawing = generator.generate_image(
            ask.words, prompt_mode="raw", negative_prompt="text, watermark, low quality", style=ask.style, seed=ask.seed
        )
        pictures.append(drawing.images[0].data)

    def arm(turn: int, count: int) -> Figures:
        pictures.clear()
        found = _changes(draw, turn, count)
        return {**found, "pictures": Digest.of(b"".join(pictures))}

    return arm


def _changes(draw: Callable[[Ask], None], turn: int, count: int) -> Figures:
    """Seconds of each style change with its first drawing step, and the memory behind them."""
    times = []
    for number in range(count):
        style = STYLES[(turn * count + number) % len(STYLES)]
        started = time.perf_counter()
        draw(Ask(number=number, style=style, seed=1000 * (turn + 2) + number, referenced=False))
        times.append(time.perf_counter() - started)
    return {"seconds": times, "resident_mib": psutil.Process().memory_info().rss / _MIB}


def _settings(folder: Path, models: Path, kept: float, arguments: argparse.Namespace) -> Settings:
    folder.mkdir()
    size = (TOY if arguments.toy else MEDIUM).native_size
    styles = {name: {"steps": 1, "guidance_scale": 5.0, "native_size": size} for name in STYLES}
    drawing = DrawingConfig(threads=arguments.threads, text_guard="off", device="cpu", host_cache_gb=kept)
    return Settings(
        inbox=f"{folder}/inbox", outbox=f"{folder}/outbox", models=str(models), log_level="ERROR", drawing=drawing,
        styles=styles,
    )  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--swaps", type=int, default=5, help="style changes a round")
    parser.add_argument("--threads", type=int, default=2, help="torch threads of all arms")
    parser.add_argument("--toy", action="store_true", help="the built-in checkpoints' size")
    parser.add_argument("--models", type=Path, help="make the checkpoints here and keep them, or use those here")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    return parser.parse_args()


def _report(rounds: dict[str, list[Figures]], arguments: argparse.Namespace) -> None:
    count = arguments.rounds * arguments.swaps
    print(f"{machine()}, {arguments.threads} torch threads; {count} style changes, each with a drawing step")
    print(f"{'arm':10} {'seconds':>8} {'reload is':>10} {'MiB':>8} {'growth':>8}")
    ratios, growths = {}, {}
    for name, found in rounds.items():
        seconds = statistics.median(time for one in found for time in one["seconds"])
        # of neighbours in time, because the machine is not equally busy all the time
        pairs = zip(rounds["reload"], found, strict=True)
        ratios[name] = statistics.median(sum(theirs["seconds"]) / sum(one["seconds"]) for theirs, one in pairs)
        memory = [one["resident_mib"] for one in found]
        growths[name] = memory[-1] / memory[0] - 1
        print(f"{name:10} {seconds:8.3f} {ratios[name]:9.2f}x {memory[-1]:8.0f} {growths[name]:+8.2%}")
    same = [one["pictures"] for one in rounds["kept"]] == [one["pictures"] for one in rounds["streamed"]]
    print(f"bars: {LEAST_RATIO} from the host's memory, +-{MOST_GROWTH:.0%}; pictures of both ways equal: {same}")
    write(arguments.json, {"ratios": ratios, "growths": growths, "equal": same, "rounds": rounds})


if __name__ == "__main__":
    main()
