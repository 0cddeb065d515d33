"""Seeded stand-ins: tables of the catalogue's columns, sizes and dtypes, made up when no source can be reached.

They let every notebook run to its end and carry rough features of the real thing (a target that depends on its inputs,
volatility that clusters, prices that move together); nothing measured on them says anything about the world.
"""

from __future__ import annotations

import functools
import zlib

import numpy as np
import pandas as pd

from helpers.datasets.catalogue import Column, Dataset, Table
from helpers.datasets.parsers import check

SHARES = {
    "german_credit": 0.30,
    "taiwan_default": 0.2212,
    "bank_marketing": 0.115,
    "banknote": 0.445,
    "ulb_creditcard": 0.091,
    "bank_churners": 0.1607,
}
"""Share of ones in the label of each set that has one."""


def make(entry: Dataset, table: str) -> pd.DataFrame:
    """The stand-in of one table, the same on every call."""
    wanted = entry.tables[table]
    rng = np.random.default_rng(zlib.crc32(f"{entry.name}/{table}".encode()))
    if wanted.first:
        frame = _days(entry.name, table, wanted, rng)
    elif entry.name == "mnist_test":
        frame = _digits(wanted, rng)
    elif entry.name == "banking77":
        frame = _messages(wanted, rng)
    elif entry.name == "online_retail":
        frame = _invoices(wanted, rng)
    else:
        frame = _people(wanted, SHARES.get(entry.name, 0.5), rng)
    for name, column in wanted.columns.items():
        if column.kind == "float64":
            frame[name] = frame[name].clip(column.low, column.high)
        if column.missing:  # the youngest columns of a table of days begin late, elsewhere gaps fall anywhere
            rows = np.arange(column.missing) if wanted.first else rng.choice(len(frame), column.missing, replace=False)
            frame.loc[frame.index[rows], name] = np.nan
    return check(entry, table, frame)


