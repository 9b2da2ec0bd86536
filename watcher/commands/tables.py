"""Results as tables for a person at a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from store.manifest import ResultManifest
from watcher.doctor import Finding
from watcher.rounds import Pending

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
    if len(results) > _MOST_ROWS:
        table.caption = f"and {len(results) - _MOST_ROWS} more"
    return table


def pending_table(pending: Sequence[Pending]) -> Table:
    """What stays in the inbox, and why."""
    table = _table("still in the inbox", "why")
    for item in pending[:_MOST_ROWS]:
        table.add_row(escape(item.name), escape(item.reason))
    if len(pending) > _MOST_ROWS:
        table.caption = f"and {len(pending) - _MOST_ROWS} more"
    return table


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


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _reason(result: ResultManifest) -> str:
    return escape(f"{result.error.code}: {result.error.message}") if result.error else "-"
