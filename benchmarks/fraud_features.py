"""A world of 1.75 million payments and its twelve window columns, against code that goes customer by customer."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from benchmarks.harness import Result, compare, installed, slope
from helpers import windows, worlds

DAY = worlds.DAY
SPANS = (1, 7, 30)
DELAY = 7


def features(frame: pd.DataFrame) -> np.ndarray:
    """Six columns of the customer and six of the terminal, for payments in order of time."""
    time, lengths = frame["time"].to_numpy(), [DAY * days for days in SPANS]
    card = windows.per_key(frame["customer"].to_numpy(), time, frame["amount"].to_numpy(), lengths)
    shop = windows.per_key(frame["terminal"].to_numpy(), time, frame["fraud"].to_numpy(), lengths, delay=DAY * DELAY)
    return np.column_stack([*card, *shop])


def _key_by_key(frame: pd.DataFrame) -> np.ndarray:
    """What the handbook's readers write: one pandas frame a key, one rolling window a column."""
    frame = frame.assign(stamp=pd.to_datetime(frame["time"], unit="s"))
    card = [_customer(part) for _, part in frame.groupby("customer")]
    shop = [_terminal(part) for _, part in frame.groupby("terminal")]
    return np.column_stack([pd.concat(card).sort_index(), pd.concat(shop).sort_index()])


def _customer(part: pd.DataFrame) -> pd.DataFrame:
    amount = part.set_index("stamp")["amount"]
    counts = {f"count_{d}": amount.rolling(f"{d}D").count().to_numpy() for d in SPANS}
    means = {f"mean_{d}": amount.rolling(f"{d}D").mean().to_numpy() for d in SPANS}
    return pd.DataFrame(counts | means, index=part.index)


def _terminal(part: pd.DataFrame) -> pd.DataFrame:
    fraud = part.set_index("stamp")["fraud"]
    late_sum, late_count = (getattr(fraud.rolling(f"{DELAY}D"), how)().to_numpy() for how in ("sum", "count"))
    counts, risks = {}, {}
    for days in SPANS:
        window = fraud.rolling(f"{DELAY + days}D")
        count = window.count().to_numpy() - late_count
        risk = (window.sum().to_numpy() - late_sum) / np.maximum(count, 1)
        counts[f"count_{days}"], risks[f"risk_{days}"] = count, risk
    return pd.DataFrame(counts | risks, index=part.index)


def _grouped(frame: pd.DataFrame) -> np.ndarray:
    """The best of pandas: groupby and rolling in one, all keys at once."""
    stamped = frame.assign(stamp=pd.to_datetime(frame["time"], unit="s")).set_index("stamp")
    out = []
    for key, value, delay in (("customer", "amount", 0), ("terminal", "fraud", DELAY)):
        by_key, order = stamped.groupby(key)[value], np.argsort(frame[key].to_numpy(), kind="stable")
        late = _sums(by_key, delay) if delay else (0, 0)
        for days in SPANS:
            count, total = (a - b for a, b in zip(_sums(by_key, delay + days), late, strict=True))
            for column in (count, total / np.maximum(count, 1)):
                placed = np.empty(len(frame))
                placed[order] = column
                out.append(placed)
    return np.column_stack([out[i] for i in (0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11)])


def _sums(by_key, days: int) -> tuple[np.ndarray, np.ndarray]:
    window = by_key.rolling(f"{days}D")
    return window.count().to_numpy(), window.sum().to_numpy()


def _polars(frame: pd.DataFrame) -> np.ndarray:
    """The same windows in Polars; of rows of one moment and key it counts all in each, where we count those above."""
    import polars as pl

    names = ("time", "customer", "terminal", "amount", "fraud")
    table = pl.DataFrame({name: frame[name].to_numpy() for name in names})
    table = table.with_columns(
        pl.from_epoch("time", "s"), pl.col("fraud").cast(pl.Float64), one=pl.lit(1.0, dtype=pl.Float64)
    )

    def total(value: str, key: str, days: int) -> pl.Expr:
        return pl.col(value).rolling_sum_by("time", f"{days}d", closed="right").over(key)

    columns = {f"count_{d}": total("one", "customer", d) for d in SPANS}
    columns |= {f"mean_{d}": total("amount", "customer", d) / columns[f"count_{d}"] for d in SPANS}
    late_count, late_sum = total("one", "terminal", DELAY), total("fraud", "terminal", DELAY)
    counts = {f"n_{d}": total("one", "terminal", DELAY + d) - late_count for d in SPANS}
    risks = {
        f"risk_{d}": (total("fraud", "terminal", DELAY + d) - late_sum) / pl.max_horizontal(counts[f"n_{d}"], 1.0)
        for d in SPANS
    }
    return table.select(**columns, **counts, **risks).to_numpy()


