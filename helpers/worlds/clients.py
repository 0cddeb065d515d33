"""Households of a survey and trading histories whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers.errors import CourseError


@dataclass(frozen=True)
class Survey:
    """A survey of households and the truth behind it.

    frame: a row an implicate, columns household, age, income, wealth, education (years), children and risky_share;
    best_r2: the share of the variance of risky_share that no model of the other columns of a new household can exceed.
    """

    frame: pd.DataFrame
    best_r2: float


def households(n: int, *, implicates: int = 5, explained: float = 0.3, seed: int = 7) -> Survey:
    """A survey in which gaps were filled `implicates` times, each household standing in as many rows.

    risky_share, the logit of the share of wealth in risky assets, has variance 1, of which the part `explained` is a
    smooth function of the characteristics and the rest belongs to the household alone. As in the Survey of Consumer
    Finances (Kennickell 1998, Multiple Imputation in the SCF) the rows of a household differ only in what was filled
    in: income and wealth by 5 %, risky_share by a deviation of 0.1. Raises CourseError for sizes below 1 or a part
    outside 0 … 1.
    """
    if min(n, implicates) < 1 or not 0 <= explained <= 1:
        raise CourseError("households needs positive sizes and a part explained between 0 and 1.")
    rng = np.random.default_rng(seed)
    age = rng.integers(22, 80, n)
    education = rng.integers(8, 21, n)
    children = rng.poisson(1.0, n)
    income = np.exp(10.4 + 0.06 * (education - 13) - 0.0006 * (age - 50) ** 2 + 0.5 * rng.standard_normal(n))
    wealth = np.exp(10.5 + 0.04 * (age - 45) + 0.6 * np.log(income / 33_000) + rng.standard_normal(n))
    signal = 0.5 * np.log(wealth / 36_000) + 0.15 * (education - 13) - 0.0012 * (age - 48) ** 2 - 0.2 * children
    signal = (signal - signal.mean()) / max(signal.std(), 1e-12)
    own = explained**0.5 * signal + (1 - explained) ** 0.5 * rng.standard_normal(n)
    row = np.repeat(np.arange(n), implicates)
    filled = rng.standard_normal((3, n * implicates))
    frame = pd.DataFrame(
        {
            "household": row,
            "age": age[row],
            "income": income[row] * np.exp(0.05 * filled[0]),
            "wealth": wealth[row] * np.exp(0.05 * filled[1]),
            "education": education[row],
            "children": children[row],
            "risky_share": (own[row] + 0.1 * filled[2]) / 1.01**0.5,
        }
    )
    return Survey(frame, explained / 1.01)


def account_history(
    years: int, *, habit: float, disposition: float = 0.1, fell: float = 0.15, funds: int = 8, seed: int = 7
) -> pd.DataFrame:
    """A client's account of some funds over some years, a row a fund and year: fell, gain, sold (each 0 or 1).

    In any year a fund that stands above its purchase price (gain) is sold with probability 0.1 + `disposition`, another
    with 0.1: the disposition effect (Odean 1998, Journal of Finance 53). fell: did the account lose more than 10 % in
    the year before (with probability `fell`)? Then the part `habit` of what would have been kept is sold too: b becomes
    b + (1 − b) · habit. Raises CourseError for sizes below 1 and probabilities outside 0 … 1.
    """
    if min(years, funds) < 1 or not all(0 <= p <= 1 for p in (habit, 0.1 + disposition, fell)):
        raise CourseError("account_history needs positive sizes and probabilities between 0 and 1.")
    rng = np.random.default_rng(seed)
    down = np.repeat(rng.random(years) < fell, funds)
    gain = rng.random(years * funds) < np.where(down, 0.3, 0.65)
    usual = 0.1 + disposition * gain
    chance = np.where(down, usual + (1 - usual) * habit, usual)
    sold = rng.random(years * funds) < chance
    year = np.repeat(np.arange(years), funds)
    return pd.DataFrame({"year": year, "fell": down.astype(int), "gain": gain.astype(int), "sold": sold.astype(int)})
