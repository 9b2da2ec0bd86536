"""`imagegen replay`: draw a manifest again, and say how near it comes."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console

from pipeline.versions import versions
from store.errors import InvalidField
from store.location import open_bucket
from store.manifest import ResultManifest
from watcher.commands.options import EXIT_FAILED, Config, InboxOption, ModelsOption, OutboxOption
from watcher.hall import open_generator
from watcher.place import open_place
from watcher.replay import Replay
from watcher.replay import replay as draw_again
from watcher.settings import Settings, load_settings

_SHOWN = 16


def replay(
    result: Annotated[Path, typer.Argument(metavar="RESULT.json", help="A manifest of pictures.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    inbox: InboxOption = None,
    outbox: OutboxOption = None,
    models: ModelsOption = None,
    config: Config = None,
) -> None:
    """Draw a manifest again and compare: identical, or how far (PSNR) and what is not as it was.

    Exit code 0: every picture is identical; 1: one is not; 2: it cannot be drawn again.
    """
    settings = load_settings(config, inbox=inbox, outbox=outbox, models=models)
    manifest = _read(result)
    replayed = draw_again(
        manifest,
        open_generator(_once(settings)).draw,
        open_bucket(settings.outbox, s3=settings.s3),
        open_place(settings.inbox, settings.s3),
        versions(),
        settings.drawing.limits.max_reference_bytes,
    )
    if as_json:
        sys.stdout.write(json.dumps(asdict(replayed), ensure_ascii=False, indent=2) + "\n")
    else:
        _print(replayed)
    if not replayed.identical:
        raise typer.Exit(EXIT_FAILED)


def _read(path: Path) -> ResultManifest:
    try:
        return ResultManifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InvalidField(f"{path}: not a result manifest of this version: {error}", field="result") from error


def _once(settings: Settings) -> Settings:
    """A manifest names the seeds that were kept: nothing is drawn anew from another."""
    if settings.drawing.text_guard != "retry":
        return settings
    drawing = settings.drawing.model_copy(update={"text_guard": "report"})
    return settings.model_copy(update={"drawing": drawing})


def _print(replayed: Replay) -> None:
    console = Console()
    for image in replayed.images:
        distance = "" if image.psnr is None else f", PSNR {image.psnr} dB"
        _say(console, f"{image.path}  seed {image.seed}: {image.verdict}{distance}")
    for difference in replayed.differences:
        then, now = (text[:_SHOWN] for text in (difference.then, difference.now))
        _say(console, f"{difference.what}: {then} then, {now} now")
    if not replayed.identical and not replayed.differences:
        _say(console, "nothing that a manifest names has changed; look at the CPU or GPU, and at the settings")


def _say(console: Console, line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)
