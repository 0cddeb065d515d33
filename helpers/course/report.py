"""What a run says at its end: table and first errors in the terminal, and one page that needs nothing else."""

from __future__ import annotations

import base64
import binascii
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


# Terminal sequences (CSI, OSC and other strings with their ends), then any control character but tab and newline.
CONTROLS = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[PX^_\]]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b.?|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)


def plain(value: object) -> str:
    """A text from a notebook or a report without what would steer a terminal or reorder a line."""
    return CONTROLS.sub("", str(value))


def marked(value: object) -> str:
    """The same, safe where rich reads markup."""
    from rich.markup import escape

    return escape(plain(value))


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
    return f"{_mark(result)}  {marked(result['number'])} · {marked(result['title'])}  {result['seconds']} s"


def _mark(result: dict) -> str:
    return MARKS.get(result["status"]) or f"[yellow]? {marked(result['status'])}[/]"


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
            f"{marked(result['number'])} · {marked(result['title'])}",
            _mark(result),
            f"{result['seconds']:.1f}",
            "–" if result["peak_mb"] is None else f"{result['peak_mb']:,}",
            claims(result),
        )
    return grid


def print_errors(console, results: Iterable[dict]) -> int:
    """The first error of each failure: notebook, cell and its first line, cause; returns how many."""
    failed = [result for result in results if result["error"]]
    for result in failed:
        error = result["error"]
        place = f", cell {error['cell']}: {error['line']}" if error["cell"] else ""
        where = marked(f"✗ {result['notebook']}{place}")
        console.print(f"[red]{where}[/]\n  {marked(error['cause'])}", soft_wrap=True)
        console.print(f"  the copy as it stopped: {marked(short(result['output']))}", soft_wrap=True)
    return len(failed)


def print_end(console, report: dict, page: Path) -> None:
    """The last lines: how many passed, the page, then the first error of each failure."""
    results = report["results"]
    passed = sum(result["status"] == "ok" for result in results)
    colour = "green" if passed == len(results) else "red"
    console.print(
        f"\n[{colour}]{passed} of {len(results)} notebooks passed[/] in {report['seconds']:.0f} s "
        f"({report['profile']}, {report['backend']}). Figures and claims: {marked(short(page))}",
        soft_wrap=True,
    )
    for result in results:
        if names := stand_ins(result):
            console.print(
                f"[yellow]! {marked(result['notebook'])} ran on stand-in data for {marked(names)}[/]", soft_wrap=True
            )
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


MAGIC = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", "image/svg+xml": b""}


def _image(data: object, mime: str) -> str:
    """A stored image as base64 made anew from its bytes ('' for what is none): nothing else may reach the page."""
    if mime == "image/svg+xml":
        content = text(data).encode()  # inside <img> no script of it runs and nothing is fetched
    else:
        try:
            content = base64.b64decode(re.sub(r"\s", "", text(data)), validate=True)
        except (binascii.Error, ValueError):
            return ""
    return base64.b64encode(content).decode() if content.startswith(MAGIC[mime]) else ""


def _figures(result: dict) -> str:
    """Every image the executed copy holds, as data within the page."""
    found = []
    try:
        cells = json.loads(Path(result["output"]).read_text(encoding="utf-8"))["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        for output in outputs:
            for mime in MAGIC:
                if data := mime in output.get("data", {}) and _image(output["data"][mime], mime):
                    alt = _safe(alt_text(output, mime) or "no description")
                    source = f"data:{mime};base64,{data}"
                    found.append(f'<figure><img alt="{alt}" src="{source}"><figcaption>{alt}</figcaption></figure>')
                    break
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return ""  # no copy, or none that can be read
    return f'<div class="figures">{"".join(found)}</div>' if found else ""


def _safe(value: object) -> str:
    return html.escape(plain(value), quote=True)


def _status(result: dict) -> tuple[str, str]:
    """The class and the words of a status."""
    known = result["status"] in WORDS
    return (result["status"], WORDS[result["status"]]) if known else ("interrupted", f"? {_safe(result['status'])}")


def _section(result: dict) -> str:
    kind, words = _status(result)
    how = _safe(f"{result['profile']}, {result['backend']} {result['device']}")
    parts = [
        f'<h2 id="n{_safe(result["number"])}">{_safe(result["number"])} · {_safe(result["title"])}</h2>',
        f'<p class="soft"><span class="{kind}">{words}</span> on {_safe(result["date"])}, {how}</p>',
    ]
    if error := result["error"]:
        place = f"cell {error['cell']}: {error['line']}\n" if error["cell"] else ""
        parts.append(f"<pre>{_safe(place + error['cause'])}</pre>")
    if names := stand_ins(result):
        parts.append(f'<p class="failed">Stand-in data, not the real: {_safe(names)}</p>')
    if result["claim_list"]:
        signs = ((claim["status"], SIGNS.get(claim["status"], "?"), claim["text"]) for claim in result["claim_list"])
        lines = (f'<li><span class="{_safe(kind)}">{sign}</span> {_safe(said)}</li>' for kind, sign, said in signs)
        parts.append(f"<ul>{''.join(lines)}</ul>")
    return "".join([*parts, _figures(result)])


def _row(result: dict) -> str:
    first, peak, number = result["first_output_seconds"], result["peak_mb"], _safe(result["number"])
    kind, words = _status(result)
    cells = (
        f"{result['seconds']:.1f}",
        "–" if first is None else f"{first:.1f}",
        "–" if peak is None else f"{peak:,}",
        claims(result),
    )
    return (
        f'<tr><td><a href="#n{number}">{number} · {_safe(result["title"])}</a></td>'
        f'<td class="{kind}">{words}</td>' + "".join(f'<td class="n">{cell}</td>' for cell in cells) + "</tr>"
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
        f'<p class="soft">Deep learning in finance, {_safe(report["date"])}: profile {_safe(report["profile"])}, '
        f"{_safe(report['backend'])}, {report['seconds']:.0f} s</p>"
        '<div class="wide"><table><thead><tr><th>Notebook</th><th>Status</th><th class="n">Seconds</th>'
        '<th class="n">First output after s</th><th class="n">Peak MB</th><th class="n">Claims held</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{''.join(map(_section, report['results']))}</body></html>\n"
    )
    write_atomically(out / "report.html", page)
    return out / "report.html"
