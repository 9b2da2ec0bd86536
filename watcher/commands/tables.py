"""Results as tables for a person at a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from store.manifest import ResultManifest
from store.prune import Removed
from watcher.doctor import Finding
from watcher.pending import Pending
from watcher.upkeep.running import Running
from watcher.upkeep.status import Waiting

_MOST_ROWS = 50
_WIDTH = 190


def wide_console() -> Console:
    """A console that leaves paths in one piece; a narrower terminal wraps the line itself."""
    console = Console()
    return Console(width=max(console.width, _WIDTH))


def results_table(results: Sequence[ResultManifest], outbox: str) -> Table:
    """One row a request; paths as they can be opened."""
    table = _table("request", "status", "style", "branch", "seconds", "image")
    for result in results[:_MOST_ROWS]:
        style = result.prompt.style if result.prompt else "-"
        outcome = "\n".join(escape(f"{outbox}/{image.path}") for image in result.images) or _reason(result)
        table.add_row(
            escape(result.request_file),
            result.status,
            style,
            result.branch or "-",
            f"{result.timings.total:.1f}",
            outcome,
        )
    return _cut(table, len(results))


def pending_table(pending: Sequence[Pending]) -> Table:
    """What stays in the inbox, and why."""
    table = _table("still in the inbox", "why")
    for item in pending[:_MOST_ROWS]:
        table.add_row(escape(item.name), escape(item.reason))
    return _cut(table, len(pending))


def prompts_table(prompts: Iterable[Mapping[str, Any]]) -> Table:
    """One column a style: size, positive and negative prompt with their tokens."""
    found = list(prompts)
    table = _table("", *(f"{one['style']}  {one['width']}x{one['height']}" for one in found))
    for kind in ("positive", "negative"):
        table.add_row(kind, *(f"{escape(one[kind])}\n[dim]{one['tokens'][kind]} tokens[/]" for one in found))
    return table


def findings_table(findings: Iterable[Finding]) -> Table:
    """What the doctor found."""
    table = _table("", "what", "found", "what to do")
    for finding in findings:
        mark = "[green]✓[/]" if finding.well else "[red]✗[/]"
        table.add_row(mark, finding.subject, escape(finding.found), "" if finding.well else escape(finding.advice))
    return table


def counts_table(counts: Mapping[str, int]) -> Table:
    """How many requests are in which state."""
    table = _table("requests", "")
    for state, count in counts.items():
        table.add_row(state, str(count))
    return table


def running_table(running: Sequence[Running]) -> Table:
    """Who draws what, and how far it is."""
    table = _table("running", "attempt", "worker", "alive", "node", "step", "claimed at", "progress at")
    for item in running[:_MOST_ROWS]:
        step = f"{item.step} of {item.steps}" if item.steps else ""
        cells = (item.id, str(item.attempt), item.worker or "-", "yes" if item.alive else "no", item.node or "-", step)
        table.add_row(*map(escape, cells), item.claimed_at or "-", escape(item.updated_at or "-"))
    return _cut(table, len(running))


def waiting_table(waiting: Sequence[Waiting]) -> Table:
    """What nobody works on."""
    table = _table("pending", "id", "tried")
    for item in waiting[:_MOST_ROWS]:
        table.add_row(escape(item.file), escape(item.id), str(item.tried))
    return _cut(table, len(waiting))


def pruned_table(removed: Sequence[Removed], *, dry_run: bool) -> Table:
    """What a prune removed, or would."""
    table = _table("would be removed" if dry_run else "removed", "files", "bytes")
    for item in removed:
        table.add_row(item.kind, str(item.count), str(item.bytes))
    table.add_row("together", str(sum(item.count for item in removed)), str(sum(item.bytes for item in removed)))
    return table


def _cut(table: Table, rows: int) -> Table:
    if rows > _MOST_ROWS:
        table.caption = f"and {rows - _MOST_ROWS} more"
    return table


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _reason(result: ResultManifest) -> str:
    return escape(f"{result.error.code}: {result.error.message}") if result.error else "-"
