"""The 99.9 % quantile of a year's losses: Fourier transforms against the Monte Carlo that reaches the same number."""

from __future__ import annotations

import numpy as np

from benchmarks.harness import Result, compare
from helpers import worlds

YEARS = 100_000
BANK = {"rate": 25.0, "dispersion": 3.0, "shape": 0.3}  # light enough that Monte Carlo comes close


def run() -> list[Result]:
    """Two million losses drawn, or four transforms; the numbers must agree within what drawing scatters."""
    bank = worlds.loss_years(1, **BANK)

    def simulate() -> float:
        drawn = worlds.loss_years(YEARS, seed=11, **BANK)
        return float(np.quantile(np.bincount(drawn.frame["year"] - 1, drawn.frame["loss"]), 0.999))

    result = compare("aggregate", {"ours": bank.quantile, f"Monte Carlo, {YEARS:,} years": simulate}, repeats=3)
    low, high = bank.quantile()
    result.goal("Monte Carlo / Fourier within 10 % of 1", simulate() / (0.5 * (low + high)), low=0.9, high=1.1)
    result.at_least(1, f"Monte Carlo, {YEARS:,} years")
    return [result]
