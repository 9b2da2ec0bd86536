"""The commands around checkpoints: list, pull, verify."""

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from pipeline.download import pull as pull_weights
from pipeline.lock import verify as verify_weights
from pipeline.pulled import status
from pipeline.styles import load_styles
from watcher.commands.options import EXIT_FAILED, Config
from watcher.commands.tables import wide_console
from watcher.settings import BUILTIN, Settings, load_settings

_MIB = 1024 * 1024

app = typer.Typer(help="List, download and verify checkpoints.", no_args_is_help=True)
console = Console()

Folder = Annotated[Path | None, typer.Option("--models", help="Folder of pulled checkpoints.")]


@app.command("list")
def list_models(models: Folder = None, config: Config = None) -> None:
    """Show every checkpoint, the VAE and the ControlNet: where from, which revision, and whether it is here."""
    settings = load_settings(config)
    table = Table("name", "repository", "revision", "MiB", "state", "licence", box=SIMPLE_HEAD, pad_edge=False)
    for listed in status(_folder(models, settings), load_styles(settings.styles)):
        revision = (listed.revision or "newest")[:12]
        table.add_row(listed.name, listed.repo, revision, str(listed.bytes // _MIB), listed.state, listed.licence)
    wide_console().print(table)


@app.command()
def pull(
    style: Annotated[list[str] | None, typer.Option("--style", help="Only this style; may be repeated.")] = None,
    models: Folder = None,
    config: Config = None,
) -> None:
    """Download the checkpoints of the styles, the VAE and the ControlNet; may be interrupted and repeated.

    What is not pinned in the configuration is resolved once and written to models.lock in the folder,
    with the SHA-256 of every file, and used ever after.
    """
    settings = load_settings(config)
    folder = _folder(models, settings)
    pull_weights(folder, load_styles(settings.styles), style, _say)
    _say(f"ready; draw with: imagegen run --models {folder}")


@app.command()
def verify(models: Folder = None, config: Config = None) -> None:
    """Re-hash every downloaded file against models.lock; exit code 1 if one is missing or changed."""
    folder = _folder(models, load_settings(config))
    verification = verify_weights(folder, _say)
    if verification.repositories == 0:
        _say(f"nothing was pulled into {folder}; run: imagegen models pull --models {folder}")
        raise typer.Exit(EXIT_FAILED)
    _say(f"{verification.files} files, {verification.bytes // _MIB} MiB, {len(verification.flaws)} faults")
    for flaw in verification.flaws:
        _say(f"✗ {flaw.message}")
    if not verification.ok:
        raise typer.Exit(EXIT_FAILED)


def _folder(models: Path | None, settings: Settings) -> Path:
    if models is not None:
        return models.expanduser()
    return settings.cache / "models" if settings.models == BUILTIN else Path(settings.models).expanduser()


def _say(line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)
