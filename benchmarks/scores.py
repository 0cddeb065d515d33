"""Metrics and walk-forward P&L against scikit-learn, statsmodels and an established backtester; equal numbers first."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.harness import Result, compare, installed, slope
from helpers.metrics import classifier, forecast, trading


def _labels(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    y = (rng.random(n) < 0.1).astype(int)
    return y, y + rng.standard_normal(n)


def _sklearn(n: int = 200_000) -> list[Result]:
    from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

    y, score = _labels(n)
    p = 1 / (1 + np.exp(-score))
    pairs = {
        "Gini": (lambda: classifier.gini(y, score), lambda: 2 * roc_auc_score(y, score) - 1),
        "average precision": (
            lambda: classifier.average_precision(y, score),
            lambda: average_precision_score(y, score),
        ),
        "Brier": (lambda: classifier.brier(y, p), lambda: brier_score_loss(y, p)),
    }
    results = []
    for name, (ours, theirs) in pairs.items():
        assert abs(ours() - theirs()) < 1e-9, name
        result = compare(name, {"ours": ours, "scikit-learn": theirs}, rows=n)
        result.at_least(1, "scikit-learn")
        results.append(result)
    return results


def _statsmodels(n: int = 20_000, lags: int = 5) -> Result:
    import statsmodels.api as sm

    a, b = np.random.default_rng(7).standard_normal((2, n)) ** 2

    def theirs():
        return sm.OLS(a - b, np.ones(n)).fit(cov_type="HAC", cov_kwds={"maxlags": lags}).tvalues[0]

    def ours():
        return forecast.diebold_mariano(a, b, lags=lags).statistic

    assert abs(ours() / (theirs() * np.sqrt((n - 1) / n)) - 1) < 1e-9
    result = compare("Diebold–Mariano", {"ours": ours, "statsmodels": theirs}, rows=n)
    result.at_least(1, "statsmodels")
    return result


def _backtest(n: int = 2_520) -> list[Result]:
    """Ten years of daily long-or-flat signals on one asset."""
    if not installed("bt"):
        return []
    import bt

    rng = np.random.default_rng(7)
    days = pd.bdate_range("2010-01-04", periods=n + 1)
    price = pd.DataFrame({"asset": 100 * np.exp(np.cumsum(rng.normal(3e-4, 0.01, n + 1)))}, index=days)
    signal = pd.Series(np.repeat(rng.integers(0, 2, n // 10 + 1), 10)[: n + 1], index=days)  # held from day t to t + 1
    simple = price["asset"].pct_change().to_numpy()[1:]

    def ours() -> float:
        return float(np.prod(1 + trading.net_returns(signal.to_numpy()[:-1].astype(float), simple, cost=0.0)))

    def theirs() -> float:
        weigh = [bt.algos.WeighTarget(signal.to_frame("asset").astype(float)), bt.algos.Rebalance()]
        test = bt.Backtest(bt.Strategy("signals", weigh), price, integer_positions=False, progress_bar=False)
        bt.run(test)
        return float(test.strategy.prices.iloc[-1] / test.strategy.prices.iloc[0])

    assert abs(ours() / theirs() - 1) < 1e-9, (ours(), theirs())
    result = compare("walk-forward P&L, ten years of days", {"ours": ours, "bt": theirs}, repeats=3, rows=n)
    result.at_least(1, "bt")
    result.notes.append("final wealth equal to 1e-9")
    return [result]


def run() -> list[Result]:
    """Equal numbers are asserted before anything is timed."""

    def make(scale):
        y, score = _labels(int(10_000 * scale))
        return lambda: (
            classifier.gini(y, score),
            classifier.ks(y, score),
            classifier.average_precision(y, score),
        ), len(y)

    return [*_sklearn(), _statsmodels(), *_backtest(), slope("Gini, KS and average precision", make)]
