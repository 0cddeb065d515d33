"""Portfolios of equal risk, month after month: all at once against skfolio's convex programme, equal weights first."""

from __future__ import annotations

import numpy as np

from benchmarks.harness import Result, compare, installed
from helpers import portfolio

MONTHS, ASSETS, WINDOW = 60, 20, 120


def returns(seed: int = 7) -> np.ndarray:
    """Monthly returns (months, assets) with one common factor and unequal risks."""
    rng = np.random.default_rng(seed)
    factor, own = rng.normal(size=(MONTHS + WINDOW - 1, 1)), rng.normal(size=(MONTHS + WINDOW - 1, ASSETS))
    return 0.005 + np.geomspace(0.02, 0.08, ASSETS) * (0.6 * factor + 0.8 * own)


def theirs(table: np.ndarray) -> np.ndarray:
    """Weights (months, assets) by skfolio, a fit a month on that month's window."""
    from skfolio import RiskMeasure
    from skfolio.optimization import RiskBudgeting

    model = RiskBudgeting(risk_measure=RiskMeasure.VARIANCE, solver_params={"tol_gap_abs": 1e-12, "tol_gap_rel": 1e-12})
    windows = (table[start : start + WINDOW] for start in range(MONTHS))
    return np.array([model.fit(window).weights_ for window in windows])


def run() -> list[Result]:
    """Sixty months of twenty assets, covariances of ten years included in both ways."""
    if not installed("skfolio"):
        return []
    table = returns()

    def ours() -> np.ndarray:
        return portfolio.risk_parity(portfolio.rolling_moments(table, WINDOW)[1])

    result = compare(
        "equal risk, sixty months", {"ours": ours, "skfolio": lambda: theirs(table)}, repeats=3, rows=MONTHS
    )
    result.goal(
        "largest difference of a weight from skfolio's ≤ 1e-5", float(np.abs(ours() - theirs(table)).max()), high=1e-5
    )
    result.at_least(1, "skfolio")
    return [result]
