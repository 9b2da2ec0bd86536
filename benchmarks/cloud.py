"""Scale-out and idling in the cloud, over MiniStack on loopback: drawing is a stub that sleeps.

python -m benchmarks.cloud [--requests 12] [--draw-seconds 2] [--idle-seconds 180] [--json FILE]
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import botocore.client

from tests.chaos.diary import Diary
from tests.chaos.studio import SleepingStudio
from tests.cloud import servers
from tests.cloud.office import Office, open_office
from tests.cloud.servers import Address
from watcher.hall import Hall, configured_styles
from watcher.settings import load_settings

_ROOT = Path(__file__).parents[1]
_STEPS = 20
_READY = b"ready to be stopped"


def main() -> None:
    arguments = _arguments()
    figures: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server, address = servers.ministack(folder / "server")
        with server:
            os.environ |= address.environment()
            figures["scale"] = [_scale(address, folder, count, arguments) for count in (1, 2, 4)]
            print("scale", json.dumps(figures["scale"]), flush=True)
            figures["idle"] = _idle(address, folder, arguments.idle_seconds)
            print("idle", json.dumps(figures["idle"]), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=12, help="for each worker")
    parser.add_argument("--draw-seconds", type=float, default=2.0, help="how long the stub sleeps over a picture")
    parser.add_argument("--idle-seconds", type=float, default=180.0)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    return parser.parse_args()


def _scale(address: Address, folder: Path, workers: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Requests per second of so many worker processes, from the first put to the last manifest."""
    office, count = open_office(address), workers * arguments.requests
    with ExitStack() as stack:
        logs = [folder / f"worker-{workers}-{number}.log" for number in range(workers)]
        for log in logs:
            process = _worker(office, folder, log, arguments.draw_seconds / _STEPS)
            stack.callback(process.wait)
            stack.callback(process.kill)
        while not all(_READY in log.read_bytes() for log in logs):
            time.sleep(0.1)
        began = time.monotonic()
        for number in range(count):
            office.request(f"r{number:03}.json", steps=_STEPS)
        while len(office.keys("out/results/")) < count:
            time.sleep(0.1)
        seconds = time.monotonic() - began
    return {
        "workers": workers,
        "requests": count,
        "seconds": round(seconds, 1),
        "per_second": round(count / seconds, 3),
    }


def _worker(office: Office, folder: Path, log: Path, step_seconds: float) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.chaos.worker", "--diary", str(folder / "diary")]
    command += ["--inbox", office.lane.inbox, "--queue", office.queue, "--outbox", office.outbox]
    command += ["--step-seconds", str(step_seconds)]
    environment = {**os.environ, "IMAGEGEN_SCAN_SECONDS": "off", "IMAGEGEN_RESERVE_MIB": "0"}
    with log.open("wb") as stream:
        return subprocess.Popen(command, cwd=_ROOT, env=environment, stdout=stream, stderr=stream)


def _idle(address: Address, folder: Path, seconds: float) -> dict[str, Any]:
    """Every call that one worker with two lanes makes while nothing comes, from its start."""
    lanes = [open_office(address).lane, open_office(address).lane]
    settings = load_settings(None, lanes, outbox=str(folder / "out"))
    diary = Diary(folder / "diary")
    hall = Hall(settings, lambda one: SleepingStudio(one.drawing, configured_styles(one), diary))
    calls: Counter[str] = Counter()
    make = botocore.client.BaseClient._make_api_call

    def counted(client: Any, operation: str, arguments: Any) -> Any:
        calls[operation] += 1
        return make(client, operation, arguments)

    botocore.client.BaseClient._make_api_call = counted
    used = time.process_time()
    thread = threading.Thread(target=hall.lanes.serve)
    with hall.lanes.open():
        thread.start()
        time.sleep(seconds)
        found = dict(calls)
        hall.stop()
        thread.join()
    return {"seconds": seconds, "queues": len(lanes), "calls": found, "cpu": round(time.process_time() - used, 2)}


if __name__ == "__main__":
    main()
