"""Notebook 57's service on the loopback address: single requests, batches, group commit, p99 with its interval."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.harness import Result, compare, installed
from helpers.service import card, client, ledger

N = 640  # applications a run


def _shelf(folder: Path) -> Path:
    """A small model of the notebook's shape, not trained: what it says does not matter here."""
    import keras
    from keras import layers

    names = ("limit", "state_september", "state_august", "state_july", "bill", "paid_september", "paid_august")
    about = {"unit": "NT$", "meaning": "a field", "whole": False, "low": 0, "high": 1_000_000, "squeeze": True}
    fields = [{"name": name, "centre": 3.0, "scale": 2.0, "example": 1_000} | about for name in names]
    stack = [
        keras.Input((7,)),
        layers.Dense(16, activation="relu"),
        layers.Dense(16, activation="relu"),
        layers.Dense(1),
    ]
    reference = {"edges": np.linspace(0.1, 0.9, 9).tolist(), "shares": [0.1] * 10, "window": 500, "limit": 1e9}
    more = {"threshold": 0.2, "reference": reference, "training": {}, "limits": "a benchmark's"}
    card.promote(folder, card.export(keras.Sequential(stack), {"name": "bench", "fields": fields} | more, folder))
    return folder


class _Ids:
    """Bodies with ids that were never used."""

    def __init__(self) -> None:
        self.last, self.rng = 0, np.random.default_rng(7)

    def take(self, n: int, batch: int = 1) -> list[bytes]:
        names = ("limit", "state_september", "state_august", "state_july", "bill", "paid_september", "paid_august")
        rows = [dict(zip(names, row, strict=True)) for row in self.rng.uniform(0, 1e6, (n, 7)).tolist()]
        rows = [{"id": f"bench-{self.last + i:09d}"} | row for i, row in enumerate(rows)]
        self.last += n
        parts = [rows[i : i + batch] for i in range(0, n, batch)]
        return [json.dumps(part[0] if batch == 1 else {"batch": part}).encode() for part in parts]


def p99(latency: np.ndarray) -> str:
    """The 99th percentile with its 95 % interval by order statistics (as if the times were independent)."""
    n, ordered = len(latency), 1e3 * np.sort(latency)
    low, high = int(stats.binom.ppf(0.025, n, 0.99)) - 1, int(stats.binom.ppf(0.975, n, 0.99))
    upper = f"{ordered[high]:.1f}" if high < n else "∞"
    return (
        f"median {np.median(ordered):.2f} ms, p99 {np.quantile(ordered, 0.99):.1f} ms ({ordered[low]:.1f} to {upper})"
    )


def run() -> list[Result]:
    """Every way decides N applications; the ledger must hold each once before anything counts."""
    if not installed("fastapi", "uvicorn"):
        return []
    ids = _Ids()
    with tempfile.TemporaryDirectory() as house:
        shelf, books = _shelf(Path(house) / "models"), [Path(house) / f"{k}.txt" for k in range(2)]
        with (
            client.Running(shelf, "--ledger", books[0]) as grouped,
            client.Running(shelf, "--ledger", books[1], "--group", 1) as single,
        ):
            ways = {
                "ours": lambda: client.closed_loop(grouped.port, ids.take(N), 16),
                "one fsync a decision": lambda: client.closed_loop(single.port, ids.take(N), 16),
                "batches of 64": lambda: client.closed_loop(grouped.port, ids.take(N, 64), 2),
                "one client": lambda: client.closed_loop(grouped.port, ids.take(N), 1),
            }
            result = compare("640 decisions over HTTP, 16 clients", ways, repeats=5, rows=N)
            rate = 0.4 * N / result.median()
            open_ = client.open_loop(
                grouped.port, ids.take(N), np.random.default_rng(8).exponential(1 / rate, N).cumsum()
            )
            counted = grouped.ask("/metrics")[1]
        kept = [record["id"] for book in books for record in ledger.read(book.read_bytes())[0]]
    if len(kept) != len(set(kept)) or len(kept) != ids.last:
        raise AssertionError(f"{ids.last:,} applications were sent, the ledgers hold {len(set(kept)):,}")
    result.notes += [f"{way}: {N / result.median(way):,.0f} decisions/s" for way in ways]
    result.notes.append(f"{counted['decisions'] / counted['syncs']:.1f} decisions an fsync with group commit")
    result.notes.append(f"open loop at {rate:,.0f}/s, from the planned moment: {p99(open_.latency)}")
    result.at_least(1, "one fsync a decision")
    return [result]
