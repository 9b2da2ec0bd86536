"""`imagegen run`: the service itself."""

import logging
import signal
import threading
from types import FrameType
from typing import Annotated

import typer

from store.errors import KeyNotFound
from store.outbox import Outbox
from watcher.commands.options import EXIT_PENDING, Config, InboxOption, ModelsOption, OutboxOption
from watcher.commands.tables import pending_table, results_table, wide_console
from watcher.hall import Hall
from watcher.logs import set_up_logging
from watcher.names import request_id
from watcher.rounds import Drained
from watcher.settings import load_settings

_log = logging.getLogger("imagegen.run")


def run(
    inbox: InboxOption = None,
    outbox: OutboxOption = None,
    once: Annotated[bool, typer.Option("--once", help="End when nothing more can be decided without waiting.")] = False,
    models: ModelsOption = None,
    config: Config = None,
) -> None:
    """Watch the inbox and draw what is asked for, until stopped.

    Ctrl-C or SIGTERM: what is being drawn finishes, everything else goes back to the inbox; a second
    one ends at once.  With --once: exit code 0 when all is settled (rejections too), 3 when something
    is still pending, which is then listed with its reason.
    """
    settings = load_settings(config, inbox=inbox, outbox=outbox, models=models)
    set_up_logging(settings.log_level)
    hall = Hall(settings)
    _log.info(
        "watching %s; results go to %s; checkpoints: %s",
        settings.inbox,
        settings.outbox,
        settings.models,
        extra={"action": "started"},
    )
    _stop_on_signals(hall)
    hall.leases.start()
    hall.doorbell.start()
    try:
        if once:
            _print_drained(hall.rounds.drain(), hall.service.outbox, settings.outbox)
        else:
            hall.rounds.serve()
    finally:
        hall.doorbell.stop()
        hall.leases.stop()
        _log.info("stopped", extra={"action": "stopped"})


def _stop_on_signals(hall: Hall) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        # in a thread, because a handler must not wait for a lock its own thread may hold
        threading.Thread(target=hall.stop, name="stop").start()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def _print_drained(drained: Drained, outbox: Outbox, place: str) -> None:
    results = []
    for name in drained.names:
        try:
            results.append(outbox.result(request_id(name)))
        except KeyNotFound:
            continue
    console = wide_console()
    if not drained.names:
        console.print(f"no requests in the inbox; {place} is as it was")
        return
    console.print(results_table(results, place))
    if drained.pending:
        console.print(pending_table(drained.pending))
        raise typer.Exit(EXIT_PENDING)
