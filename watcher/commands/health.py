"""`imagegen health`: whether the service is well, for probes."""

import json
import sys
import time
from typing import Annotated

import typer

from store.errors import ServiceError
from watcher.commands.options import EXIT_FAILED, Config, InboxOption, OutboxOption
from watcher.fleet.health import Verdict, judge
from watcher.fleet.heartbeat import Heartbeat, HeartbeatFile, heartbeat_path
from watcher.settings import load_settings
from watcher.worker import Worker


def health(
    inbox: InboxOption = None,
    outbox: OutboxOption = None,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole heartbeat.")] = False,
) -> None:
    """Say whether `imagegen run` on this inbox and outbox is well: exit code 0, or 1 and why not.

    For Docker's HEALTHCHECK, exec probes of Kubernetes and systemd; run it as the user of the service.
    """
    heartbeat: Heartbeat | None = None
    try:
        settings = load_settings(config, inbox=inbox, outbox=outbox)
        heartbeat = HeartbeatFile(heartbeat_path(settings)).read()
        verdict = judge(heartbeat, Worker.this_process(), time.monotonic())
    except ServiceError as error:
        # exit code 2, which an error has elsewhere, is reserved by Docker
        advice = "; is `imagegen run` up on this inbox and outbox?" if error.code == "key_not_found" else ""
        verdict = Verdict(healthy=False, reason=error.message + advice)
    sys.stdout.write(_json(verdict, heartbeat) if as_json else _line(verdict))
    if not verdict.healthy:
        raise typer.Exit(EXIT_FAILED)


def _line(verdict: Verdict) -> str:
    return f"{'healthy' if verdict.healthy else 'unhealthy'}: {verdict.reason}\n"


def _json(verdict: Verdict, heartbeat: Heartbeat | None) -> str:
    record = None if heartbeat is None else heartbeat.model_dump(mode="json")
    document = {"healthy": verdict.healthy, "reason": verdict.reason, "heartbeat": record}
    return json.dumps(document, ensure_ascii=False) + "\n"
