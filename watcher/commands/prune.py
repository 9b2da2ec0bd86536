"""`imagegen prune`: clear away what is old."""

import json
import re
import sys
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console

from pipeline.clock import SystemClock
from store.errors import InvalidField
from store.location import open_bucket
from watcher.commands.options import Config, InboxOption, OutboxOption
from watcher.commands.tables import pruned_table
from watcher.place import open_place
from watcher.settings import load_settings
from watcher.upkeep.prune import Prune, Pruned

_AGE = re.compile(r"([0-9]{1,5})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 24 * 7}


def prune(
    older_than: Annotated[str, typer.Option("--older-than", metavar="AGE", help="Such as 12h, 30d or 4w.")],
    results: Annotated[bool, typer.Option("--results", help="Also old manifests, and images only they name.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    inbox: InboxOption = None,
    outbox: OutboxOption = None,
    config: Config = None,
) -> None:
    """Remove old archives, quarantine, notes, temporary files, and shared references that no request needs.

    Workers may go on meanwhile.  Requests in the inbox stay, and so do manifests and images unless
    --results is given.
    """
    age = parse_age(older_than)
    settings = load_settings(config, inbox=inbox, outbox=outbox)
    place = open_place(settings.inbox, settings.s3)
    outgoing = open_bucket(settings.outbox, s3=settings.s3)
    pruned = Prune(place, outgoing, SystemClock().now).prune(age, results=results, dry_run=dry_run)
    if as_json:
        found = {"older_than": older_than, "dry_run": dry_run, **asdict(pruned)}
        sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=2) + "\n")
    else:
        _print(pruned, dry_run=dry_run)


def parse_age(text: str) -> timedelta:
    """An age such as 12h, 30d or 4w; raises InvalidField."""
    match = _AGE.fullmatch(text)
    if match is None:
        raise InvalidField(
            f"older-than: found {text!r}; allowed: a whole number of hours, days or weeks, such as 12h, 30d or 4w",
            field="older_than",
        )
    return timedelta(hours=int(match[1]) * _HOURS[match[2]])


def _print(pruned: Pruned, *, dry_run: bool) -> None:
    console = Console()
    console.print(pruned_table(pruned.removed, dry_run=dry_run))
    for remark in pruned.remarks:
        console.print(remark, highlight=False, markup=False, soft_wrap=True)
