"""`imagegen redrive`: submit requests from quarantine again, under new ids."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from pipeline.clock import SystemClock
from store.errors import InvalidField
from store.location import open_bucket
from watcher.commands.options import EXIT_FAILED, Config, InboxOption, OutboxOption
from watcher.place import open_place
from watcher.settings import load_settings
from watcher.upkeep.quarantine import Quarantined, cancelled, quarantined
from watcher.upkeep.redrive import Redrive, Redriven


def redrive(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID…", help="Failed, rejected, cancelled ones.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every failed request in quarantine.")] = False,
    rejected: Annotated[bool, typer.Option("--rejected", help="With --all: the rejected ones too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list and nothing else.")] = False,
    inbox: InboxOption = None,
    outbox: OutboxOption = None,
    config: Config = None,
) -> None:
    """Submit the same bytes again as ID.r1, ID.r2, …; the old manifest stays.

    Prints "old -> new" for each; exit code 1 if one was not found or had to stay in quarantine.
    """
    if everything == bool(ids) or (rejected and not everything):
        raise InvalidField("redrive: name ids, or --all (with --rejected if you like), not both", field="ids")
    settings = load_settings(config, inbox=inbox, outbox=outbox)
    place = open_place(settings.inbox, settings.s3)
    outgoing = open_bucket(settings.outbox, s3=settings.s3)
    there = quarantined(place, outgoing)
    if everything:
        chosen = _of_status(there, {"failed", "rejected"} if rejected else {"failed"})
    else:
        wanted = frozenset(ids or [])
        chosen = [item for item in [*there, *cancelled(place, outgoing, wanted)] if item.id in wanted]
    outcomes = [*Redrive(place, outgoing, SystemClock()).again(chosen), *_missing(chosen, ids or [])]
    _print(outcomes, as_json)
    if any(outcome.problem for outcome in outcomes):
        raise typer.Exit(EXIT_FAILED)


def _of_status(there: Sequence[Quarantined], statuses: set[str]) -> list[Quarantined]:
    return [item for item in there if item.decided and item.decided.status in statuses]


def _missing(chosen: Sequence[Quarantined], ids: Sequence[str]) -> list[Redriven]:
    found = {item.id for item in chosen}
    missing = [identifier for identifier in dict.fromkeys(ids) if identifier not in found]
    return [Redriven(old=identifier, problem="no such request lies in quarantine") for identifier in missing]


def _print(outcomes: Sequence[Redriven], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps([asdict(outcome) for outcome in outcomes], ensure_ascii=False, indent=2) + "\n")
        return
    for outcome in outcomes:
        console = Console(stderr=outcome.problem is not None)
        line = f"{outcome.old}: {outcome.problem}" if outcome.problem else f"{outcome.old} -> {outcome.new}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
