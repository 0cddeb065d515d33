"""From verified bytes to a DataFrame, and the check that it is what the catalogue says.

`parse` reads a table from the bytes of its files and checks it, so that damaged bytes, a cut file and a renamed column
end in the same DataError: set, table, column, next step.
"""

from __future__ import annotations

import gzip
import io
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import NoReturn

import numpy as np
import pandas as pd

from helpers.datasets.catalogue import Column, Dataset
from helpers.errors import DataError

Files = dict[str, bytes]
Parser = Callable[[Files], pd.DataFrame]


class _Damaged(Exception):
    """What is wrong with a file or a column; `parse` adds where and what to do."""


def parse(entry: Dataset, table: str, content: Files) -> pd.DataFrame:
    """One table from the bytes of its files, checked; raises DataError that names set, table and column."""
    try:
        frame = PARSERS[entry.name, table](entry, content)
    except _Damaged as problem:
        _fail(entry, table, str(problem))
    except (
        ValueError,
        KeyError,
        IndexError,
        OSError,
        EOFError,
        struct.error,
        zlib.error,
        zipfile.BadZipFile,
        tarfile.TarError,
    ) as problem:
        _fail(entry, table, f"cannot be read ({type(problem).__name__}: {problem})")
    return check(entry, table, frame)


def check(entry: Dataset, table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame in the catalogue's dtypes; raises DataError when columns, size, dates, gaps or values do not fit."""
    wanted = entry.tables[table]
    missing = [column for column in wanted.columns if column not in frame]
    extra = [column for column in frame if column not in wanted.columns]
    if missing:
        found = f" (found {', '.join(map(repr, extra[:5]))} instead)" if extra else ""
        _fail(entry, table, f"has no column {missing[0]!r}{found}")
    if extra:
        _fail(entry, table, f"has a column too many: {extra[0]!r}")
    if len(frame) != wanted.rows:
        _fail(entry, table, f"has {len(frame):,} rows instead of {wanted.rows:,}: cut short, or another file")
    if wanted.first:
        index = frame.index
        if index.hasnans or not (index.is_monotonic_increasing and index.is_unique):
            _fail(entry, table, "has dates that are missing, repeated or out of order")
        if (index[0].date(), index[-1].date()) != (wanted.first, wanted.last):
            _fail(
                entry, table, f"runs {index[0]:%Y-%m-%d}..{index[-1]:%Y-%m-%d} instead of {wanted.first}..{wanted.last}"
            )
    if set(frame.dtypes) == {np.dtype("uint8")}:  # images: nothing of that type can be missing or out of range
        return frame[list(wanted.columns)]
    try:
        columns = {name: _conform(frame, name, column) for name, column in wanted.columns.items()}
    except _Damaged as problem:
        _fail(entry, table, str(problem))
    return pd.DataFrame(columns, index=frame.index)


def _fail(entry: Dataset, table: str, what: str) -> NoReturn:
    raise DataError(
        f"{entry.name}, table {table} ({', '.join(entry.tables[table].files)}): {what}. Run `course data verify "
        f"{entry.name}`; if its files are intact, data/catalogue.toml and the parser disagree."
    )


def _conform(frame: pd.DataFrame, name: str, column: Column) -> pd.Series:
    """The column in its dtype; raises _Damaged with what is wrong and where."""
    values, here = frame[name], f"column {name!r}"
    gaps = int(values.isna().sum())
    if gaps != column.missing:
        raise _Damaged(f"{here} has {gaps:,} missing cells instead of {column.missing:,}")
    if column.kind == "text":
        if not pd.api.types.is_string_dtype(values):
            raise _Damaged(f"{here} does not hold text")
        return values
    if column.kind == "category":
        strange = values[~values.isin(column.levels)]
        if len(strange):
            raise _Damaged(f"{here} has the unknown value {str(strange.iloc[0])!r}")
        return values.astype(pd.CategoricalDtype(list(column.levels)))
    if column.kind == "time":
        first, last = values.min(), values.max()
        if first.date() < column.low or last.date() > column.high:
            raise _Damaged(f"{here} leaves {column.low}..{column.high}: it runs {first:%Y-%m-%d}..{last:%Y-%m-%d}")
        return values.astype("datetime64[s]")
    values = _number(frame, name)
    if column.kind != "float64" and not (values == np.floor(values)).all():
        raise _Damaged(f"{here} holds fractions where whole numbers are due")
    if values.min() < column.low or values.max() > column.high:
        raise _Damaged(f"{here} leaves {column.low:g}..{column.high:g}: it runs {values.min():g}..{values.max():g}")
    return values.astype(column.kind)


def _number(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column as numbers; raises _Damaged with the first cell that is none."""
    values = frame[name]
    if pd.api.types.is_numeric_dtype(values):
        return values
    numbers = pd.to_numeric(values, errors="coerce")
    bad = np.flatnonzero(numbers.isna() & values.notna())
    if len(bad):
        raise _Damaged(f"column {name!r} is not a number in row {bad[0]:,}: {str(values.iloc[bad[0]])[:40]!r}")
    return numbers


# ------------------------------------------------------------------------------------------------ reading, in general


def _csv(raw: bytes, names: dict[str, str] | None = None, **options) -> pd.DataFrame:
    """A CSV with a header; `names` says which of the file's columns get which of ours, and they must be there."""
    frame = pd.read_csv(io.BytesIO(raw), low_memory=False, **options)
    for column in names or {}:
        if column not in frame:
            raise _Damaged(f"has no column {column!r} (found {', '.join(map(repr, frame.columns[:8]))})")
    return frame.rename(columns=names or {})


def _plain(raw: bytes, names: list[str], **options) -> pd.DataFrame:
    """A CSV without a header."""
    frame = _csv(raw, header=None, **options)
    if frame.shape[1] != len(names):
        raise _Damaged(f"has {frame.shape[1]} columns instead of {len(names)}")
    return frame.set_axis(names, axis=1)


def _dated(frame: pd.DataFrame, column: str, form: str = "%Y-%m-%d") -> pd.DataFrame:
    """The frame with a column of dates as its index, named date."""
    if column not in frame:
        raise _Damaged(f"has no column {column!r} (found {', '.join(map(repr, frame.columns[:8]))})")
    dates = pd.to_datetime(frame[column].astype(str), format=form, errors="coerce")
    bad = np.flatnonzero(dates.isna())
    if len(bad):
        raise _Damaged(f"column {column!r} is not a date in row {bad[0]:,}: {str(frame[column].iloc[bad[0]])[:40]!r}")
    return frame.drop(columns=column).set_index(pd.DatetimeIndex(dates, name="date"))


def _member(raw: bytes, name: str) -> bytes:
    """One member of a zip, in memory."""
    with zipfile.ZipFile(io.BytesIO(raw)) as zipped:
        if zipped.getinfo(name).file_size > 100 << 20:
            raise _Damaged(f"its member {name} is too big")
        return zipped.read(name)


def _untar(raw: bytes, limit: int) -> dict[str, bytes]:
    """The plain files of a tar.gz by name, in memory: nothing is written, links and devices are passed over."""
    with gzip.open(io.BytesIO(raw)) as unzipped:
        whole = unzipped.read(limit + 1)
    if len(whole) > limit:
        raise _Damaged(f"unpacks to more than {limit:,} bytes")
    with tarfile.open(fileobj=io.BytesIO(whole), mode="r:") as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isreg()}


# ---------------------------------------------------------------------------------------------------------- set by set

GERMAN_STEMS = {
    "checking_status": "A1", "credit_history": "A3", "purpose": "A4", "savings": "A6", "employment_since": "A7",
    "personal_status_sex": "A9", "other_debtors": "A10", "property": "A12", "other_installment_plans": "A14",
    "housing": "A15", "job": "A17", "telephone": "A19", "foreign_worker": "A20",
}  # fmt: skip
"""Column → what its codes begin with; the catalogue lists the labels in the codes' order (german.doc)."""


def german_codes(entry: Dataset, column: str) -> dict[str, str]:
    """The file's code → label of a column, e.g. A11 → below 0 DM; credit history and purpose count from 0."""
    stem = GERMAN_STEMS[column]
    levels = entry.tables["applicants"].columns[column].levels
    return {f"{stem}{i + (stem not in ('A3', 'A4'))}": label for i, label in enumerate(levels)}


def _german(entry: Dataset, content: Files) -> pd.DataFrame:
    frame = _plain(content["german.data"], list(entry.tables["applicants"].columns), sep=" ")
    for column in GERMAN_STEMS:
        frame[column] = frame[column].replace(german_codes(entry, column))
    return frame.assign(default=_number(frame, "default") - 1)  # 1 = good, 2 = bad in the file


def _taiwan(entry: Dataset, content: Files) -> pd.DataFrame:
    names = [name for name in entry.tables["clients"].columns if name != "default"]
    codes = {f"X{i}": name for i, name in enumerate(names, 1)}
    return _csv(content["data.csv"], {"ID": "ID"} | codes | {"Y": "default"}).drop(columns="ID")


def _bank(archive: str, member: str):
    def read(entry: Dataset, content: Files) -> pd.DataFrame:
        raw = _member(_member(content["bank+marketing.zip"], archive), member)
        frame = _csv(raw, {"y": "subscribed"}, sep=";", keep_default_na=False)  # "unknown" is a level, not a gap
        frame["subscribed"] = frame["subscribed"].map({"no": 0, "yes": 1})
        return frame.rename(columns=lambda name: name.replace(".", "_"))

    return read


def _days(path: str, date: str, names: dict[str, str] | None = None, **options):
    """A parser of a CSV of daily bars or prices."""
    return lambda entry, content: _dated(_csv(content[path], names, **options), date)


def _gspc(entry: Dataset, content: Files) -> pd.DataFrame:
    names = {
        "Open": "open",
        "High": "high",
        "Low": "low",
        "Close": "close",
        "Adj Close": "adj_close",
        "Volume": "volume",
    }
    frame = _dated(_csv(content["GSPC.csv"], names), "Date")
    frame["open"] = _number(frame, "open").where(lambda opens: opens != 0)
    # Until the end of 1961 the file repeats the close as open, high and low.
    frame.loc[frame.index < "1962-01-01", ["open", "high", "low"]] = np.nan
    return frame


def _h15(entry: Dataset, content: Files) -> pd.DataFrame:
    ours = entry.tables["yields"].columns
    names = {f"RIFLGFC{name[0].upper()}{int(name[1:]):02d}_N.B": name for name in ours}  # m3 → RIFLGFCM03_N.B
    frame = _dated(_csv(content["FRB_H15.csv"], names, skiprows=5, na_values=["ND"]), "Time Period")
    return frame.apply(lambda values: _number(frame, values.name) / 100)


def _french(path: str):
    """A parser of the first block of a Data Library file (value weighted, for portfolios): prose, header, days."""

    def read(entry: Dataset, content: Files) -> pd.DataFrame:
        raw = content[path]
        if path.endswith(".zip"):
            raw = _member(raw, path.replace("_CSV.zip", ".csv"))
        block = re.search(rb"^ *,[^\r\n]+\r?\n(?: *\d{8} *,[^\r\n]*(?:\r?\n|$))+", raw, re.MULTILINE)
        if block is None:
            raise _Damaged("has no header line followed by days (YYYYMMDD, …)")
        frame = _csv(block.group(), skipinitialspace=True)
        frame = _dated(frame, frame.columns[0], "%Y%m%d")
        frame.columns = [name.strip().lower().replace("-", "_") for name in frame.columns]
        frame = frame.apply(lambda values: _number(frame, values.name))
        return frame.where(frame > -99) / 100  # -99.99 and -999 mark what is missing

    return read


def _mnist(entry: Dataset, content: Files) -> pd.DataFrame:
    """IDX files: a magic number and the sizes (big endian), then unsigned bytes."""
    parts = []
    for path, magic, start, width in (("labels-idx1", 2049, 8, 1), ("images-idx3", 2051, 16, 784)):
        raw = gzip.decompress(content[f"t10k-{path}-ubyte.gz"])
        found, count = struct.unpack(">ii", raw[:8])
        if found != magic or len(raw) != start + count * width:
            raise _Damaged(f"{path} is not a whole IDX file: {len(raw):,} bytes for {count:,} items")
        parts.append(np.frombuffer(raw, np.uint8, offset=start).reshape(count, width))
    return pd.DataFrame(np.hstack(parts), columns=list(entry.tables["digits"].columns))


def _banking(entry: Dataset, content: Files) -> pd.DataFrame:
    names = {"text": "text", "category": "intent"}
    parts = [_csv(content[f"{split}.csv"], names).assign(split=split) for split in ("train", "test")]
    return pd.concat(parts, ignore_index=True)


RETAIL = {
    "InvoiceNo": "invoice", "StockCode": "stock_code", "Description": "description", "Quantity": "quantity",
    "InvoiceDate": "time", "UnitPrice": "unit_price", "CustomerID": "customer_id", "Country": "country",
}  # fmt: skip


def _retail(entry: Dataset, content: Files) -> pd.DataFrame:
    """One CSV a day, each with the same header; they are put together as text and read once."""
    days = {
        name: raw
        for name, raw in sorted(_untar(content["online_retail_by_day.tar.gz"], 64 << 20).items())
        if name.endswith(".csv")
    }
    headers = {raw.partition(b"\n")[0].strip() for raw in days.values()}
    if len(headers) != 1:
        raise _Damaged(f"holds {len(days)} daily files with {len(headers)} different headers")
    lines = (raw.partition(b"\n")[2].rstrip(b"\r\n") for raw in days.values())
    text = {"InvoiceNo": str, "StockCode": str, "InvoiceDate": "category"}  # few times, many lines: parse each once
    frame = _csv(b"\n".join([*headers, *lines]), RETAIL, dtype=text)
    times = pd.Series(frame["time"].cat.categories)
    parsed = _dated(times.to_frame("time"), "time", "%Y-%m-%d %H:%M:%S").index
    return frame.assign(time=parsed.to_numpy()[frame["time"].cat.codes])


def _churners(entry: Dataset, content: Files) -> pd.DataFrame:
    """Without the publisher's two columns of a naive Bayes classifier, which were made with the label."""
    frame = _csv(content["BankChurners.csv"], {"Attrition_Flag": "churned"}).rename(columns=str.lower)
    leaks = [name for name in frame.columns if name.startswith("naive_bayes")]
    label = frame["churned"].replace({"Existing Customer": "0", "Attrited Customer": "1"})
    return frame.drop(columns=leaks).assign(churned=label)


def _lower(path: str, names: dict[str, str] | None = None):
    """A parser of a CSV whose header only wants the given names and lower case."""
    return lambda entry, content: _csv(content[path], names).rename(columns=str.lower)


_GZIP = {"compression": "gzip"}
PARSERS = {
    ("german_credit", "applicants"): _german,
    ("taiwan_default", "clients"): _taiwan,
    ("sp500_ohlcv", "gspc"): _gspc,
    ("sp500_ohlcv", "sp500_2000"): _days("sp500-2000.csv", "date", {"adjclose": "adj_close"}),
    ("vix", "vix"): _days("vix-daily.csv", "DATE", {name: name.lower() for name in ("OPEN", "HIGH", "LOW", "CLOSE")}),
    ("skfolio", "prices"): _days("sp500_dataset.csv.gz", "Date", **_GZIP),
    ("skfolio", "index"): _days("sp500_index.csv.gz", "Date", {"SP500": "sp500"}, **_GZIP),
    ("skfolio", "factors"): _days("factors_dataset.csv.gz", "Date", **_GZIP),
    ("skfolio", "ftse100"): _days("ftse100_dataset.csv.gz", "Date", **_GZIP),
    ("skfolio", "implied_vol"): _days("sp500_implied_vol_dataset.csv.gz", "Date", **_GZIP),
    ("bank_marketing", "additional_full"): _bank("bank-additional.zip", "bank-additional/bank-additional-full.csv"),
    ("bank_marketing", "additional"): _bank("bank-additional.zip", "bank-additional/bank-additional.csv"),
    ("bank_marketing", "full"): _bank("bank.zip", "bank-full.csv"),
    ("bank_marketing", "bank"): _bank("bank.zip", "bank.csv"),
    ("treasury_h15", "yields"): _h15,
    ("fama_french", "factors3"): _french("F-F_Research_Data_Factors_daily_CSV.zip"),
    ("fama_french", "factors5"): _french("F-F_Research_Data_5_Factors_2x3_daily_CSV.zip"),
    ("fama_french", "momentum"): _french("F-F_Momentum_Factor_daily_CSV.zip"),
    ("fama_french", "industries5"): _french("5_Industry_Portfolios_Daily.csv"),
    ("fama_french", "industries10"): _french("10_Industry_Portfolios_Daily.csv"),
    ("cc_general", "customers"): _lower("CC GENERAL.csv"),
    ("banknote", "notes"): lambda entry, content: _plain(
        content["data_banknote_authentication.txt"], list(entry.tables["notes"].columns)
    ),
    ("mnist_test", "digits"): _mnist,
    ("banking77", "messages"): _banking,
    ("online_retail", "lines"): _retail,
    ("bank_churners", "customers"): _churners,
    ("ulb_creditcard", "transactions"): _lower("creditcard.csv", {"Class": "fraud"}),
    ("ulb_creditcard", "sample"): _lower("creditcard_sample.csv", {"Class": "fraud"}),
}
