"""`imagegen status`: what waits, what is drawn, and what became of the rest."""

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from pipeline.clock import SystemClock
from store.location import open_bucket
from watcher.commands.options import Config, InboxOption, OutboxOption
from watcher.commands.tables import counts_table, running_table, waiting_table, wide_console
from watcher.place import open_place
from watcher.settings import load_settings
from watcher.upkeep.running import Workers
from watcher.upkeep.status import Status
from watcher.upkeep.status import status as read_status
from watcher.worker import Worker


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    inbox: InboxOption = None,
    outbox: OutboxOption = None,
    config: Config = None,
) -> None:
    """Show what is pending, running with its progress, done, failed and quarantined; changes nothing."""
    settings = load_settings(config, inbox=inbox, outbox=outbox)
    place = open_place(settings.inbox, settings.s3)
    outgoing = open_bucket(settings.outbox, s3=settings.s3)
    workers = Workers(place, outgoing, settings.lease_seconds, Worker.this_process(), SystemClock().now)
    found = read_status(place, outgoing, workers)
    if as_json:
        sys.stdout.write(json.dumps(asdict(found), ensure_ascii=False, indent=2) + "\n")
    else:
        _print(found)


def _print(found: Status) -> None:
    console = wide_console()
    console.print(counts_table(found.counts))
    if found.running:
        console.print(running_table(found.running))
    if found.pending:
        console.print(waiting_table(found.pending))
