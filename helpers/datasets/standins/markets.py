"""One simulated market for all tables of days: prices, indices, factors, yields, volatilities, option quotes."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from helpers.datasets.catalogue import Table


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


def _days(table: Table) -> tuple[pd.DatetimeIndex, np.ndarray, np.ndarray]:
    """The table's days, and each day's volatility and market return."""
    world = _world()[str(table.first) : str(table.last)]
    kept = world["taste"].copy()
    kept.iloc[[0, -1]] = 2.0
    world = world.loc[kept.nlargest(table.rows).index.sort_values()]
    return pd.DatetimeIndex(world.index, name="date"), world["volatility"].to_numpy(), world["market"].to_numpy()


def factors(table: Table, rng: np.random.Generator) -> pd.DataFrame:
    """Daily returns: the market's in `mkt_rf` and in industries, little of it in other factors; rf 0.01 % a day."""
    index, daily, market = _days(table)
    columns, k = list(table.columns), len(table.columns)
    own = daily[:, None] * rng.normal(size=(len(index), k)) * 0.5
    values = own + market[:, None] * ([1.0] + [0.1] * (k - 1) if "mkt_rf" in columns else [0.9] * k)
    frame = pd.DataFrame(values, index, columns)
    return frame.assign(rf=0.0001) if "rf" in columns else frame


def yields(table: Table, rng: np.random.Generator) -> pd.DataFrame:
    """Yields of maturities m1 (a month) to y30, from a level and a slope that wander within bounds."""
    index, _, _ = _days(table)
    years = np.array([int(c[1:]) / (12 if c[0] == "m" else 1) for c in table.columns])
    weights = np.exp(-years / 3.0)
    long, slope = (np.cumsum(rng.normal(size=len(index))) for _ in range(2))
    long, slope = 0.045 + 0.025 * np.tanh(long / 60), 0.01 + 0.02 * np.tanh(slope / 40)
    values = (long[:, None] - slope[:, None] * weights).clip(0.0005)
    return pd.DataFrame(values, index, list(table.columns))


def volatility(table: Table, rng: np.random.Generator) -> pd.DataFrame:
    """Bars of a volatility index, in per cent a year."""
    index, daily, _ = _days(table)
    close = (1.25 * daily * np.sqrt(252) * 100 * np.exp(0.03 * rng.normal(size=len(index)))).clip(9, 90)
    return _bars(close, close * 0.03, rng, index)[list(table.columns)]


def volatilities(table: Table, rng: np.random.Generator) -> pd.DataFrame:
    """Implied volatilities of many stocks, as shares a year."""
    index, daily, _ = _days(table)
    n, k = len(index), len(table.columns)
    values = 1.1 * daily[:, None] * np.sqrt(252) * np.exp(0.1 * rng.normal(size=(n, k))) * rng.uniform(1, 2, k)
    return pd.DataFrame(values.clip(0.05, 2.4), index, list(table.columns))


def bars(table: Table, rng: np.random.Generator, start: float = 20.0) -> pd.DataFrame:
    """Open, high, low, close and volume of one price that begins at `start`, without dividends."""
    index, daily, market = _days(table)
    close = _path(market, start)
    frame = _bars(close, close * daily, rng, index)
    volume = (1e9 * np.exp(0.3 * rng.normal(size=len(index)))).astype(int)
    return frame.assign(adj_close=close, volume=volume)[list(table.columns)]


def prices(table: Table, rng: np.random.Generator) -> pd.DataFrame:
    """Prices of many stocks, or of the market where there is one column."""
    index, daily, market = _days(table)
    n, k = len(index), len(table.columns)
    if k == 1:
        return pd.DataFrame({next(iter(table.columns)): _path(market, 400)}, index)
    own = 1.2 * daily[:, None] * rng.normal(size=(n, k))
    growth, frame = rng.uniform(1.5, 8, k), pd.DataFrame(index=index)
    for i, (name, column) in enumerate(table.columns.items()):
        start = max(30, 2 * column.low)
        frame[name] = _path(market + own[:, i], start, min(growth[i], 0.9 * column.high / start))
    return frame


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


def adjustments(table: Table, rng: np.random.Generator) -> pd.DataFrame:
    """Price and split factors of a share that pays a quarterly dividend and is never split; the last row has none."""
    index = pd.date_range(table.first, table.last, periods=table.rows).normalize()
    dates = pd.date_range(table.first, "2021-03-31", periods=table.rows - 1).normalize()
    index = dates.append(index[-1:]).rename("date")
    price = np.append(np.sort(rng.uniform(0.7, 1.0, table.rows - 1)), 1.0)
    close = np.append(_path(0.05 * rng.normal(size=table.rows - 1), 50, 3.0).round(2), 0.0)
    return pd.DataFrame({"price_factor": price, "split_factor": 1.0, "reference_price": close}, index)


def months(table: Table, rng: np.random.Generator) -> pd.DataFrame:
    """Monthly prices, dividends, earnings and so on, each a path of its own within its range; gaps stand at the end."""
    index = pd.date_range(table.first, table.last, freq="MS", name="date")
    frame = pd.DataFrame(index=index)
    for name, column in table.columns.items():
        low, high = max(column.low, 1e-3), column.high
        path = np.cumsum(rng.normal(size=len(index)) * 0.03) + np.linspace(0, np.log(high / low) / 2, len(index))
        frame[name] = np.sqrt(low * high) * np.exp(path - path.mean())
        frame.iloc[len(frame) - column.missing :, -1] = np.nan
    return frame


def option_quotes(table: Table, rng: np.random.Generator) -> pd.DataFrame:
    """Bid and ask around Black–Scholes prices of one stock (volatility 25 %, no interest) on the table's two days."""
    from scipy.stats import norm

    column = table.columns
    days = [column["date"].low, column["date"].high]
    expiries = pd.date_range(column["expiry"].low, column["expiry"].high, periods=13).normalize()
    frames = []
    for day, spot, rows in zip(days, (645.0, 93.0), (table.rows - table.rows // 2, table.rows // 2), strict=True):
        strikes = np.unique((spot * np.linspace(0.35, 1.65, -(-rows // 26))).round(1))
        grid = pd.MultiIndex.from_product([expiries, ["call", "put"], strikes], names=["expiry", "right", "strike"])
        frames.append(grid.to_frame(index=False).assign(date=pd.Timestamp(day), spot=spot).head(rows))
    frame = pd.concat(frames, ignore_index=True)
    years = ((frame["expiry"] - frame["date"]).dt.days / 365).clip(1 / 365)
    deviation = 0.25 * np.sqrt(years)
    d1 = np.log(frame["spot"] / frame["strike"]) / deviation + deviation / 2
    call = frame["spot"] * norm.cdf(d1) - frame["strike"] * norm.cdf(d1 - deviation)
    value = call.where(frame["right"] == "call", call - frame["spot"] + frame["strike"]).clip(0.01)
    for side, sign in (("bid", -1), ("ask", 1)):
        close = (value * (1 + sign * 0.01) + sign * 0.02).clip(0.01).round(2)
        move = np.abs(0.05 * rng.normal(size=len(frame)))
        frame[f"{side}_open"] = frame[f"{side}_close"] = close
        frame[f"{side}_high"], frame[f"{side}_low"] = close * (1 + move), close * (1 - move).clip(0.5)
        frame[f"{side}_size"] = rng.integers(1, 300, len(frame)).astype(float)
    return frame[list(column)]
