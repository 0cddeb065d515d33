"""Notebook 28's backtests, the event loop and the columns, against bt and a plain Python loop; the same end equity."""

from __future__ import annotations

import json
import math
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from benchmarks.harness import Result, compare, installed
from helpers import datasets

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "28_trading_platform.ipynb"
PUBLISHED = 137_751.04  # expected by LEAN, Algorithm.CSharp/MACDTrendAlgorithm.cs


def lesson() -> dict:
    """The classes and functions of the notebook's own cells, found by their tag or first line."""
    used = (json, math, os, zlib, dataclass, Path, NamedTuple, np, pd, lfilter)
    words = ["json", "math", "os", "zlib", "dataclass", "Path", "NamedTuple", "np", "pd", "lfilter"]
    names = dict(zip(words, used, strict=True))
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if "platform" in cell["metadata"].get("tags", []) or source.startswith("# columns"):
            exec(source.partition("\n\n\nopen_, close = ")[0], names)
    return names


def _bars() -> pd.DataFrame:
    bars, factors = datasets.load("lean_equity", "spy"), datasets.load("lean_equity", "spy_factors")
    factor = (factors["price_factor"] * factors["split_factor"]).to_numpy()[factors.index.searchsorted(bars.index)]
    return bars[["open", "high", "low", "close"]].mul(factor, axis=0).assign(volume=bars["volume"]).loc["2004":"2014"]


def _shares(budget: float, close: float) -> int:
    shares = math.floor(budget / close)
    while shares > 0 and shares * close + max(1.0, 0.005 * shares) > budget:
        shares -= 1
    return shares


def plain_loop(bars: pd.DataFrame) -> float:
    """What one writes first: rows of a frame, one after another."""
    cash, shares, order, fast, slow, signal = 100_000.0, 0, 0, 0.0, 0.0, 0.0
    for day, (_, bar) in enumerate(bars.iterrows()):
        if order:
            cash -= order * bar["open"] + max(1.0, 0.005 * abs(order))
            shares, order = shares + order, 0
        close = bar["close"]
        fast = fast + (close - fast) * 2 / 13 if day else close
        slow = slow + (close - slow) * 2 / 27 if day else close
        macd = fast - slow
        signal = macd if day == 25 else signal + (macd - signal) * 2 / 10 if day > 25 else 0.0
        gap = (macd - signal) / fast
        if day >= 33 and shares == 0 and gap > 0.0025:
            order = _shares(0.9975 * cash, close)
        elif day >= 33 and shares and gap < -0.0025:
            order = -shares
    return cash + shares * close


def with_bt(bars: pd.DataFrame, wishes: np.ndarray) -> float:
    """bt with the same wishes, sizes, fees and fills; its days are priced at the open, at which it trades."""
    import bt

    opens, closes = bars[["open"]].rename(columns={"open": "spy"}), bars["close"].to_numpy()
    held = pd.Series(wishes).ffill().fillna(0.0).to_numpy()
    turns = np.flatnonzero(np.diff(held, prepend=0.0))
    decided = {bars.index[t + 1]: (held[t], closes[t]) for t in turns if t + 1 < len(bars)}

    class Trade(bt.Algo):
        def __call__(self, target: bt.Strategy) -> bool:
            if (todo := decided.get(target.now)) is not None:
                owned = target.children["spy"].position if "spy" in target.children else 0
                order = _shares(0.9975 * (target.capital + owned * todo[1]), todo[1]) if todo[0] else -owned
                target.transact(order, child="spy")
            return True

    strategy = bt.Strategy("macd", [Trade()], [bt.Security("spy")])
    test = bt.Backtest(
        strategy,
        opens,
        initial_capital=100_000.0,
        commissions=lambda quantity, price: max(1.0, 0.005 * abs(quantity)),
        progress_bar=False,
    )
    test.run()
    return float(test.strategy.capital + test.strategy.children["spy"].position * closes[-1])


def run() -> list[Result]:
    """End equity must be LEAN's in every way before anything is timed."""
    names, bars = lesson(), _bars()
    days = bars.index.strftime("%Y-%m-%d")
    tape = [names["Bar"](*row) for row in zip(days, *(bars[c].tolist() for c in bars), strict=True)]
    opens, closes = bars["open"].to_numpy(), bars["close"].to_numpy()

    def loop() -> float:
        return names["Platform"](names["Macd"]()).run(tape).account.equity

    def columns() -> float:
        return names["column_backtest"](names["macd_wishes"](closes), closes, opens)[0][-1]

    others = {"plain loop over rows": lambda: plain_loop(bars)}
    if installed("bt"):
        others["bt"] = lambda: with_bt(bars, names["macd_wishes"](closes))
    for name, way in {"event loop": loop, "columns": columns, **others}.items():
        if bars.attrs.get("origin", "real") == "real" and abs(way() - PUBLISHED) > 0.005:
            raise AssertionError(f"{name} ends at {way():,.2f}, LEAN at {PUBLISHED:,.2f}")
    results = []
    for name, ours in (("event loop", loop), ("columns", columns)):
        result = compare(f"MACD on SPY 2004-2014, {name}", {"ours": ours, **others}, repeats=5, rows=len(tape))
        for other in others:
            result.at_least(1, other)
        results.append(result)
    return results
