"""The inbox alone, drawing with a stub that takes no time: waiting requests, idling, latency and memory.

python benchmarks/inbox.py [--waiting 10000] [--drops 300] [--idle-seconds 30] [--requests 20000] [--json FILE]
"""

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from pipeline.drawing import Drawing
from pipeline.progress import Progress
from pipeline.recollection import Recall, never
from store.digest import Digest
from store.manifest import ModelsRecord, PromptRecord, SamplingRecord, WeightsRecord
from store.outbox import EncodedImage
from watcher.claim import Claim
from watcher.hall import Hall
from watcher.settings import Settings

_REQUEST = json.dumps({"prompt": "하얀 접시 위의 딸기 케이크", "style": "anime"}, ensure_ascii=False).encode()
_WEIGHTS = WeightsRecord(repo="stub", revision=None, sha256=Digest.of(b"stub"))
_MIB = 1024 * 1024
_AHEAD = 50
_POINT = 1000


def main() -> None:
    arguments = _arguments()
    figures: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
    }
    for name, measure, size in (
        ("waiting", _waiting, arguments.waiting),
        ("latency", _latency, arguments.drops),
        ("idle", _idle, arguments.idle_seconds),
        ("memory", _memory, arguments.requests),
    ):
        if size:
            figures[name] = _in_a_process_of_its_own(measure, size)
            print(name, json.dumps(figures[name]), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waiting", type=int, default=10_000, help="requests that wait at the start; 0: leave out")
    parser.add_argument("--drops", type=int, default=300, help="requests dropped one by one; 0: leave out")
    parser.add_argument("--idle-seconds", type=int, default=30, help="how long to watch an idle service; 0: leave out")
    parser.add_argument("--requests", type=int, default=20_000, help="requests for the memory curve; 0: leave out")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    return parser.parse_args()


def _in_a_process_of_its_own(measure: Callable[[Path, int], dict[str, Any]], size: int) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory() as folder,
        multiprocessing.get_context("spawn").Pool(1) as pool,
    ):
        return pool.apply(measure, (Path(folder), size))


class _Stub:
    """Draws at once; every request gets bytes of its own."""

    def draw(
        self, request: Any, reference: Any = None, *, seed: int, progress: Progress, recall: Recall = never
    ) -> Drawing:
        image = EncodedImage(data=b"stub" + seed.to_bytes(8, "big"), width=64, height=64, format="png", seed=seed)
        return Drawing(
            branch="text2image",
            images=(image,),
            prompt=PromptRecord(positive="", negative="", style="anime", style_reason="stub", extractor="stub"),
            models=ModelsRecord(checkpoint=_WEIGHTS, vae=_WEIGHTS),
            sampling=_sampling(seed),
            nodes=(),
            warnings=(),
        )

    def close(self) -> None:
        pass


def _sampling(seed: int) -> SamplingRecord:
    return SamplingRecord(
        scheduler="stub", steps=1, guidance_scale=1.0, width=64, height=64, drawn_width=64, drawn_height=64,
        num_images=1, seed=seed, output_format="png", device="cpu", dtype="float32",
    )  # fmt: skip


_Carry = Callable[[Claim], None]


class _Service:
    """A hall with the stub, which notes when each claim was won."""

    def __init__(self, folder: Path) -> None:
        settings = Settings(
            inbox=str(folder / "inbox"), outbox=str(folder / "outbox"), window=4, log_level="ERROR", reserve_mib=0
        )
        self.inbox = folder / "inbox"
        self.hall = Hall(settings, lambda settings: _Stub())
        self.claimed: dict[str, float] = {}
        self.ended = threading.Semaphore(0)
        self._start = self.hall.window.start
        self.hall.window.start = self._note_and_start

    def _note_and_start(self, lane: str, claim: Claim, carry: _Carry, ended: _Carry) -> None:
        self.claimed[claim.name] = time.monotonic()

        def carry_and_tell(claim: Claim) -> None:
            carry(claim)
            self.ended.release()

        self._start(lane, claim, carry_and_tell, ended)

    @contextmanager
    def serving(self) -> Iterator[None]:
        thread = threading.Thread(target=self.hall.lanes.serve)
        with self.hall.lanes.open():
            thread.start()
            try:
                yield
            finally:
                self.hall.stop()
                thread.join()

    def drop(self, name: str) -> float:
        """Publish a request as a backend should; the moment of its rename."""
        temporary = self.inbox / f".{name}.tmp"
        temporary.write_bytes(_REQUEST)
        now = time.monotonic()
        temporary.rename(self.inbox / name)
        return now


def _waiting(folder: Path, count: int) -> dict[str, Any]:
    service = _Service(folder)
    for number in range(count):
        (service.inbox / f"{number:06}.json").write_bytes(_REQUEST)
    bare, scan = [], []
    for _ in range(7):
        bare.append(_seconds(lambda: list(os.scandir(service.inbox))))
        scan.append(_seconds(service.hall.lanes_open[0].service.inbox.scan))
    started = time.monotonic()
    with service.serving():
        service.ended.acquire()
    first = min(service.claimed.values()) - started
    return {
        "requests": count,
        "scan_ms": round(statistics.median(scan) * 1000, 1),
        "scan_over_bare_scandir": round(statistics.median(scan) / statistics.median(bare), 2),
        "first_claim_ms": round(first * 1000, 1),
    }


def _latency(folder: Path, count: int) -> dict[str, Any]:
    service = _Service(folder)
    delays = []
    with service.serving():
        for number in range(count):
            name = f"{number:06}.json"
            dropped = service.drop(name)
            service.ended.acquire()
            delays.append((service.claimed[name] - dropped) * 1000)
    delays.sort()
    return {
        "drops": count,
        "p50_ms": round(delays[len(delays) // 2], 1),
        "p99_ms": round(delays[int(len(delays) * 0.99)], 1),
        "worst_ms": round(delays[-1], 1),
    }


def _idle(folder: Path, seconds: int) -> dict[str, Any]:
    service = _Service(folder)
    with service.serving():
        service.drop("first.json")
        service.ended.acquire()
        before = time.process_time()
        time.sleep(seconds)
        used = time.process_time() - before
    return {"seconds": seconds, "cpu_percent_of_a_core": round(100 * used / seconds, 3)}


def _memory(folder: Path, count: int) -> dict[str, Any]:
    service, curve = _Service(folder), []
    started = time.monotonic()
    with service.serving():
        for number in range(count):
            service.drop(f"{number:06}.json")
            if number >= _AHEAD:
                service.ended.acquire()
            if (number + 1) % _POINT == 0:
                service.claimed.clear()
                curve.append(round(psutil.Process().memory_info().rss / _MIB, 1))
        for _ in range(min(count, _AHEAD)):
            service.ended.acquire()
    warm = curve[len(curve) // 10 :]
    return {
        "requests": count,
        "requests_per_second": round(count / (time.monotonic() - started), 1),
        "rss_mib": curve,
        "last_over_first_warm": round(warm[-1] / warm[0], 3) if warm else None,
    }


def _seconds(call: Callable[[], object]) -> float:
    started = time.monotonic()
    call()
    return time.monotonic() - started


if __name__ == "__main__":
    main()
