"""Rows that are independent (applicants, clients, losses), and the invoices of a shop's customers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers.datasets.catalogue import Column, Table


def people(table: Table, rng: np.random.Generator, share: float = 0.5, tails: bool = False) -> pd.DataFrame:
    """Independent rows whose int8 label follows a logistic model of the other columns (AUC about 0.8).

    `share` is the share of ones; with `tails` numbers have heavy tails around 0 instead of filling their range.
    """
    n, score, columns = table.rows, np.zeros(table.rows), {}
    for name, column in table.columns.items():
        z = rng.normal(size=n)
        if column.kind == "text":
            columns[name] = [f"S{i:05d}" for i in range(n)]
            continue
        score += z * rng.choice([0.0, 0.25, -0.25, 0.5])
        columns[name] = np.clip(np.sinh(z) / 2, column.low, column.high) if tails else _shape(z, column)
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


def losses(table: Table, rng: np.random.Generator, shape: float) -> pd.DataFrame:
    """Pareto losses from the least one on, with the tail index 1 / shape."""
    [(name, column)] = table.columns.items()
    return pd.DataFrame({name: column.low * rng.uniform(size=table.rows) ** -shape})


def invoices(table: Table, rng: np.random.Generator) -> pd.DataFrame:
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
