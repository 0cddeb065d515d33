"""Notebook 55's questions to a table of card payments, by columns, by CSV and by DuckDB; its folds on two workers."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.linear_model import Ridge

from benchmarks.harness import Result, compare, installed
from helpers import splits, worlds

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "55_scaling_out.ipynb"


def lesson() -> dict:
    """The notebook's own cells that read and write tables."""
    space: dict = {"np": np, "json": json}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code" and "".join(cell["source"]).startswith("# table"):
            exec("".join(cell["source"]), space)
    return space


def fold(k: int, alphas: int = 60) -> float:
    """A walk-forward fold of a ridge regression and its grid, drawn and fitted from the fold's own number."""
    rng = np.random.default_rng([7, k])
    X = rng.standard_normal((4_000, 60))
    y = X @ rng.standard_normal(60) + rng.standard_normal(4_000)
    part = splits.chronological(4_000)
    fits = (Ridge(10.0**a).fit(X[part.train], y[part.train]) for a in np.linspace(-3, 3, alphas))
    return min(float(((f.predict(X[part.validate]) - y[part.validate]) ** 2).mean()) for f in fits)


def run() -> list[Result]:
    """Mean and variance of a week's amounts; sixteen folds."""
    return [_table(), _folds()]


def _table() -> Result:
    ours, cards = lesson(), worlds.payments(seed=7).transactions
    with tempfile.TemporaryDirectory() as folder:
        groups, csv, parquet = (Path(folder, name) for name in ("cards.groups", "cards.csv", "cards.parquet"))
        names = ["time", "day", "customer", "terminal", "amount", "fraud"]
        ours["write_groups"](groups, {name: cards[name].to_numpy() for name in names})
        cards[names].to_csv(csv, index=False)

        def by_columns() -> tuple[float, float]:
            total = (0, 0.0, 0.0)
            for piece in ours["read_groups"](groups, ["amount"], ("day", 100, 106)):
                total = ours["merge"](total, ours["summary"](piece["amount"]))
            return total[1], total[2] / total[0]

        def by_csv() -> tuple[float, float]:
            frame = pd.read_csv(csv, usecols=["day", "amount"])
            some = frame.loc[frame["day"].between(100, 106), "amount"]
            return some.mean(), some.var(ddof=0)

        ways = {"ours": by_columns, "pandas.read_csv, two columns": by_csv}
        if installed("duckdb"):
            import duckdb

            duckdb.sql(f"COPY (SELECT * FROM '{csv}') TO '{parquet}' (FORMAT parquet)")
            query = f"SELECT avg(amount), var_pop(amount) FROM '{parquet}' WHERE day BETWEEN 100 AND 106"
            ways["DuckDB on Parquet"] = lambda: duckdb.sql(query).fetchall()[0]
        result = compare("a week's amounts of a table on disk", ways, repeats=5, rows=len(cards))
        gap = max(float(np.abs(np.array(way()) / np.array(by_columns()) - 1).max()) for way in ways.values())
        result.goal("largest relative difference of mean and variance ≤ 1e-9", gap, high=1e-9)
        sizes = ", ".join(
            f"{p.suffix[1:]} {p.stat().st_size / 1e6:.0f} MB" for p in (csv, groups, parquet) if p.exists()
        )
        result.notes.append(f"on disk: {sizes}")
        result.at_least(5, "pandas.read_csv, two columns")
        return result


def _folds() -> Result:
    def on(workers: int) -> list[float]:
        return Parallel(n_jobs=workers)(delayed(fold)(k) for k in range(16))

    result = compare("16 folds", {"ours": lambda: on(2), "one worker": lambda: on(1)}, repeats=3)
    result.goal("the same bits on one worker and on two", float(on(1) == on(2)), low=1)
    result.at_least(1.3, "one worker")
    return result
