"""The command line: every command of `imagegen`."""

import json
import os
import sys
from importlib.metadata import version as installed_version
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from pipeline.request import GenerationRequest
from store.errors import DeviceLost, InvalidField, ServiceError
from store.location import open_bucket
from store.manifest import ResultManifest
from store.verify import verify as verify_outbox
from watcher.commands import models
from watcher.commands.cancel import cancel
from watcher.commands.generate import generate
from watcher.commands.health import health
from watcher.commands.lanes import load_settings_of_lanes
from watcher.commands.options import (
    EXIT_FAILED,
    EXIT_MISUSED,
    Config,
    InboxOptions,
    ModelsOption,
    OutboxOption,
    QueueOptions,
)
from watcher.commands.plan import plan
from watcher.commands.prompt import prompt
from watcher.commands.prune import prune
from watcher.commands.redrive import redrive
from watcher.commands.replay import replay
from watcher.commands.run import run
from watcher.commands.status import status
from watcher.commands.submit import submit
from watcher.commands.tables import findings_table, wide_console
from watcher.doctor import examine
from watcher.settings import load_settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def about(version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False) -> None:
    """Request files in an inbox become pictures and a result manifest in an outbox."""
    if version:
        Console().print(f"imagegen {installed_version('imagegen')}", highlight=False)
        raise typer.Exit


app.command()(run)
app.command()(submit)
app.command()(generate)
app.command()(prompt)
app.command()(plan)
app.command()(status)
app.command()(cancel)
app.command()(redrive)
app.command()(replay)
app.command()(prune)
app.command()(health)
app.add_typer(models.app, name="models")


def main() -> None:
    """Run a command; an error of the house becomes one sentence and exit code 2.

    The exit code of a lost device is 1: nothing is to be corrected, and a supervisor starts such a worker again.
    """
    # said through the environment because both libraries read it while they are imported
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    try:
        app()
    except ServiceError as error:
        sentence = escape(f"{error.code}: {error.message}")
        Console(stderr=True).print(f"[red]error[/] {sentence}", highlight=False, soft_wrap=True)
        sys.exit(EXIT_FAILED if isinstance(error, DeviceLost) else EXIT_MISUSED)


@app.command()
def schema(document: Annotated[str, typer.Argument(help="request or result")]) -> None:
    """Print the JSON Schema of a document."""
    kinds: dict[str, type[GenerationRequest] | type[ResultManifest]] = {
        "request": GenerationRequest,
        "result": ResultManifest,
    }
    if document not in kinds:
        raise InvalidField(f"document: found {document!r}; allowed: request, result", field="document")
    found = kinds[document].model_json_schema(mode="validation" if document == "request" else "serialization")
    # not through rich, which would wrap long lines
    sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")


@app.command()
def doctor(
    inbox: InboxOptions = None,
    queue: QueueOptions = None,
    outbox: OutboxOption = None,
    models: ModelsOption = None,
    config: Config = None,
) -> None:
    """Check device, memory, checkpoints, folders, queues and versions; exit code 1 if anything is missing."""
    findings = examine(load_settings_of_lanes(inbox or [], queue or [], config, outbox=outbox, models=models))
    wide_console().print(findings_table(findings))
    if not all(finding.well for finding in findings):
        raise typer.Exit(EXIT_FAILED)


@app.command()
def verify(
    outbox: Annotated[str, typer.Argument(help="The outbox to check: a folder, or s3://bucket/prefix.")],
    config: Config = None,
) -> None:
    """Re-hash every image and check that every manifest's images exist; exit code 1 and a list if not."""
    verdict = verify_outbox(open_bucket(outbox, s3=load_settings(config).s3))
    console = Console()
    for fault in verdict.faults:
        console.print(f"[red]✗[/] {escape(fault.key)}: {escape(fault.problem)}", highlight=False, soft_wrap=True)
    console.print(f"{verdict.blobs} images, {verdict.manifests} manifests, {len(verdict.faults)} faults")
    if verdict.faults:
        raise typer.Exit(EXIT_FAILED)
