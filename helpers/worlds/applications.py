"""Applications for a loan of which every amount, and with them the true probability of default, is known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers.errors import CourseError

LOWEST, HIGHEST = 1_000, 9_999
MIDDLE = {"income": 3_000.0, "loan": 3_000.0, "debt": 2_500.0}
SPREAD = 0.55


def credit_applications(
    n: int, *, weights: tuple[float, float, float] = (-1.0, 0.8, 1.2), level: float = -3.0, seed: int = 7
) -> pd.DataFrame:
    """Applications with three amounts of four digits each, and what became of the loan.

    Columns: income, loan, debt (whole numbers 1,000 to 9,999; independent, lognormal with medians 3,000, 3,000 and
    2,500 and log-deviation 0.55, cut to four digits), default (0/1), chance (the true probability of default). Its
    log-odds are `level` plus `weights` times (log amount - log median) / 0.55. Raises CourseError for n below 1.
    """
    from scipy import stats  # slow to import: only when called

    if n < 1:
        raise CourseError("credit_applications needs at least one application.")
    rng, frame, log_odds = np.random.default_rng(seed), {}, np.full(n, float(level))
    for (name, median), weight in zip(MIDDLE.items(), weights, strict=True):
        low, high = stats.norm.cdf((np.log([LOWEST, HIGHEST + 1]) - np.log(median)) / SPREAD)
        value = median * np.exp(SPREAD * stats.norm.ppf(rng.uniform(low, high, n)))
        frame[name] = value.astype(int).clip(LOWEST, HIGHEST)
        log_odds += weight * (np.log(frame[name]) - np.log(median)) / SPREAD
    chance = 1 / (1 + np.exp(-log_odds))
    return pd.DataFrame(frame | {"default": (rng.random(n) < chance).astype(int), "chance": chance})
