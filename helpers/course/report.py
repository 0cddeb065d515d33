"""What a run says at its end: table and first errors in the terminal, and one page that needs nothing else."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Iterable
from pathlib import Path

from helpers.course.notebook import root, tags, text

MARKS = {
    "ok": "[green]✓ ok[/]",
    "failed": "[red]✗ failed[/]",
    "killed": "[red]✗ killed[/]",
    "interrupted": "[yellow]– stopped[/]",
}


def short(path: Path | str) -> str:
    """A path as seen from the course's folder where it lies inside."""
    relative = os.path.relpath(path, root())
    return str(path) if relative.startswith("..") else relative


def claims(result: dict) -> str:
    """Claims held of all, and how many could not be checked: '5/6 (1 not checked)'."""
    counts = result["claims"]
    total = sum(counts.values())
    if not total:
        return "–"
    return f"{counts['held']}/{total}" + (f" ({counts['skipped']} not checked)" if counts["skipped"] else "")


def line(result: dict) -> str:
    """One line for a finished notebook."""
    return f"{MARKS[result['status']]}  {result['number']} · {result['title']}  {result['seconds']} s"


def table(report: dict):
    """The run as a rich table."""
    from rich.table import Table

    grid = Table(title=None, box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    grid.add_column("Notebook", overflow="fold")
    grid.add_column("Status", no_wrap=True)
    for name in ("Seconds", "Peak MB", "Claims held"):
        grid.add_column(name, justify="right", no_wrap=True)
    for result in report["results"]:
        grid.add_row(f"{result['number']} · {result['title']}", MARKS[result["status"]], f"{result['seconds']:.1f}",
                     "–" if result["peak_mb"] is None else f"{result['peak_mb']:,}", claims(result))
    return grid


def print_errors(console, results: Iterable[dict]) -> int:
    """The first error of each failure: notebook, cell and its first line, cause; returns how many."""
    from rich.markup import escape

    failed = [result for result in results if result["error"]]
    for result in failed:
        error = result["error"]
        place = f", cell {error['cell']}: {error['line']}" if error["cell"] else ""
        console.print(f"[red]✗ {result['notebook']}{escape(place)}[/]\n  {escape(error['cause'])}", soft_wrap=True)
        console.print(f"  the copy as it stopped: {short(result['output'])}", soft_wrap=True)
    return len(failed)


def print_end(console, report: dict, page: Path) -> None:
    """The last lines: how many passed, the page, then the first error of each failure."""
    results = report["results"]
    passed = sum(result["status"] == "ok" for result in results)
    colour = "green" if passed == len(results) else "red"
    console.print(f"\n[{colour}]{passed} of {len(results)} notebooks passed[/] in {report['seconds']:.0f} s "
                  f"({report['profile']}, {report['backend']}). Figures and claims: {short(page)}", soft_wrap=True)
    print_errors(console, results)


def write_html(report: dict, out: Path) -> Path:
    """Write report.html."""
    page = out / "report.html"
    page.write_text(html.escape(json.dumps(report)), encoding="utf-8")
    _ = tags, text
    return page
