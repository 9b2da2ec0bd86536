"""Tells from its heartbeat whether the service is well, and if not, what to do."""

from dataclasses import dataclass

from watcher.fleet.heartbeat import Heartbeat, Vitals
from watcher.worker import Worker

STALE_SECONDS = 15.0
_LIVING = ("starting", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the service is well, and a sentence that says why."""

    healthy: bool
    reason: str


def judge(heartbeat: Heartbeat, me: Worker, now: float) -> Verdict:
    """How the service is, seen from process `me` at `now` on the monotonic clock."""
    fault = _fault(heartbeat, me, now - heartbeat.written)
    if fault is not None:
        return Verdict(healthy=False, reason=fault)
    living = sum(worker.state in _LIVING for worker in heartbeat.workers)
    in_hand = sum(worker.in_hand for worker in heartbeat.workers)
    reason = f"{living} of {len(heartbeat.workers)} workers live, {in_hand} requests in hand"
    return Verdict(healthy=True, reason=f"{reason}; {heartbeat.problem}" if heartbeat.problem else reason)


def _fault(heartbeat: Heartbeat, me: Worker, age: float) -> str | None:
    pid = heartbeat.writer.pid
    if heartbeat.writer.boot != me.boot:
        return "the machine was restarted after the last heartbeat; start `imagegen run`"
    if me.sees_dead(heartbeat.writer):
        return f"process {pid} has ended; start `imagegen run`, and look into its log for why"
    if age > STALE_SECONDS:
        return f"process {pid} gave its last heartbeat {age:.0f} s ago, {STALE_SECONDS:.0f} are allowed; restart it"
    if not any(worker.state in _LIVING for worker in heartbeat.workers):
        return "no worker lives; the log says why they ended"
    return next((fault for worker in heartbeat.workers if (fault := _overdue(heartbeat, worker, age))), None)


def _overdue(heartbeat: Heartbeat, worker: Vitals, age: float) -> str | None:
    if worker.pid is not None and worker.heard + age > heartbeat.heartbeat_seconds:
        limit = heartbeat.heartbeat_seconds
        return f"worker {worker.pid} was last heard {worker.heard:.0f} s ago, {limit:.0f} are allowed; restart it"
    if worker.pid is not None and worker.silence > heartbeat.stall_seconds:
        limit = heartbeat.stall_seconds
        return f"worker {worker.pid} has drawn nothing for {worker.silence:.0f} s, {limit:.0f} are allowed; restart it"
    return None
