"""`imagegen cancel`: ask the service to let a request be."""

import time
from typing import Annotated

import typer
from rich.console import Console

from store.bucket import Bucket
from store.errors import InvalidField
from store.location import open_bucket
from store.outbox import Outbox
from watcher.cancel import CANCEL_SUFFIX, cancelled_id
from watcher.commands.options import EXIT_FAILED, EXIT_PENDING, Config, InboxOption, OutboxOption
from watcher.names import SUFFIX
from watcher.settings import load_settings
from watcher.submit import await_result, look_seconds


def cancel(
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Requests that need not be drawn any more.")],
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the manifests and print their statuses.")] = False,
    timeout: Annotated[float, typer.Option(help="Longest wait for each, seconds.")] = 3600.0,
    inbox: InboxOption = None,
    outbox: OutboxOption = None,
    config: Config = None,
) -> None:
    """Drop ID.cancel into the inbox; the request ends with a manifest of status cancelled.

    Exit code 1 if a request has a result already or, with --wait, ended otherwise; 3 if one has no
    result when the time is over.
    """
    names = [_name(given) for given in dict.fromkeys(ids)]
    settings = load_settings(config, inbox=inbox, outbox=outbox)
    incoming = open_bucket(settings.inbox, s3=settings.s3)
    results = Outbox(open_bucket(settings.outbox, s3=settings.s3))
    codes = {cancelled_id(name): _cancel(incoming, results, name) for name in names}
    if wait:
        every = look_seconds(settings.outbox)
        codes |= {
            identifier: _await(results, identifier, timeout, every) for identifier, code in codes.items() if not code
        }
    for code in (EXIT_PENDING, EXIT_FAILED):
        if code in codes.values():
            raise typer.Exit(code)


def _name(given: str) -> str:
    if not given or given.startswith(".") or "/" in given:
        raise InvalidField(
            f"id: found {given!r}; allowed: an id, or the name of a request file without {SUFFIX}", field="id"
        )
    # the name of the request file is taken for what it is
    return given.removesuffix(SUFFIX) + CANCEL_SUFFIX


def _cancel(incoming: Bucket, results: Outbox, name: str) -> int:
    identifier = cancelled_id(name)
    if results.has_result(identifier):
        _say(f"{identifier}: has a result already: {results.result(identifier).status}", problem=True)
        return EXIT_FAILED
    incoming.put(name, b"")
    _say(f"{identifier}: asked to cancel")
    return 0


def _await(results: Outbox, identifier: str, seconds: float, every: float) -> int:
    result = await_result(results, identifier, lambda progress: None, time.sleep, seconds, every)
    if result is None:
        _say(f"{identifier}: no result yet; is `imagegen run` up on this inbox and outbox?", problem=True)
        return EXIT_PENDING
    _say(f"{identifier}: {result.status}")
    return 0 if result.status == "cancelled" else EXIT_FAILED


def _say(line: str, *, problem: bool = False) -> None:
    Console(stderr=problem).print(line, highlight=False, markup=False, soft_wrap=True)
