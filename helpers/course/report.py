"""What a run says at its end: table and first errors in the terminal, and one page that needs nothing else."""

from __future__ import annotations

import base64
import html
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

from helpers.course.runner import stand_ins
from helpers.notebooks import alt_text, root, text, write_atomically

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
        grid.add_row(
            f"{result['number']} · {result['title']}",
            MARKS[result["status"]],
            f"{result['seconds']:.1f}",
            "–" if result["peak_mb"] is None else f"{result['peak_mb']:,}",
            claims(result),
        )
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
    console.print(
        f"\n[{colour}]{passed} of {len(results)} notebooks passed[/] in {report['seconds']:.0f} s "
        f"({report['profile']}, {report['backend']}). Figures and claims: {short(page)}",
        soft_wrap=True,
    )
    for result in results:
        if names := stand_ins(result):
            console.print(f"[yellow]! {result['notebook']} ran on stand-in data for {names}[/]", soft_wrap=True)
    print_errors(console, results)


STYLE = """
:root { color-scheme: light dark; --ink: #1c2733; --soft: #5b6875; --line: #d9dfe5; --page: #fff; --card: #f6f8fa;
  --good: #1a7f4b; --bad: #b3261e }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf0; --soft: #9aa7b4; --line: #35404b; --page: #14191f;
  --card: #1c232b; --good: #5cc98f; --bad: #ff8a80 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 70rem; padding: 1.5rem 1rem 4rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif }
h1 { font-size: 1.6rem; margin: 0 0 .2rem }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .2rem; padding-top: .8rem; border-top: 1px solid var(--line) }
a { color: inherit }
.soft, figcaption { color: var(--soft) }
p.soft { margin: 0 0 .6rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { text-align: left; padding: .35rem 1.6rem .35rem 0; border-bottom: 1px solid var(--line); white-space: nowrap }
th { white-space: normal; vertical-align: bottom }
td:first-child { white-space: normal; min-width: 12rem }
.n { text-align: right; font-variant-numeric: tabular-nums }
.ok, .held { color: var(--good) }
.failed, .killed, .interrupted { color: var(--bad) }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); gap: 1rem }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem }
img { display: block; width: 100%; height: auto; background: #fff; border-radius: .3rem }
figcaption { font-size: .85rem; margin-top: .4rem }
ul { padding-left: 0; list-style: none }
pre { background: var(--card); border-left: 4px solid var(--bad); padding: .6rem .9rem; white-space: pre-wrap;
  overflow-wrap: anywhere }
"""
WORDS = {"ok": "✓ passed", "failed": "✗ failed", "killed": "✗ killed", "interrupted": "– stopped"}
SIGNS = {"held": "✓", "failed": "✗", "skipped": "–"}


def _figures(result: dict) -> str:
    """Every image the executed copy holds, as data within the page."""
    found = []
    try:
        cells = json.loads(Path(result["output"]).read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError):
        return ""
    for output in (output for cell in cells for output in cell.get("outputs", [])):
        for mime in ("image/png", "image/jpeg", "image/svg+xml"):
            if mime in output.get("data", {}):
                data = text(output["data"][mime])
                data = base64.b64encode(data.encode()).decode() if mime.endswith("xml") else re.sub(r"\s", "", data)
                alt = html.escape(alt_text(output, mime) or "no description", quote=True)
                found.append(
                    f'<figure><img alt="{alt}" src="data:{mime};base64,{data}"><figcaption>{alt}</figcaption></figure>'
                )
                break
    return f'<div class="figures">{"".join(found)}</div>' if found else ""


def _section(result: dict) -> str:
    parts = [
        f'<h2 id="n{result["number"]}">{result["number"]} · {html.escape(result["title"])}</h2>',
        f'<p class="soft"><span class="{result["status"]}">{WORDS[result["status"]]}</span> on {result["date"]}, '
        f"{result['profile']}, {result['backend']} {html.escape(result['device'])}</p>",
    ]
    if error := result["error"]:
        place = f"cell {error['cell']}: {error['line']}\n" if error["cell"] else ""
        parts.append(f"<pre>{html.escape(place + error['cause'])}</pre>")
    if names := stand_ins(result):
        parts.append(f'<p class="failed">Stand-in data, not the real: {html.escape(names)}</p>')
    if result["claim_list"]:
        lines = (
            f'<li><span class="{claim["status"]}">{SIGNS[claim["status"]]}</span> {html.escape(claim["text"])}</li>'
            for claim in result["claim_list"]
        )
        parts.append(f"<ul>{''.join(lines)}</ul>")
    return "".join([*parts, _figures(result)])


def _row(result: dict) -> str:
    first, peak, number = result["first_output_seconds"], result["peak_mb"], result["number"]
    cells = (
        f"{result['seconds']:.1f}",
        "–" if first is None else f"{first:.1f}",
        "–" if peak is None else f"{peak:,}",
        claims(result),
    )
    return (
        f'<tr><td><a href="#n{number}">{number} · {html.escape(result["title"])}</a></td>'
        f'<td class="{result["status"]}">{WORDS[result["status"]]}</td>'
        + "".join(f'<td class="n">{cell}</td>' for cell in cells)
        + "</tr>"
    )


def write_html(report: dict, out: Path) -> Path:
    """Write report.html: one file with the table, errors, claims and every figure; it asks for nothing outside."""
    rows = "".join(map(_row, report["results"]))
    passed = sum(result["status"] == "ok" for result in report["results"])
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        "<title>Deep learning in finance: a run</title>"
        f"<style>{STYLE}</style></head><body><h1>{passed} of {len(report['results'])} notebooks passed</h1>"
        f'<p class="soft">Deep learning in finance, {report["date"]}: profile {report["profile"]}, '
        f"{report['backend']}, {report['seconds']:.0f} s</p>"
        '<div class="wide"><table><thead><tr><th>Notebook</th><th>Status</th><th class="n">Seconds</th>'
        '<th class="n">First output after s</th><th class="n">Peak MB</th><th class="n">Claims held</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{''.join(map(_section, report['results']))}</body></html>\n"
    )
    write_atomically(out / "report.html", page)
    return out / "report.html"
