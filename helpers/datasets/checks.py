"""Is a frame what the set's file says? The one check that real tables and stand-ins pass, and the errors it ends in."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import pandas as pd

from helpers.datasets.catalogue import Column, Dataset
from helpers.errors import DataError


class Damaged(Exception):
    """What is wrong with a file or a column; `fail` adds where and what to do."""


def fail(entry: Dataset, table: str, what: str) -> NoReturn:
    """Raise the DataError of a table that is not what the catalogue says."""
    files = entry.tables[table].files
    named = ", ".join(files[:4]) + (f" and {len(files) - 4} more" if len(files) > 4 else "")
    raise DataError(
        f"{entry.name}, table {table} ({named}): {what}. Run `course data verify {entry.name}`; if its files are "
        f"intact, data/sets/{entry.name}.toml and its reader disagree."
    )


def check(entry: Dataset, table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame in the catalogue's dtypes; raises DataError when columns, size, dates, gaps or values do not fit."""
    wanted = entry.tables[table]
    try:
        _size_and_names(frame, list(wanted.columns), wanted.rows)
        if wanted.first:
            _days(frame.index, wanted.first, wanted.last)
        if set(frame.dtypes) == {np.dtype("uint8")}:  # pixels: nothing of that type can be missing or out of range
            return frame[list(wanted.columns)]
        columns = {name: _conform(frame, name, column) for name, column in wanted.columns.items()}
    except Damaged as problem:
        fail(entry, table, str(problem))
    return pd.DataFrame(columns, index=frame.index)


def _size_and_names(frame: pd.DataFrame, wanted: list[str], rows: int) -> None:
    missing = [name for name in wanted if name not in frame]
    extra = [name for name in frame if name not in wanted]
    if missing:
        found = f" (found {', '.join(repr(name)[:40] for name in extra[:5])} instead)" if extra else ""
        raise Damaged(f"has no column {missing[0]!r}{found}")
    if extra or frame.shape[1] != len(wanted):
        odd = extra[0] if extra else frame.columns[frame.columns.duplicated()][0]
        raise Damaged(f"has a column too many: {repr(odd)[:40]}")
    if len(frame) != rows:
        raise Damaged(f"has {len(frame):,} rows instead of {rows:,}: cut short, or another file")


def _days(index: pd.Index, first, last) -> None:
    if (
        not isinstance(index, pd.DatetimeIndex)
        or index.hasnans
        or not index.is_monotonic_increasing
        or not index.is_unique
    ):
        raise Damaged("has dates that are missing, repeated or out of order")
    if (index[0].date(), index[-1].date()) != (first, last):
        raise Damaged(f"runs {index[0]:%Y-%m-%d}..{index[-1]:%Y-%m-%d} instead of {first}..{last}")


def _conform(frame: pd.DataFrame, name: str, column: Column) -> pd.Series:
    """The column in its dtype; raises Damaged with what is wrong and where."""
    values, here = frame[name], f"column {name!r}"
    gaps = int(values.isna().sum())
    if gaps != column.missing:
        raise Damaged(f"{here} has {gaps:,} missing cells instead of {column.missing:,}")
    if column.dimensions:
        for cell in values:
            if not isinstance(cell, np.ndarray) or cell.dtype != column.kind or cell.ndim != column.dimensions:
                raise Damaged(f"{here} does not hold {column.kind} arrays of {column.dimensions} dimensions")
        return values
    if column.kind == "text":
        if not pd.api.types.is_string_dtype(values):
            raise Damaged(f"{here} does not hold text")
        return values
    if column.kind == "category":
        strange = values[~values.isin(column.levels) & values.notna()]
        if len(strange):
            raise Damaged(f"{here} has the unknown value {str(strange.iloc[0])[:40]!r}")
        return values.astype(pd.CategoricalDtype(list(column.levels)))
    if column.kind == "time":
        first, last = values.min(), values.max()
        if first.date() < column.low or last.date() > column.high:
            raise Damaged(f"{here} leaves {column.low}..{column.high}: it runs {first:%Y-%m-%d}..{last:%Y-%m-%d}")
        return values.astype("datetime64[s]")
    values = number(frame, name)
    if column.kind != "float64" and not (values == np.floor(values)).all():
        raise Damaged(f"{here} holds fractions where whole numbers are due")
    if values.min() < column.low or values.max() > column.high:
        raise Damaged(f"{here} leaves {column.low:g}..{column.high:g}: it runs {values.min():g}..{values.max():g}")
    return values.astype(column.kind)


def number(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column as numbers; raises Damaged with the first cell that is none."""
    values = frame[name]
    if pd.api.types.is_numeric_dtype(values):
        return values
    numbers = pd.to_numeric(values, errors="coerce")
    bad = np.flatnonzero(numbers.isna() & values.notna())
    if len(bad):
        raise Damaged(f"column {name!r} is not a number in row {bad[0]:,}: {str(values.iloc[bad[0]])[:40]!r}")
    return numbers
