"""Memory over many requests of three styles: resident, and allocated on the device.

Small pictures of few steps, each with words of its own, so that everything that remembers something fills up.

    python benchmarks/soak.py [--requests 1000] [--json FILE]
"""

import argparse
import gc
import tempfile
import time
from pathlib import Path

import psutil
from arms import Figures, Service, asks, machine, write

from pipeline.config import DrawingConfig
from pipeline.device import choose_device
from watcher.settings import Settings

STYLES = ("ultra_realistic", "semi_realistic", "anime")
_MIB = 1024 * 1024
_POINTS = 20
_SIDE = 64
MOST_GROWTH = 0.02


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        figures = soak(Path(folder), arguments.requests, arguments.device)
    print(f"{machine()}, 1 torch thread; {arguments.requests} requests, {_SIDE}x{_SIDE}, 2 steps")
    print(f"{'requests':>9} {'resident MiB':>13} {'device MiB':>11}")
    for point in figures["curve"]:
        print(f"{point['requests']:9} {point['resident_mib']:13.1f} {point['device_mib']:11.1f}")
    print(f"from the first fifth on: {figures['growth']:+.1%} resident (bar +-{MOST_GROWTH:.0%})")
    print(f"over the last half: {figures['growth_of_the_last_half']:+.1%}")
    write(arguments.json, figures)


def soak(folder: Path, count: int, device: str) -> Figures:
    """Carry so many requests, and look at the memory twenty times meanwhile."""
    drawing = DrawingConfig(threads=1, text_guard="off", device=device)
    settings = Settings(inbox=f"{folder}/inbox", outbox=f"{folder}/outbox", log_level="ERROR", drawing=drawing)
    service, chosen, curve = Service(settings), choose_device(device), []
    share, started = max(1, count // _POINTS), time.monotonic()
    for turn in range(-(-count // share)):
        wanted = asks(turn, min(share, count - turn * share), STYLES, references=0.2)
        service.serve(wanted, width=_SIDE, height=_SIDE, steps=2)
        gc.collect()
        resident = psutil.Process().memory_info().rss
        on_device = chosen.memory() if chosen.name.startswith("cuda") else 0
        curve.append(
            {
                "requests": min(count, (turn + 1) * share),
                "resident_mib": round(resident / _MIB, 1),
                "device_mib": round(on_device / _MIB, 1),
            }
        )
    warm, late = curve[len(curve) // 5 :], curve[len(curve) // 2 :]
    return {
        "requests": count,
        "seconds": round(time.monotonic() - started, 1),
        "curve": curve,
        "growth": warm[-1]["resident_mib"] / warm[0]["resident_mib"] - 1,
        "growth_of_the_last_half": late[-1]["resident_mib"] / late[0]["resident_mib"] - 1,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
