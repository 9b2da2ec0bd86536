"""`imagegen run`: the service itself."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from store.errors import KeyNotFound, SettingsInvalid
from store.outbox import Outbox
from watcher.commands.lanes import load_settings_of_lanes
from watcher.commands.options import EXIT_PENDING, Config, InboxOptions, ModelsOption, OutboxOption, QueueOptions
from watcher.commands.supervise import supervise
from watcher.commands.tables import pending_table, results_table, wide_console
from watcher.conditions import require_conditions
from watcher.fleet.heartbeat import WRITE_SECONDS, Heartbeat, HeartbeatFile, Vitals, heartbeat_path
from watcher.fleet.pulse import BEAT_SECONDS, Beat, Lifeline, Pulse
from watcher.hall import Hall
from watcher.logs import set_up_logging
from watcher.names import request_id, shown
from watcher.rounds import Drained
from watcher.settings import Settings
from watcher.worker import Worker

_log = logging.getLogger("imagegen.run")


def run(
    inbox: InboxOptions = None,
    queue: QueueOptions = None,
    outbox: OutboxOption = None,
    once: Annotated[bool, typer.Option("--once", help="End when nothing more can be decided without waiting.")] = False,
    workers: Annotated[
        str | None, typer.Option("--workers", help="Processes to start and look after: a number, or auto: one a GPU.")
    ] = None,
    models: ModelsOption = None,
    config: Config = None,
    pulse: Annotated[int | None, typer.Option("--pulse", hidden=True, help="Pipe to the supervisor.")] = None,
) -> None:
    """Watch the inbox and draw what is asked for, until stopped.

    Ctrl-C or SIGTERM: what is being drawn finishes, everything else goes back to the inbox; a second
    one ends at once.  With --once: exit code 0 when all is settled (rejections too), 3 when something
    is still pending, which is then listed with its reason.  With --workers: this process draws nothing,
    starts a dead worker again and kills one that hangs; exit code 1 when a worker fails again and again.
    With --queue: an inbox in S3 is announced by that queue; several pairs of --inbox and --queue are served
    by the same worker.
    """
    settings = load_settings_of_lanes(inbox or [], queue or [], config, outbox=outbox, models=models)
    set_up_logging(settings.log_level)
    if workers is None:
        _work(settings, once=once, pulse=pulse)
    elif once:
        raise SettingsInvalid("--once ends with one worker; leave out --workers or --once", field="workers")
    else:
        options = _options(inbox=inbox, queue=queue, outbox=outbox, models=models, config=config)
        raise typer.Exit(supervise(settings, workers, options))


def _options(**given: str | Path | list[str] | None) -> tuple[str, ...]:
    """The options as they came; of those that may be repeated, the n-th inbox goes with the n-th queue."""
    listed = {name: value if isinstance(value, list) else [value] for name, value in given.items()}
    return tuple(f"--{name}={one}" for name, values in listed.items() for one in values if one is not None)


def _work(settings: Settings, *, once: bool, pulse: int | None) -> None:
    hall = Hall(settings)
    if pulse is None:
        require_conditions(settings, workers=1)
    _log.info(
        "watching %s; results go to %s; checkpoints: %s",
        ", ".join(lane.inbox for lane in settings.all_lanes),
        settings.outbox,
        settings.models,
        extra={"action": "started"},
    )
    _stop_on_signals(hall, supervised=pulse is not None)
    try:
        # before torch is imported, which takes longer than a supervisor likes to wait for a sign
        with hall.lanes.open(), nullcontext() if once else _beating(hall, settings, pulse):
            if once:
                _print_drained(hall.lanes.drain(), hall.outbox, settings.outbox)
            else:
                hall.lanes.serve()
    finally:
        _log.info("stopped", extra={"action": "stopped"})


@contextmanager
def _beating(hall: Hall, settings: Settings, pipe: int | None) -> Iterator[None]:
    """Give signs of life while the block runs: to the supervisor, or straight into the heartbeat's file."""
    activity = hall.activity
    send = _into_file(settings) if pipe is None else Lifeline(pipe, on_loss=hall.stop).send
    seconds = WRITE_SECONDS if pipe is None else BEAT_SECONDS

    def beat() -> Beat:
        return Beat(in_hand=activity.ids(), silence=activity.longest_silence(), problem=hall.lanes.problem)

    pulse = Pulse(beat, send, seconds)
    pulse.start()
    try:
        yield
    finally:
        pulse.stop()


def _into_file(settings: Settings) -> Callable[[Beat], None]:
    file, writer = HeartbeatFile(heartbeat_path(settings)), Worker.this_process()

    def write(beat: Beat) -> None:
        vitals = Vitals(pid=writer.pid, state="running", in_hand=len(beat.in_hand), silence=beat.silence)
        file.write(Heartbeat.of(writer, time.monotonic(), settings, (vitals,), beat.problem))

    return write


def _stop_on_signals(hall: Hall, *, supervised: bool) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        # whoever signals a whole group reaches a worker twice, once through its supervisor, which kills it if need be
        for kind in (signal.SIGINT, signal.SIGTERM):
            signal.signal(kind, signal.SIG_IGN if supervised else signal.SIG_DFL)
        # in a thread, because a handler must not wait for a lock its own thread may hold
        threading.Thread(target=hall.stop, name="stop").start()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def _print_drained(drained: Drained, outbox: Outbox, place: str) -> None:
    results = list(drained.conflicts)
    in_conflict = {record.request_file for record in drained.conflicts}
    for name in drained.names:
        if shown(name) in in_conflict:
            continue
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
