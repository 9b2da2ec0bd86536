"""`imagegen submit`: drop a request, and wait for it if asked to."""

import time
from typing import Annotated

import typer
from pydantic import JsonValue
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as ProgressBar

from pipeline.clock import SystemClock
from store.errors import InvalidField
from store.location import open_bucket
from store.manifest import ResultManifest
from store.outbox import Outbox
from watcher.commands.options import (
    EXIT_FAILED,
    EXIT_PENDING,
    Config,
    InboxOption,
    NegativePrompt,
    OutboxOption,
    Reference,
    Seed,
)
from watcher.names import SUFFIX, request_id
from watcher.settings import load_settings
from watcher.submit import await_result, drop, look_seconds, new_id

console = Console()


def submit(
    prompt: Annotated[str, typer.Argument(help="What to draw, in Korean or English.")],
    reference: Reference = None,
    style: Annotated[str | None, typer.Option(help="auto, ultra_realistic, semi_realistic or anime.")] = None,
    user_input: Annotated[str | None, typer.Option(help="Extra words of the end user.")] = None,
    purpose: Annotated[str | None, typer.Option(help="feed, banner, product, …: gives the aspect ratio.")] = None,
    negative_prompt: NegativePrompt = None,
    aspect_ratio: Annotated[str | None, typer.Option(help="1:1, 4:3, 16:9, …")] = None,
    width: Annotated[int | None, typer.Option(help="Pixels; with --height.")] = None,
    height: Annotated[int | None, typer.Option(help="Pixels; with --width.")] = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps.")] = None,
    num_images: Annotated[int | None, typer.Option(help="Pictures to draw.")] = None,
    seed: Seed = None,
    identifier: Annotated[str | None, typer.Option("--id", help="Id of the request; default: the time.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the result and print the image paths.")] = False,
    timeout: Annotated[float, typer.Option(help="Longest wait, seconds.")] = 3600.0,
    inbox: InboxOption = None,
    outbox: OutboxOption = None,
    config: Config = None,
) -> None:
    """Drop a request into the inbox, atomically, the way a backend should.

    Prints the id.  With --wait: shows the progress and ends with the image paths (exit code 0) or the
    error of the result (exit code 1).
    """
    settings = load_settings(config, inbox=inbox, outbox=outbox)
    fields = {
        "prompt": prompt,
        "user_input": user_input,
        "style": style,
        "purpose": purpose,
        "negative_prompt": negative_prompt,
        "aspect_ratio": aspect_ratio,
        "width": width,
        "height": height,
        "steps": steps,
        "num_images": num_images,
        "seed": seed,
    }
    chosen = new_id(SystemClock()) if identifier is None else _checked(identifier)
    results = Outbox(open_bucket(settings.outbox, make=True, s3=settings.s3))
    drop(open_bucket(settings.inbox, make=True, s3=settings.s3), results, chosen, fields, reference)
    console.print(chosen, highlight=False)
    if wait:
        _print_result(_wait_for(results, chosen, timeout, look_seconds(settings.outbox)), settings.outbox)


def _checked(identifier: str) -> str:
    if request_id(identifier + SUFFIX) != identifier:
        raise InvalidField(
            f"id: found {identifier!r}; allowed: at most 128 letters, digits, '.', '_' and '-'", field="id"
        )
    return identifier


def _wait_for(outbox: Outbox, identifier: str, seconds: float, every: float) -> ResultManifest | None:
    with ProgressBar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("waiting for a worker", total=None)

        def show(progress: dict[str, JsonValue]) -> None:
            step, steps = progress.get("step"), progress.get("steps")
            known = isinstance(step, int) and isinstance(steps, int) and steps > 0
            bar.update(
                task,
                description=str(progress.get("node")),
                completed=float(step) if known and isinstance(step, int) else 0,
                total=float(steps) if known and isinstance(steps, int) else None,
            )

        return await_result(outbox, identifier, show, time.sleep, seconds, every)


def _print_result(result: ResultManifest | None, outbox: str) -> None:
    if result is None:
        console.print("no result yet; is `imagegen run` up on this inbox and outbox?", highlight=False)
        raise typer.Exit(EXIT_PENDING)
    for warning in result.warnings:
        console.print(f"[yellow]warning[/] {escape(warning)}", highlight=False, soft_wrap=True)
    for image in result.images:
        console.print(f"{outbox}/{image.path}", highlight=False, markup=False, soft_wrap=True)
    if result.error is not None:
        sentence = escape(f"{result.error.code}: {result.error.message}")
        console.print(f"[red]{result.status}[/] {sentence}", highlight=False, soft_wrap=True)
        raise typer.Exit(EXIT_FAILED)
