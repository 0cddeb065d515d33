"""From verified bytes to a DataFrame, and the check that it is what the catalogue and the cards say.

A table is a `Schema` (its columns in order) and a parser (the bytes of its files → a raw frame). `parse` runs both, so
that damaged bytes and a changed file end in the same DataError: set, table, column, next step.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import pandas as pd

from helpers.datasets.catalogue import Dataset
from helpers.errors import DataError


@dataclass(frozen=True)
class Column:
    """What a column must be: its kind, range or levels, and how many cells are missing in the real data."""

    kind: str
    """float64, int64, int8, uint8, category, or text."""
    low: float = -np.inf
    high: float = np.inf
    levels: tuple[str, ...] = ()
    missing: int = 0


@dataclass(frozen=True)
class Schema:
    """A table's columns, in order, whether its index is a date, and its parser."""

    columns: dict[str, Column]
    parser: Callable[[dict[str, bytes]], pd.DataFrame]
    dated: bool = True


def parse(entry: Dataset, table: str, content: dict[str, bytes]) -> pd.DataFrame:
    """Parse and check one table from the bytes of its files; raises DataError that names set, table and column."""
    try:
        frame = schema(entry.name, table).parser(content)
    except _Damaged as problem:
        _fail(entry, table, str(problem))
    except (ValueError, KeyError, IndexError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as problem:
        _fail(entry, table, f"cannot be read ({type(problem).__name__}: {problem})")
    return check(entry, table, frame)


def check(entry: Dataset, table: str, frame: pd.DataFrame, *, real: bool = True) -> pd.DataFrame:
    """The frame with the schema's dtypes, or DataError; `real` also asks for the published size, dates and gaps."""
    wanted, size = schema(entry.name, table), entry.tables[table]
    missing = [column for column in wanted.columns if column not in frame]
    extra = [column for column in frame if column not in wanted.columns]
    if missing or extra:
        found = f" (found {', '.join(map(repr, extra[:5]))} instead)" if extra else ""
        _fail(entry, table, f"has no column {missing[0]!r}{found}" if missing else f"has a column too many: {extra[0]!r}")
    if len(frame) != size.rows:
        _fail(entry, table, f"has {len(frame):,} rows instead of {size.rows:,}: it is cut short or not the same file")
    if wanted.dated:
        _check_dates(entry, table, frame)
    parts = {}
    for name, column in wanted.columns.items():
        try:
            parts[name] = _conform(frame[name], column, real)
        except _Damaged as problem:
            _fail(entry, table, f"column {name!r} {problem}")
    return pd.DataFrame(parts, index=frame.index)


class _Damaged(Exception):
    """What is wrong with a column or a file, to be completed with its place."""


def _fail(entry: Dataset, table: str, what: str) -> NoReturn:
    raise DataError(
        f"{entry.name}, table {table} ({', '.join(entry.tables[table].files)}): {what}. "
        f"Run `course data verify {entry.name}`; if the files are intact, `data/catalogue.toml` and the parser disagree."
    )


def _check_dates(entry: Dataset, table: str, frame: pd.DataFrame) -> None:
    size, index = entry.tables[table], frame.index
    if not isinstance(index, pd.DatetimeIndex) or index.tz is not None or index.name != "date":
        _fail(entry, table, "has an index that is not a plain date")
    if index.hasnans or not (index.is_monotonic_increasing and index.is_unique):
        _fail(entry, table, "has dates that are missing, repeated or out of order")
    if (index[0].date(), index[-1].date()) != (size.first, size.last):
        _fail(entry, table, f"runs {index[0]:%Y-%m-%d}..{index[-1]:%Y-%m-%d} instead of {size.first}..{size.last}")


def _conform(values: pd.Series, column: Column, real: bool) -> pd.Series:
    """The column in its dtype; raises _Damaged with what is wrong and where."""
    gaps = int(values.isna().sum())
    if gaps != column.missing if real else gaps and not column.missing:
        raise _Damaged(f"has {gaps:,} missing cells instead of {column.missing:,}")
    if column.kind == "text":
        return values.astype(str) if values.dtype != object and not pd.api.types.is_string_dtype(values) else values
    if column.kind == "category":
        strange = set(values.dropna().unique()) - set(column.levels)
        if strange:
            raise _Damaged(f"has the unknown value {sorted(map(str, strange))[0]!r}")
        return values.astype(pd.CategoricalDtype(list(column.levels)))
    if not pd.api.types.is_numeric_dtype(values):
        numbers = pd.to_numeric(values, errors="coerce")
        first = int(np.flatnonzero(numbers.isna() & values.notna())[0])
        raise _Damaged(f"is not a number in row {first:,}: {str(values.iloc[first])[:40]!r}")
    if column.kind != "float64" and not (values == np.floor(values)).all():
        raise _Damaged("holds fractions where whole numbers are due")
    if not values.dropna().between(column.low, column.high).all():
        raise _Damaged(f"leaves its range {column.low:g}..{column.high:g}: {values.min():g}..{values.max():g}")
    return values.astype(column.kind)


def _csv(raw: bytes, names: dict[str, str] | None = None, **options) -> pd.DataFrame:
    """Read a CSV; `names` renames its columns. A column that is not there is reported by the file's own name for it."""
    frame = pd.read_csv(io.BytesIO(raw), float_precision="round_trip", low_memory=False, **options)
    for column in names or {}:
        if column not in frame:
            raise _Damaged(f"has no column {column!r} (found {', '.join(map(repr, frame.columns[:8]))})")
    return frame.rename(columns=names or {})


def _dated(frame: pd.DataFrame, column: str, form: str = "%Y-%m-%d") -> pd.DataFrame:
    """Make a column the date index."""
    if column not in frame:
        raise _Damaged(f"has no column {column!r} (found {', '.join(map(repr, frame.columns[:8]))})")
    dates = pd.to_datetime(frame[column].astype(str), format=form, errors="coerce")
    if dates.isna().any():
        first = int(np.flatnonzero(dates.isna())[0])
        raise _Damaged(f"column {column!r} is not a date in row {first:,}: {str(frame[column].iloc[first])[:40]!r}")
    return frame.drop(columns=column).set_index(pd.DatetimeIndex(dates, name="date"))


# ---------------------------------------------------------------------------------------------------- german_credit

GERMAN_CODES = {
    "checking_status": ("A1", ["below 0 DM", "0 to 200 DM", "200 DM or more", "no checking account"]),
    "credit_history": ("A3", ["no credits or all paid back duly", "all credits at this bank paid back duly",
                              "existing credits paid back duly", "delay in the past",
                              "critical account or credits elsewhere"]),
    "purpose": ("A4", ["car (new)", "car (used)", "furniture or equipment", "radio or television",
                       "domestic appliances", "repairs", "education", "vacation", "retraining", "business", "others"]),
    "savings": ("A6", ["below 100 DM", "100 to 500 DM", "500 to 1000 DM", "1000 DM or more", "unknown or none"]),
    "employment_since": ("A7", ["unemployed", "under 1 year", "1 to 4 years", "4 to 7 years", "7 years or more"]),
    "personal_status_sex": ("A9", ["male, divorced or separated", "female, divorced, separated or married",
                                   "male, single", "male, married or widowed", "female, single"]),
    "other_debtors": ("A10", ["none", "co-applicant", "guarantor"]),
    "property": ("A12", ["real estate", "building society savings or life insurance", "car or other",
                         "unknown or none"]),
    "other_installment_plans": ("A14", ["bank", "stores", "none"]),
    "housing": ("A15", ["rent", "own", "for free"]),
    "job": ("A17", ["unemployed or unskilled, non-resident", "unskilled, resident", "skilled employee or official",
                    "management, self-employed or highly qualified"]),
    "telephone": ("A19", ["none", "yes"]),
    "foreign_worker": ("A20", ["yes", "no"]),
}  # fmt: skip
"""Column → (the codes' stem, labels in the codes' order), from german.doc; A30 and A40 are the only codes from 0."""

_GERMAN_NUMBERS = {
    "duration_months": (4, 72), "credit_amount": (250, 18_424), "installment_rate": (1, 4), "residence_since": (1, 4),
    "age": (19, 75), "existing_credits": (1, 4), "dependents": (1, 2), "default": (0, 1),
}  # fmt: skip
_GERMAN_ORDER = (
    "checking_status duration_months credit_history purpose credit_amount savings employment_since installment_rate "
    "personal_status_sex other_debtors residence_since property age other_installment_plans housing existing_credits "
    "job dependents telephone foreign_worker default"
).split()


def german_codes(column: str) -> dict[str, str]:
    """The file's code of each label of a German-credit column, e.g. A11 → below 0 DM."""
    stem, labels = GERMAN_CODES[column]
    return {f"{stem}{i + (stem not in ('A3', 'A4'))}": label for i, label in enumerate(labels)}


def _german(content: dict[str, bytes]) -> pd.DataFrame:
    frame = _csv(content["german.data"], sep=" ", header=None)
    if frame.shape[1] != len(_GERMAN_ORDER):
        raise _Damaged(f"has {frame.shape[1]} columns instead of {len(_GERMAN_ORDER)}")
    frame.columns = _GERMAN_ORDER
    for column in GERMAN_CODES:
        codes = german_codes(column)
        frame[column] = frame[column].map(lambda code, codes=codes: codes.get(code, code))
    return frame.assign(default=frame["default"] - 1)  # 1 = good, 2 = bad in the file


def _german_schema() -> dict[str, Column]:
    columns = {}
    for name in _GERMAN_ORDER:
        if name in GERMAN_CODES:
            columns[name] = Column("category", levels=tuple(GERMAN_CODES[name][1]))
        else:
            columns[name] = Column("int8" if name == "default" else "int64", *_GERMAN_NUMBERS[name])
    return columns


# ------------------------------------------------------------------------------------------------------ daily prices

_BAR = {"Open": "open", "High": "high", "Low": "low", "Close": "close", "Adj Close": "adj_close", "Volume": "volume"}
_US = "AAPL AMD BAC BBY CVX GE HD JNJ JPM KO LLY MRK MSFT PEP PFE PG RRC UNH WMT XOM".split()
_UK = [
    f"{ticker}.L"
    for ticker in (
        "AAL ABF AHT ANTO AV AZN BA BARC BATS BDEV BKG BLND BNZL BP BT-A CNA CRDA DGE FCIT GSK HLMA HSBA HSX III IMB INF "
        "JD JMAT KGF LAND LGEN LLOY NG NWG NXT PRU PSN PSON REL RIO RKT RR RTO SBRY SDR SGE SGRO SMDS SMIN SMT SN SPX "
        "SSE STAN STJ SVT TSCO TW ULVR UU VOD WEIR WPP WTB"
    ).split()
]
_UK_GAPS = dict.fromkeys("AAL BARC BATS CRDA GSK RIO RTO SGE SGRO TSCO TW VOD WEIR WPP WTB".split(), 1)
_UK_GAPS |= {"BP": 7, "JMAT": 5, "LLOY": 2}


def _gspc(content: dict[str, bytes]) -> pd.DataFrame:
    frame = _dated(_csv(content["GSPC.csv"], _BAR), "Date")
    frame["open"] = frame["open"].where(frame["open"] != 0)
    # Until the end of 1961 the file repeats the close as open, high and low.
    frame.loc[frame.index < "1962-01-01", ["open", "high", "low"]] = np.nan
    return frame


def _prices(path: str) -> Callable[[dict[str, bytes]], pd.DataFrame]:
    def read(content: dict[str, bytes]) -> pd.DataFrame:
        return _dated(_csv(content[path], compression="gzip"), "Date")

    return read


def _positive(names: list[str], high: float, gaps: dict[str, int] | None = None) -> dict[str, Column]:
    return {name: Column("float64", 1e-6, high, missing=(gaps or {}).get(name, 0)) for name in names}


_POINTS = Column("float64", 1, 6000)
_OHLC = {"open": _POINTS, "high": _POINTS, "low": _POINTS, "close": _POINTS, "adj_close": _POINTS}
_VOLUME = {"volume": Column("int64", 0, 2e10)}
_OLD_OHLC = {
    "open": Column("float64", 1, 6000, missing=8509 + 5075),
    "high": Column("float64", 1, 6000, missing=8509),
    "low": Column("float64", 1, 6000, missing=8509),
    "close": _POINTS,
    "adj_close": _POINTS,
}

# ---------------------------------------------------------------------------------------------------------- register

SCHEMAS: dict[str, dict[str, Schema]] = {
    "german_credit": {"applicants": Schema(_german_schema(), _german, dated=False)},
    "sp500_ohlcv": {
        "gspc": Schema({**_OLD_OHLC, **_VOLUME}, _gspc),
        "sp500_2000": Schema(
            {**_OHLC, **_VOLUME},
            lambda content: _dated(_csv(content["sp500-2000.csv"], {"adjclose": "adj_close"}), "date"),
        ),
    },
    "vix": {
        "vix": Schema(
            _positive(["open", "high", "low", "close"], 100),
            lambda content: _dated(_csv(content["vix-daily.csv"], {c.upper(): c for c in ("open", "high", "low", "close")}), "DATE"),
        )
    },
    "skfolio": {
        "prices": Schema(_positive(_US, 1000), _prices("sp500_dataset.csv.gz")),
        "index": Schema(
            _positive(["sp500"], 6000),
            lambda content: _prices("sp500_index.csv.gz")(content).rename(columns={"SP500": "sp500"}),
        ),
        "factors": Schema(_positive("MTUM QUAL SIZE USMV VLUE".split(), 300), _prices("factors_dataset.csv.gz")),
        "ftse100": Schema(
            _positive(_UK, 20_000, {f"{t}.L": n for t, n in _UK_GAPS.items()}), _prices("ftse100_dataset.csv.gz")
        ),
        "implied_vol": Schema(_positive(_US, 2.5), _prices("sp500_implied_vol_dataset.csv.gz")),
    },
}


def schema(name: str, table: str) -> Schema:
    """The schema of one table."""
    return SCHEMAS[name][table]
