"""The generated part of `data/cards/NAME.md`: what is true of the real files, counted from them.

`python -m helpers.datasets.cards` rewrites the blocks between the markers, `--check` only says which are stale.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from helpers.datasets import catalogue, readers, sources
from helpers.errors import CourseError

CARDS = catalogue.SETS.parent / "cards"
OPEN, CLOSE = "<!-- facts: generated from the files by `python -m helpers.datasets.cards` -->", "<!-- /facts -->"


def facts(name: str) -> str:
    """The block of one set in Markdown: tables, columns, gaps, files, licence, faults, citation.

    Raises sources.Unreachable when the files cannot be had. A table whose file is too large to fetch for this (over
    50 MB) is described from the catalogue alone.
    """
    entry = catalogue.info(name)
    lines = []
    for table, wanted in entry.tables.items():
        files = [entry.file(path) for path in wanted.files]
        if sum(file.bytes for file in files) > 50e6:
            lines += [
                f"## Table `{table}`",
                "",
                f"{wanted.rows:,} rows × {len(wanted.columns)} columns; not counted here.",
                "",
            ]
            continue
        content = {file.path: sources.obtain(entry, file) for file in files}
        lines += _table(table, readers.parse(entry, table, content))
    lines += ["## Files", "", "| file | bytes | SHA-256 |", "|---|---:|---|"]
    lines += [f"| `{file.path}` | {file.bytes:,} | `{file.sha256}` |" for file in entry.files]
    share = "may be passed on" if entry.redistribute else "not to be passed on: `load` fetches it for each reader"
    lines += ["", f"Licence: {entry.licence} ({share}).", "", "## Known faults", ""]
    lines += [f"- {fault}." for fault in entry.faults]
    return "\n".join([*lines, "", "## Citation", "", entry.citation])


def _table(table: str, frame: pd.DataFrame) -> list[str]:
    size = f"{len(frame):,} rows × {frame.shape[1]} columns"
    if isinstance(frame.index, pd.DatetimeIndex):
        size += f", index `date` from {frame.index[0]:%Y-%m-%d} to {frame.index[-1]:%Y-%m-%d}"
    lines = [f"## Table `{table}`", "", f"{size}.", ""]
    for name in frame.columns[frame.dtypes == "int8"]:
        lines += [f"`{name}`: {int(frame[name].sum()):,} ones = {100 * frame[name].mean():.2f} %.", ""]
    lines += ["| column | dtype | missing | values |", "|---|---|---:|---|"]
    groups: list[list] = []
    family = frame.shape[1] > 40 and frame.dtypes.nunique() <= 2  # pixels, tickers, ratios: a line for many of them
    for name in frame:
        kind, gaps, values = _describe(frame[name])
        last = groups[-1] if groups else None
        if family and last and last[1:3] == [kind, gaps] and " to " in last[3]:
            last[0].append(name)
        else:
            groups.append([[name], kind, gaps, values])
    for names, kind, gaps, values in groups:
        label = f"`{names[0]}`" if len(names) == 1 else f"`{names[0]}` … `{names[-1]}` ({len(names)})"
        if len(names) > 1:
            values = _span(frame[names].min().min(), frame[names].max().max())
        lines.append(f"| {label} | {kind} | {f'{gaps:,}' if gaps else '–'} | {values} |")
    return [*lines, ""]


def _describe(values: pd.Series) -> tuple[str, int, str]:
    """Dtype in the catalogue's words, missing cells, and range or levels."""
    gaps = int(values.isna().sum())
    if isinstance(values.iloc[0], np.ndarray):
        sizes = values.map(np.size)
        return f"{values.iloc[0].dtype} arrays", gaps, f"{_span(sizes.min(), sizes.max())} numbers each"
    if isinstance(values.dtype, pd.CategoricalDtype):
        counts = values.value_counts(sort=False)
        levels = "; ".join(f"{level}: {count:,}" for level, count in counts.items())
        return (
            "category",
            gaps,
            levels if len(counts) <= 12 else f"{len(counts)} levels, {counts.min():,} to {counts.max():,} rows each",
        )
    if pd.api.types.is_integer_dtype(values) and values.nunique() > 1 and values.max() - values.min() <= 12:
        return str(values.dtype), gaps, "; ".join(f"{v}: {n:,}" for v, n in values.value_counts().sort_index().items())
    if pd.api.types.is_numeric_dtype(values):
        return str(values.dtype), gaps, _span(values.min(), values.max())
    if pd.api.types.is_datetime64_any_dtype(values):
        return "time", gaps, f"{values.min():%Y-%m-%d %H:%M} to {values.max():%Y-%m-%d %H:%M}"
    lengths = values.str.len()
    return "text", gaps, f"{values.nunique():,} different, {lengths.min():.0f} to {lengths.max():.0f} characters"


def _span(low: float, high: float) -> str:
    return " to ".join(f"{int(end):,}" if end == int(end) else f"{end:,.6g}" for end in (low, high))


def stale(*, write: bool = False) -> list[str]:
    """Names of the sets whose card lacks the facts as they are now; `write` puts them in."""
    behind = []
    for name in catalogue.names():
        path, block = CARDS / f"{name}.md", f"{OPEN}\n\n{facts(name)}\n\n{CLOSE}"
        text = path.read_text(encoding="utf-8") if path.exists() else f"{OPEN}\n{CLOSE}\n"
        before, _, rest = text.partition(OPEN)
        wanted = before + block + rest.partition(CLOSE)[2]
        if wanted != text:
            behind.append(name)
            if write:
                path.write_text(wanted, encoding="utf-8", newline="\n")
    return behind


def main(arguments: list[str]) -> int:
    """Command line: rewrite the cards, or with `--check` only report; 1 when a card is stale or data is not at hand."""
    check = "--check" in arguments
    try:
        behind = stale(write=not check)
    except (CourseError, sources.Unreachable) as problem:
        print(f"cards: {problem}")
        return 1
    print("cards: " + (", ".join(behind) + (" stale" if check else " rewritten") if behind else "all up to date"))
    return int(check and bool(behind))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
