"""From verified bytes to a DataFrame: a reader that the set's file names, the steps it asks for, and the check.

`parse` ends in a frame that is what `data/sets/NAME.toml` says, or in one DataError with set, table, column and next
step, whatever the bytes are.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from helpers.datasets import checks
from helpers.datasets.catalogue import Dataset, Table
from helpers.datasets.checks import Damaged
from helpers.datasets.readers import audio, images, prices, tables, text
from helpers.errors import CourseError

READERS = {
    "csv": tables.csv,
    "arff": tables.arff,
    "sheet": tables.sheet,
    "french": prices.french,
    "option_quotes": prices.option_quotes,
    "lines": text.lines,
    "json": text.json_rows,
    "arrow": text.arrow,
    "idx": images.idx,
    "receipts": images.receipts,
    "recordings": audio.recordings,
}
"""Each takes the bytes of the table's files by name and the table's description, and returns a raw frame."""


def parse(entry: Dataset, table: str, content: dict[str, bytes]) -> pd.DataFrame:
    """One table from the bytes of its files, checked; raises DataError that names set, table and column."""
    wanted = entry.tables[table]
    try:
        frame = _steps(READERS[wanted.reader](content, wanted), wanted)
    except Damaged as problem:
        checks.fail(entry, table, str(problem))
    except CourseError:
        raise
    except Exception as problem:  # whatever a library raises on bytes that it was not made for
        checks.fail(entry, table, f"cannot be read ({type(problem).__name__}: {str(problem)[:200]})")
    return checks.check(entry, table, frame)


def _steps(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """The columns as the set's file wants them: dropped, named, decoded, dated, divided, and blank where nothing is."""
    options = table.options
    unwanted = options.get("drop", [])
    frame = frame.drop(columns=[name for name in frame if any(fnmatch.fnmatchcase(name, each) for each in unwanted)])
    if "date" in options:
        frame = _dated(frame, options["date"], options.get("date_format", "%Y-%m-%d"))
    _has(frame, options.get("names", {}))
    frame = frame.rename(columns=options.get("names", {}))
    if options.get("tidy"):
        frame.columns = [tidy(str(name)) for name in frame.columns]
    for name, codes in options.get("codes", {}).items():
        if name in frame:
            levels = table.columns[name].levels or range(len(codes))
            frame[name] = _decoded(frame[name], dict(zip(codes, levels, strict=True)))
    for name, column in table.columns.items():
        if column.kind == "time" and name in frame:
            frame[name] = _times(frame[name], options.get("time_format", "%Y-%m-%d %H:%M:%S"))
    for name in options.get("zero_is_missing", []):
        frame[name] = checks.number(frame, name).where(lambda values: values != 0)
    for name, day in options.get("missing_before", {}).items():
        frame.loc[frame.index < pd.Timestamp(day), name] = np.nan
    return _divided(frame, options.get("divide", {}))


def _has(frame: pd.DataFrame, names: Iterable[str]) -> None:
    if absent := [name for name in names if name not in frame]:
        raise Damaged(f"has no column {absent[0]!r} (found {', '.join(repr(each)[:40] for each in frame.columns[:8])})")


def tidy(name: str) -> str:
    """A column's name in small letters, words joined by `_`: emp.var.rate → emp_var_rate."""
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower())


def _decoded(values: pd.Series, meanings: dict) -> pd.Series:
    """What each code means; a code that means nothing stays as it is, for the check to name it."""
    meant = values.map(meanings)
    unknown = meant.isna() & values.notna()
    return meant.astype(object).where(~unknown, values) if unknown.any() else meant


def _divided(frame: pd.DataFrame, by: Any) -> pd.DataFrame:
    for name, divisor in (by if isinstance(by, dict) else dict.fromkeys(frame.columns, by)).items():
        if name in frame:
            frame[name] = checks.number(frame, name) / divisor
    return frame


def _dated(frame: pd.DataFrame, column: str, form: str) -> pd.DataFrame:
    """The frame with a column of dates as its index, named date."""
    _has(frame, [column])
    dates = pd.to_datetime(frame[column].astype(str), format=form, errors="coerce")
    _all_read(frame[column], dates, "a date")
    return frame.drop(columns=column).set_index(pd.DatetimeIndex(dates, name="date"))


def _times(values: pd.Series, form: str) -> pd.Series:
    """A column of times, each different text read once: there are often many lines to a minute."""
    codes, words = pd.factorize(values)
    times = pd.to_datetime(pd.Series(words, dtype=str), format=form, errors="coerce").astype("datetime64[s]")
    times = pd.Series(times.to_numpy()[codes], index=values.index, name=values.name)
    _all_read(values, times, "a date")
    return times


def _all_read(written: pd.Series, read: pd.Series, what: str) -> None:
    bad = np.flatnonzero(read.isna())
    if len(bad):
        raise Damaged(f"column {written.name!r} is not {what} in row {bad[0]:,}: {str(written.iloc[bad[0]])[:40]!r}")