def _customer_by_customer(customers: int, terminals: int, days: int) -> pd.DataFrame:
    """Payments without frauds as one would write them down: for each customer, for each day, for each payment."""
    rng = np.random.default_rng(7)
    shops, parts = rng.uniform(0, 100, (terminals, 2)), []
    for customer in range(customers):
        home, mean, daily = rng.uniform(0, 100, 2), rng.uniform(5, 100), rng.uniform(0, 4)
        near = np.flatnonzero(np.hypot(*(shops - home).T) < 5)
        rows = []
        for day in range(days):
            for _ in range(rng.poisson(daily)):
                second, amount = int(rng.normal(DAY / 2, 20_000)), rng.normal(mean, mean / 2)
                if 0 < second < DAY and len(near):
                    amount = amount if amount > 0 else rng.uniform(0, 2 * mean)
                    rows.append((day * DAY + second, day, customer, rng.choice(near), round(amount, 2)))
        parts.append(pd.DataFrame(rows, columns=["time", "day", "customer", "terminal", "amount"]))
    return pd.concat(parts).sort_values("time", ignore_index=True)


def _draws(mean: np.ndarray) -> None:
    """The limit: the numbers that the world draws, whose parameters differ by customer, and nothing done with them."""
    rng = np.random.default_rng(7)
    rng.poisson(np.linspace(0, 4, 5_000), (183, 5_000))  # payments a day
    rng.normal(DAY / 2, 20_000, len(mean))  # their second
    rng.normal(mean, mean / 2)  # their amount,
    rng.uniform(0, 2 * mean)  # drawn anew where it is negative
    rng.random((2, len(mean)))  # where, and whether the card is misused


def run() -> list[Result]:
    """Customer by customer is too slow to repeat at full size: it gets a share of it, ours the same and all of it."""
    frame = worlds.payments().transactions
    part = worlds.payments(500, 1_000).transactions
    np.testing.assert_allclose(features(part), _key_by_key(part), atol=1e-6)
    np.testing.assert_allclose(features(part), _grouped(part), atol=1e-6)
    at_full_size = {"ours": features, "groupby and rolling": _grouped}
    if installed("polars"):
        off = np.abs(features(part) - _polars(part)).max(axis=1) > 1e-6
        assert off.mean() < 1e-3, off.mean()  # payments of one customer in one second
        at_full_size["Polars"] = _polars
    whole = compare(
        "twelve window columns", {name: partial(way, frame) for name, way in at_full_size.items()}, repeats=3,
        rows=len(frame),
    )  # fmt: skip
    whole.goal("seconds ≤ 3", whole.median(), high=3)
    for way in list(at_full_size)[1:]:
        whole.at_most(1.5, way)
    ways = {"ours": features, "pandas, key by key": _key_by_key}
    tenth = compare(
        "twelve window columns, a tenth of the keys",
        {name: partial(way, part) for name, way in ways.items()},
        repeats=3,
        rows=len(part),
    )
    tenth.at_least(20, "pandas, key by key")
    mean = np.random.default_rng(7).uniform(5, 100, len(frame))
    ways = {"ours": worlds.payments, "drawing the random numbers": partial(_draws, mean)}
    world = compare("a world of payments", ways, repeats=3, rows=len(frame))
    world.goal("seconds ≤ 5", world.median(), high=5)
    world.limit(3, "drawing the random numbers")
    loop = compare(
        "a world with a tenth of the customers",
        {
            "ours": lambda: worlds.payments(500, 10_000),
            "customer by customer": lambda: _customer_by_customer(500, 10_000, 183),
        },
        repeats=3,
        rows=len(frame) // 10,
    )
    loop.at_least(30, "customer by customer")

    def make(scale):
        table = worlds.payments(int(50 * scale), int(100 * scale)).transactions
        return lambda: features(table), len(table)

    return [whole, tenth, world, loop, slope("twelve window columns", make)]
