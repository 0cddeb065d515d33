"""Market data that is no plain CSV: Ken French's library, and a folder of option quotes."""

from __future__ import annotations

import io
import re

import numpy as np
import pandas as pd

from helpers.datasets.catalogue import Table
from helpers.datasets.checks import Damaged, number
from helpers.datasets.readers import archives


def french(content: dict[str, bytes], table: Table) -> pd.DataFrame:
    """The first block of a Data Library file (value weighted, for portfolios): prose, header, days, in per cent.

    -99.99 and -999 mark what is missing. The first column, YYYYMMDD, is called `day`.
    """
    [raw] = content.values()
    raw = archives.unpack(raw, table.options.get("member", ()))
    block = re.search(rb"^ *,[^\r\n]+\r?\n(?: *\d{8} *,[^\r\n]*(?:\r?\n|$))+", raw, re.MULTILINE)
    if block is None:
        raise Damaged("has no header line followed by days (YYYYMMDD, …)")
    frame = pd.read_csv(io.BytesIO(block.group()), skipinitialspace=True, low_memory=False)
    frame = frame.set_axis(["day", *(name.strip() for name in frame.columns[1:])], axis=1)
    values = frame.columns[1:]
    frame[values] = frame[values].apply(lambda column: number(frame, column.name)).where(lambda cells: cells > -99)
    return frame


QUOTE = r"_(?P<right>call|put)_(?P<strike>\d{1,12})_(?P<expiry>\d{8})\.csv$"
SIDES = [f"{side}_{what}" for side in ("bid", "ask") for what in ("open", "high", "low", "close", "size")]


def option_quotes(content: dict[str, bytes], table: Table) -> pd.DataFrame:
    """A zip with a CSV for each contract, whose name has call or put, strike × 10,000 and expiry; a line is a day.

    Lines: day, then open, high, low, close (× 10,000) and size of the bid, then of the ask; empty without a quote.
    """
    [raw] = content.values()
    members = archives.unzip(raw)
    contracts = pd.Series(list(members)).str.extract(QUOTE)
    if contracts.isna().any(axis=None):
        raise Damaged(
            f"has a member that is no contract: {list(members)[int(contracts['right'].isna().argmax())][:60]!r}"
        )
    lines = pd.Series([lines.count(b"\n") + (not lines.endswith(b"\n")) for lines in members.values()])
    text = b"\n".join(lines.rstrip(b"\r\n") for lines in members.values())
    quotes = pd.read_csv(io.BytesIO(text), header=None, names=["date", *SIDES], dtype={"date": str}, low_memory=False)
    contracts = contracts.loc[contracts.index.repeat(lines)].reset_index(drop=True)
    if len(quotes) != len(contracts):
        raise Damaged(f"has {len(quotes):,} quotes in {len(contracts):,} lines")
    prices = [name for name in SIDES if not name.endswith("size")]
    quotes[prices] = quotes[prices].apply(lambda column: number(quotes, column.name)) / 10_000
    frame = pd.concat([quotes[["date"]], contracts, quotes[SIDES]], axis=1)
    frame["strike"] = frame["strike"].astype(np.int64) / 10_000
    frame["date"] = frame["date"].str[:8]
    return frame.sort_values(["date", "expiry", "right", "strike"], ignore_index=True)
