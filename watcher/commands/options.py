"""What the commands have in common: options and exit codes."""

from pathlib import Path
from typing import Annotated

import typer

# 0 is success
EXIT_FAILED, EXIT_MISUSED, EXIT_PENDING = 1, 2, 3

Config = Annotated[Path | None, typer.Option("--config", help="Configuration file; default ./imagegen.toml.")]
InboxOption = Annotated[
    str | None, typer.Option("--inbox", help="Where requests come in: a folder, or s3://bucket/prefix.")
]
InboxOptions = Annotated[
    list[str] | None, typer.Option("--inbox", help="Where requests come in; may be repeated, each with its --queue.")
]
QueueOptions = Annotated[
    list[str] | None, typer.Option("--queue", help="URL of the queue that announces an inbox in S3.")
]
OutboxOption = Annotated[
    str | None, typer.Option("--outbox", help="Where results go: a folder, or s3://bucket/prefix.")
]
ModelsOption = Annotated[str | None, typer.Option("--models", help="Folder of pulled checkpoints, or 'builtin'.")]
Reference = Annotated[Path | None, typer.Option("--reference", help="A picture to follow.")]
NegativePrompt = Annotated[str | None, typer.Option(help="What to keep out of the picture.")]
Seed = Annotated[int | None, typer.Option(help="The same seed gives the same picture.")]