def _people(table: Table, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Independent rows whose int8 label follows a logistic model of the other columns (AUC about 0.8)."""
    n, score, columns = table.rows, np.zeros(table.rows), {}
    for name, column in table.columns.items():
        z = rng.normal(size=n)
        if column.kind == "text":
            columns[name] = [f"S{i:05d}" for i in range(n)]
            continue
        score += z * rng.choice([0.0, 0.25, -0.25, 0.5])
        columns[name] = _shape(z, column)
    chance = 1 / (1 + np.exp(-(score - score.mean()) / score.std() * 1.4))
    for name, column in table.columns.items():
        if column.kind == "int8":
            columns[name] = (
                chance - rng.uniform(size=n) > np.quantile(chance - rng.uniform(size=n), 1 - share)
            ).astype(int)
    return pd.DataFrame(columns)


def _shape(z: np.ndarray, column: Column):
    """Normal draws turned into a column: even over levels and short ranges, skewed to the low end of long ones."""
    even = 1 / (1 + np.exp(-1.7 * z))
    if column.kind == "category":
        return np.array(column.levels, dtype=object)[(even * len(column.levels)).astype(int)]
    width = column.high - column.low
    share = np.clip(np.exp(z - 2.0), 0, 1) if width > 50 else even
    if column.kind == "float64":
        return column.low + share * width
    return np.minimum(np.floor(column.low + share * (width + 1)), column.high)


@functools.cache
def _world() -> pd.DataFrame:
    """One market for all tables: how readily a day is kept, the day's volatility and the market's log return."""
    rng = np.random.default_rng(7)
    days = pd.date_range("1926-07-01", "2026-12-31", freq="D")
    days = days[days.day_of_week < np.where(days < pd.Timestamp("1952-06-01"), 6, 5)]
    taste = rng.uniform(size=len(days)) * np.where(days.day_of_week == 5, 0.01, 1.0)
    log_vol = np.zeros(len(days))  # an AR(1) with a half-life of about two months
    for i, shock in enumerate(0.09 * rng.normal(size=len(days) - 1), 1):
        log_vol[i] = 0.988 * log_vol[i - 1] + shock
    volatility = 0.0085 * np.exp(log_vol - 0.1)
    market = 0.0003 + volatility * rng.normal(size=len(days))
    return pd.DataFrame({"taste": taste, "volatility": volatility, "market": market}, index=days)


def _days(name: str, table_name: str, table: Table, rng: np.random.Generator) -> pd.DataFrame:
    world = _world()[str(table.first) : str(table.last)]
    kept = world["taste"].copy()
    kept.iloc[[0, -1]] = 2.0
    world = world.loc[kept.nlargest(table.rows).index.sort_values()]
    index, columns = pd.DatetimeIndex(world.index, name="date"), list(table.columns)
    n, k = len(index), len(columns)
    daily, market = world["volatility"].to_numpy(), world["market"].to_numpy()
    if name == "fama_french":
        own = daily[:, None] * rng.normal(size=(n, k)) * 0.5
        values = own + market[:, None] * ([1.0] + [0.1] * (k - 1) if "mkt_rf" in columns else [0.9] * k)
        frame = pd.DataFrame(values, index, columns)
        return frame.assign(rf=0.0001) if "rf" in columns else frame
    if name == "treasury_h15":
        years = np.array([int(c[1:]) / (12 if c[0] == "m" else 1) for c in columns])
        weights = np.exp(-years / 3.0)
        long, slope = (np.cumsum(rng.normal(size=n)) for _ in range(2))
        long, slope = 0.045 + 0.025 * np.tanh(long / 60), 0.01 + 0.02 * np.tanh(slope / 40)
        return pd.DataFrame((long[:, None] - slope[:, None] * weights).clip(0.0005), index, columns)
    if name == "vix":
        close = (1.25 * daily * np.sqrt(252) * 100 * np.exp(0.03 * rng.normal(size=n))).clip(9, 90)
        return _bars(close, close * 0.03, rng, index)[columns]
    if table_name == "implied_vol":
        values = 1.1 * daily[:, None] * np.sqrt(252) * np.exp(0.1 * rng.normal(size=(n, k))) * rng.uniform(1, 2, k)
        return pd.DataFrame(values.clip(0.05, 2.4), index, columns)
    if name == "sp500_ohlcv" or k == 1:
        close = _path(market, 20 if table_name == "gspc" else 400)
        if k == 1:
            return pd.DataFrame({columns[0]: close}, index)
        frame = _bars(close, close * daily, rng, index)
        return frame.assign(adj_close=close, volume=(1e9 * np.exp(0.3 * rng.normal(size=n))).astype(int))[columns]
    own = 1.2 * daily[:, None] * rng.normal(size=(n, k))
    growth = rng.uniform(1.5, 8, k)
    return pd.DataFrame({c: _path(market + own[:, i], 30, growth[i]) for i, c in enumerate(columns)}, index)


def _path(returns: np.ndarray, start: float, growth: float = 6.0) -> np.ndarray:
    """A price path that ends at `growth` times its start, whatever the returns' own sum, so that it keeps its range."""
    drift = (np.log(growth) - returns.sum()) / len(returns)
    return start * np.exp(np.cumsum(returns + drift))


def _bars(close: np.ndarray, spread: np.ndarray, rng: np.random.Generator, index: pd.DatetimeIndex) -> pd.DataFrame:
    """Open, high and low around a close: the open near the close before, a range of about 1.7 daily deviations."""
    opens = np.r_[close[0], close[:-1]] + 0.1 * spread * rng.normal(size=len(close))
    above, below = np.abs(rng.normal(size=(2, len(close)))) * 0.55 * spread
    high, low = np.maximum(opens, close) + above, np.minimum(opens, close) - below
    return pd.DataFrame({"open": opens, "high": high, "low": np.maximum(low, 0.5 * close), "close": close}, index)


def _digits(table: Table, rng: np.random.Generator) -> pd.DataFrame:
    """Noisy copies of ten random blobs, shifted by up to two pixels."""
    templates = np.zeros((10, 28, 28))
    templates[:, 8:20, 8:20] = np.kron(rng.uniform(size=(10, 4, 4)) > 0.45, np.ones((3, 3)))
    labels = rng.integers(0, 10, table.rows)
    shifts = rng.integers(-2, 3, (table.rows, 2))
    images = np.stack([np.roll(templates[d], tuple(s), (0, 1)) for d, s in zip(labels, shifts, strict=True)])
    pixels = (images * rng.uniform(120, 255, images.shape)).astype("uint8").reshape(table.rows, -1)
    return pd.DataFrame(np.hstack([labels[:, None].astype("uint8"), pixels]), columns=list(table.columns))


def _messages(table: Table, rng: np.random.Generator) -> pd.DataFrame:
    """Questions made of the words of their intent."""
    levels = table.columns["intent"].levels
    starts = ["How about", "I have a question:", "Please help with", "Why is there", "What about my"]
    intents = [levels[i % len(levels)] for i in range(table.rows)]
    texts = [
        f"{starts[rng.integers(5)]} {intent.strip('?').replace('_', ' ')}? ({i})" for i, intent in enumerate(intents)
    ]
    splits = np.where(np.arange(table.rows) < 10_003, "train", "test").astype(object)
    return pd.DataFrame({"text": texts, "intent": intents, "split": splits})


def _invoices(table: Table, rng: np.random.Generator) -> pd.DataFrame:
    """Invoices of customers who buy at their own rates until they leave; one in seven is cancelled again in part."""
    n, shop, columns = 25_900, 4_372, table.columns
    first, days = np.datetime64(columns["time"].low, "m"), (columns["time"].high - columns["time"].low).days
    start, stay, rate = rng.uniform(0, 300, shop), rng.exponential(250, shop), rng.gamma(0.7, 1, shop)
    customer = rng.choice(shop, n, p=rate / rate.sum())
    day = start[customer] + rng.uniform(size=n) * np.minimum(stay, days - start)[customer]
    order = np.argsort(day)
    customer, minute = customer[order], (day[order] * 1440).astype(int)
    cancelled = rng.uniform(size=n) < 0.148
    weight = rng.gamma(0.6, 1, n) * np.where(cancelled, 0.1, 1.0)
    row = np.sort(np.r_[np.arange(n), rng.choice(n, table.rows - n, p=weight / weight.sum())])
    item = np.minimum(rng.exponential(600, table.rows).astype(int), 3_900)
    amount = np.ceil(rng.lognormal(1.2, 1.2, table.rows)).astype(int)
    levels = np.array(columns["country"].levels, dtype=object)
    return pd.DataFrame(
        {
            "invoice": np.array([f"{'C' if c else ''}{536_365 + i}" for i, c in enumerate(cancelled)], object)[row],
            "stock_code": np.array([f"{10_000 + i}" if i else "POST" for i in range(3_901)], object)[item],
            "description": np.array([f"ITEM {i}" if i else "POSTAGE" for i in range(3_901)], object)[item],
            "quantity": np.where(cancelled[row], -amount, amount),
            "time": (first + minute[row]).astype("datetime64[s]"),
            "unit_price": rng.lognormal(0.8, 0.7, 3_901).round(2)[item],
            "customer_id": 12_346.0 + customer[row],
            "country": levels[np.minimum(rng.exponential(0.5, shop).astype(int), len(levels) - 1)][customer[row]],
        }
    )
