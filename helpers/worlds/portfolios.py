"""Portfolios of companies that share some of what drives default; the true chance and the likeness are known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers.errors import CourseError

RATIOS = 10  # columns x1 … x10 of `company_portfolio`, standard normal and independent
STEEP = 1.5  # standard deviation of the log-odds over companies
_MEAN_2, _SD_2 = np.sqrt(2 / np.pi), np.sqrt(1 - 2 / np.pi)  # of |x|
_MEAN_3 = (1 - np.sqrt(0.5)) / np.sqrt(2 * np.pi)  # of max(min(x, x'), 0): by parts from P(min > t) = Q(t)²
_SD_3 = np.sqrt(1 / 4 - 1 / (2 * np.pi) - _MEAN_3**2)


def company_portfolio(
    n: int,
    *,
    weights: tuple[float, float, float] = (1.0, 1.0, 1.0),
    causes: int = 0,
    level: float = -3.6,
    seed: int = 7,
) -> pd.DataFrame:
    """Companies of one portfolio: ten ratios, default (0/1) and chance, the true probability of default.

    The log-odds are level + STEEP · (v₁ f₁ + v₂ f₂ + v₃ f₃), where v is `weights` scaled to length 1 and the f are
    scaled to mean 0 and variance 1: f₁ = x₁ (the more, the riskier), f₂ from |x₂| (both extremes are risky), f₃ from
    max(min(x₃, x₄), 0) (only both together are risky). They are uncorrelated, so the log-odds that two portfolios give
    a company correlate as the cosine of their weights, if they have the same `causes`; `causes` = 1 takes x₅ … x₈ in
    the place of x₁ … x₄, and they correlate with nothing of 0. Raises CourseError for n below 1, weights that are all
    zero, or other causes than 0 and 1.
    """
    v = np.asarray(weights, dtype=float)
    if n < 1 or v.shape != (3,) or not v.any() or causes not in (0, 1):
        raise CourseError("company_portfolio needs n of at least 1, three weights, not all 0, and causes 0 or 1.")
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, RATIOS))
    a, b, c, d = x[:, 4 * causes : 4 * causes + 4].T
    together = np.maximum(np.minimum(c, d), 0)
    parts = np.column_stack([a, (np.abs(b) - _MEAN_2) / _SD_2, (together - _MEAN_3) / _SD_3])
    chance = 1 / (1 + np.exp(-level - STEEP * parts @ (v / np.linalg.norm(v))))
    frame = pd.DataFrame(x, columns=[f"x{j + 1}" for j in range(RATIOS)])
    return frame.assign(default=(rng.random(n) < chance).astype(int), chance=chance)
