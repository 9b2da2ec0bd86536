"""`imagegen plan`: how much device memory each kind of drawing takes, and what fits."""

import json
import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from pipeline.memory_budget import planner_of
from pipeline.memory_plan import CONTEXT, FRAGMENTED, GIB, MODES, MemoryPlan, MemoryPlanner
from pipeline.sizes import BUCKETS
from store.errors import InvalidField
from watcher.commands.options import Config, ModelsOption
from watcher.commands.tables import wide_console
from watcher.hall import configured_styles, configured_weights
from watcher.settings import BUILTIN, load_settings

_HALF = 2


def plan(
    vram: Annotated[float, typer.Option(min=1, max=1024, help="Device memory, GiB; 22 is an L4.")] = 22,
    width: Annotated[int | None, typer.Option(min=64, max=8192, help="Drawn width; with --height.")] = None,
    height: Annotated[int | None, typer.Option(min=64, max=8192, help="Drawn height.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array and nothing else.")] = False,
    models: ModelsOption = None,
    config: Config = None,
) -> None:
    """Show the memory of every mode and size in half precision, and which fit; needs no GPU."""
    if (width is None) != (height is None):
        raise InvalidField("--width and --height go together; give both or none", field="width")
    sizes = list(BUCKETS.values()) if width is None or height is None else [(width, height)]
    planner = _planner(models, config)
    plans = [planner.plan(mode, *size) for mode in MODES for size in sizes]
    available = int(vram * GIB)
    if as_json:
        sys.stdout.write(json.dumps([_told(one, available) for one in plans], indent=2) + "\n")
        return
    wide_console().print(_table(plans, available))


def _planner(models: Any, config: Any) -> MemoryPlanner:
    """By the files of the default style, or SDXL's own sizes while the built-in checkpoints stand in for it."""
    settings = load_settings(config, models=models)
    if settings.models == BUILTIN:
        return MemoryPlanner()
    styles = configured_styles(settings)
    weights = configured_weights(settings, styles)
    return planner_of(weights, styles, _HALF)(styles.find(settings.drawing.default_style))


def _told(one: MemoryPlan, available: int) -> dict[str, Any]:
    peaks = {rung: one.peak(rung) for rung in one.decode}
    return {**asdict(one), "context": CONTEXT, "peak": peaks, "available": available, "rung": one.rung(available)}


def _table(plans: list[MemoryPlan], available: int) -> Table:
    table = Table(
        title=f"GiB of device memory, half precision, one image at a time; {available / GIB:g} GiB there",
        caption=f"peak: weights and the largest phase, {FRAGMENTED - 1:.0%} for fragments, {CONTEXT / GIB:.1f} GiB for"
        " CUDA and its workspace; the ControlNet stays there until a drawing without a reference needs its room",
    )
    for column in ("mode", "drawn", "weights", "encode", "denoise", "decode", "in 512s", "in 256s", "peak", "fits"):
        table.add_column(column, justify="left" if column in ("mode", "drawn", "fits") else "right")
    for one in plans:
        rung = one.rung(available)
        spare = available - one.peak(rung or "cpu")
        fits = f"no, {-spare / GIB:.1f} short" if rung is None else f"{rung}, {spare / GIB:.1f} spare"
        decodes = (_gib(one.decode.get(name)) for name in ("whole", "tiled_512", "tiled_256"))
        table.add_row(
            one.mode, f"{one.width}x{one.height}", _gib(one.weights), _gib(one.encode), _gib(one.denoise), *decodes,
            _gib(one.peak(rung or "cpu")), fits,
        )  # fmt: skip
    return table


def _gib(size: int | None) -> str:
    return "" if not size else f"{size / GIB:.2f}"
