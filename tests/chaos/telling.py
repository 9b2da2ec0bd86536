"""Runs one storm for a person at a terminal, and tells how it ended."""

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from rich.console import Console

Blow = Callable[[int, Path], tuple[Mapping[str, object], Sequence[str]]]


def tell(prefix: str, blow: Blow) -> NoReturn:
    """Blow one storm with the seed in CHAOS_SEED, or a random one; exit code 1 if a promise was broken.

    blow: takes a seed and a folder of its own, gives figures by name and the faults.
    """
    console = Console(highlight=False)
    seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(2**32))
    folder, started = Path(tempfile.mkdtemp(prefix=prefix)), time.monotonic()
    console.print(f"CHAOS_SEED={seed}: a storm over {folder}")
    figures, faults = blow(seed, folder)
    for name, value in {**figures, "seconds": f"{time.monotonic() - started:.1f}"}.items():
        console.print(f"{name:>24}  {value}")
    for fault in faults:
        console.print(f"FAULT {fault}")
    console.print(f"{len(faults)} faults with CHAOS_SEED={seed}")
    sys.exit(1 if faults else 0)
