"""Borrowers whose true probability of default is known, refused or not."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers.errors import CourseError


def loan_applicants(n: int, *, hidden: float = 1.0, seed: int = 7) -> pd.DataFrame:
    """Loan applicants of whom a past policy accepted about half, with the outcome of everyone, refused or not.

    Columns: income and debt (standard normal, recorded), accepted (0/1), default (0/1), chance (the true probability of
    default). The policy and the outcome both also depend, with weight `hidden`, on an impression that no column holds:
    with 0 the refused are missing at random given the recorded columns, else not (Hand and Henley 1993, Can reject
    inference ever work?, IMA Journal of Mathematics Applied in Business and Industry 5). Raises CourseError for n
    below 1 or a negative weight.
    """
    if n < 1 or hidden < 0:
        raise CourseError("loan_applicants needs at least one applicant and a hidden weight of at least 0.")
    rng = np.random.default_rng(seed)
    income, debt, impression, whim = rng.standard_normal((4, n))
    quality = 0.9 * income - 0.7 * debt + hidden * impression
    chance = 1 / (1 + np.exp(1.4 + quality))
    return pd.DataFrame(
        {
            "income": income,
            "debt": debt,
            "accepted": (quality + 0.7 * whim > 0).astype(int),
            "default": (rng.random(n) < chance).astype(int),
            "chance": chance,
        }
    )
