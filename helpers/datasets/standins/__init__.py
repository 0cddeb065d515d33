"""Seeded stand-ins: tables of the catalogue's columns, sizes and dtypes, made up when no source can be reached.

They let every notebook run to its end and carry rough features of the real thing (a target that depends on its inputs,
volatility that clusters, prices that move together); nothing measured on them says anything about the world.
"""

from __future__ import annotations

import zlib

import numpy as np
import pandas as pd

from helpers.datasets.catalogue import Dataset
from helpers.datasets.checks import check
from helpers.datasets.standins import markets, media, people, texts
from helpers.errors import CourseError

MAKERS = {
    "people": people.people,
    "losses": people.losses,
    "invoices": people.invoices,
    "bars": markets.bars,
    "prices": markets.prices,
    "factors": markets.factors,
    "adjustments": markets.adjustments,
    "yields": markets.yields,
    "volatility": markets.volatility,
    "volatilities": markets.volatilities,
    "months": markets.months,
    "option_quotes": markets.option_quotes,
    "messages": texts.messages,
    "digits": media.digits,
    "receipts": media.receipts,
    "receipt_lines": media.receipt_lines,
    "recordings": media.recordings,
}
"""Each takes the table's description and a generator, and the options that the set's file gives beside `make`."""


def make(entry: Dataset, table: str) -> pd.DataFrame:
    """The stand-in of one table, the same on every call; raises CourseError when there is none of it."""
    wanted = entry.tables[table]
    if not wanted.stand_in:
        raise CourseError(f"{entry.name}, table {table}: there is no stand-in of it; `course data fetch {entry.name}`.")
    options = {key: value for key, value in wanted.stand_in.items() if key != "make"}
    rng = np.random.default_rng(zlib.crc32(f"{entry.name}/{table}".encode()))
    frame = MAKERS[wanted.stand_in["make"]](wanted, rng, **options)
    gaps: dict[int, np.ndarray] = {}  # columns with as many gaps as another have them in the same rows
    for name, column in wanted.columns.items():
        if column.kind == "float64":
            frame[name] = frame[name].clip(column.low, column.high)
        if column.missing and not frame[name].isna().any():
            # The youngest columns of a table of days begin late, elsewhere gaps fall anywhere.
            if column.missing not in gaps and not wanted.first:
                gaps[column.missing] = rng.choice(len(frame), column.missing, replace=False)
            frame.loc[frame.index[gaps.get(column.missing, np.arange(column.missing))], name] = np.nan
    return check(entry, table, frame)
