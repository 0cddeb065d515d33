"""Heston prices of a strip by the COS method against QuantLib's integration, equal prices first."""

from __future__ import annotations

import numpy as np

from benchmarks.harness import Result, compare, installed
from helpers import options

STRIKES = np.linspace(70, 140, 141)
DAYS = np.array([91, 183, 365, 730])  # to maturity
LAW = {"v0": 0.04, "mean": 0.06, "speed": 1.5, "vol_of_vol": 0.5, "rho": -0.7}
SPOT, RATE, DIVIDEND = 100.0, 0.03, 0.01


def theirs(tolerance: float | None) -> np.ndarray:
    """Calls (maturities, strikes) by QuantLib: adaptive to `tolerance`, or its default of 144 Laguerre nodes."""
    import QuantLib as ql

    today, days = ql.Date(2, 1, 2024), ql.Actual365Fixed()
    ql.Settings.instance().evaluationDate = today
    curves = [ql.YieldTermStructureHandle(ql.FlatForward(today, r, days)) for r in (RATE, DIVIDEND)]
    law = (LAW[name] for name in ("v0", "speed", "mean", "vol_of_vol", "rho"))
    model = ql.HestonModel(ql.HestonProcess(*curves, ql.QuoteHandle(ql.SimpleQuote(SPOT)), *law))
    engine = ql.AnalyticHestonEngine(model, *(() if tolerance is None else (tolerance, 100_000)))
    price = np.empty((len(DAYS), len(STRIKES)))
    for row, n in enumerate(DAYS):
        expiry = ql.EuropeanExercise(today + int(n))
        for column, strike in enumerate(STRIKES):
            option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Call, float(strike)), expiry)
            option.setPricingEngine(engine)
            price[row, column] = option.NPV()
    return price


def run() -> list[Result]:
    """564 calls, with their deltas in ours; QuantLib prices one after the other, as its users call it."""
    if not installed("QuantLib"):
        return []

    def ours() -> np.ndarray:
        return options.heston(SPOT, STRIKES, DAYS[:, None] / 365, **LAW, rate=RATE, dividend=DIVIDEND)[0]

    ways = {
        "ours": ours,
        "QuantLib, 144 Laguerre nodes": lambda: theirs(None),
        "QuantLib, adaptive": lambda: theirs(1e-10),
    }
    result = compare("Heston, a strip of calls", ways, rows=len(DAYS) * len(STRIKES))
    gap = float(np.abs(ours() - theirs(1e-10)).max())
    result.goal("largest difference from QuantLib's adaptive integration ≤ 1e-6 of a spot of 100", gap, high=1e-6)
    for way in list(ways)[1:]:
        result.at_least(1, way)
    return [result]
