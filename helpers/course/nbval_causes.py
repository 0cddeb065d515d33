"""A pytest plugin for nbval: ends a failing run with one line per cell, notebook, cell and cause."""

from __future__ import annotations

import re

import pytest

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def cause(report: str) -> tuple[str, str]:
    """The first line of the failing cell, and why it failed, from the text of an nbval report."""
    text = ANSI.sub("", report)
    headline = re.search(r"^Cell \d+: (.+)$", text, re.M)
    source = re.search(r"Input:\s*\n(.+)", text)
    if "Cell outputs differ" in text:
        lines = text.partition("Traceback:")[2].strip().splitlines()
        why = "other output than the stored one: " + " ".join(line.strip() for line in lines if line.strip())[:300]
    else:
        why = next(
            (line for line in reversed(text.strip().splitlines()) if re.match(r"\w+(Error|Exception|…)?: ", line)), ""
        )
    return (source[1].strip() if source else ""), why or (headline[1] if headline else "see above")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter):
    """After all else, say where and why."""
    yield
    for report in terminalreporter.stats.get("failed", [])[:20]:
        if ".ipynb::" in report.nodeid:
            path, _, cell = report.nodeid.rpartition("::Cell ")
            line, why = cause(report.longreprtext)
            terminalreporter.write_line(f"✗ {path.rpartition('/')[2]}, In [{int(cell) + 1}]: {line}\n  {why}")
