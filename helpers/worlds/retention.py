"""A bank's clients, who leaves, and what an offer changes: both chances of leaving are known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers.errors import CourseError

_HIDDEN = 0.8  # what no column tells shifts the log-odds of leaving by this, up or down, with equal chances
_LEVEL = -2.5


def retention_offer(
    n: int,
    *,
    spread: float = 1.0,
    effect: float = 0.015,
    share: float = 0.5,
    eye: float = 0.0,
    insight: float = 2.0,
    seed: int = 7,
) -> pd.DataFrame:
    """Clients of whom some were contacted with an offer, a row each; left: did the client leave within the year (0/1)?

    Columns: tenure (years), products, activity and trend (standardised), complaints, digital (0 … 1), rate_gap (points
    by which a rival pays more), margin (money a year), contacted, left, and the truth: p0 and p1, the chances of
    leaving of a client with these columns without and with a contact. The contact shifts the log-odds of leaving; with
    `spread` 0 by the same number for everybody; with 1 it also keeps digital clients whom a rival's rate draws,
    unless they complained, and reminds the long inactive that they can leave. Whatever the spread, it keeps
    the part `effect` of all clients on average. With `eye` 0 the part `share` is contacted at random (a trial); above,
    the contact goes to those at risk, and with `insight` above 0 also to those of whom an adviser saw what no column
    tells. Raises CourseError for sizes below 1, a spread outside 0 … 1, a share outside (0, 1), or an effect outside
    0 … 0.05.
    """
    if n < 1 or not 0 <= spread <= 1 or not 0 < share < 1 or not 0 <= effect < 0.05:
        raise CourseError("retention_offer needs n ≥ 1, 0 ≤ spread ≤ 1, 0 < share < 1 and 0 ≤ effect < 0.05.")
    rng = np.random.default_rng(seed)
    frame = _clients(n, rng)
    z, shift = _risk(frame), _shift(frame, spread) + _level(spread, effect)
    seen = rng.choice([-_HIDDEN, _HIDDEN], n)
    at_risk = eye * ((z - _LEVEL) + insight * seen)
    chance = share if eye == 0 else _logistic(at_risk + np.log(share / (1 - share)))
    frame["contacted"] = (rng.random(n) < chance).astype(int)
    frame["left"] = (rng.random(n) < _logistic(z + seen + shift * frame["contacted"])).astype(int)
    return frame.assign(p0=_mixed(z), p1=_mixed(z + shift))


def _clients(n: int, rng: np.random.Generator) -> pd.DataFrame:
    activity = rng.standard_normal(n)
    return pd.DataFrame(
        {
            "tenure": rng.gamma(2.0, 4.0, n),
            "products": 1 + rng.binomial(5, 0.3, n),
            "activity": activity,
            "trend": -0.3 * activity + rng.standard_normal(n),
            "complaints": rng.poisson(0.3, n),
            "digital": rng.beta(2, 2, n),
            "rate_gap": rng.normal(0.5, 0.7, n),
            "margin": 100 * np.exp(0.7 * rng.standard_normal(n) + 0.25 * activity),
        }
    )


def _risk(frame: pd.DataFrame) -> pd.Series:
    """Log-odds of leaving without a contact, before the hidden part."""
    calm = np.log1p(frame["tenure"]) - 2 + 0.3 * (frame["products"] - 2.5)
    pull = np.maximum(frame["rate_gap"], 0) - 0.55
    return _LEVEL + 0.9 * frame["complaints"] - 0.5 * frame["trend"] - 0.6 * calm + 0.5 * pull - 0.2 * frame["activity"]


def _shift(frame: pd.DataFrame, spread: float) -> pd.Series:
    """What the contact adds to the log-odds of leaving, up to a constant."""
    drawn = _logistic(4 * (frame["rate_gap"] - 0.5)) * _logistic(8 * (frame["digital"] - 0.4))
    asleep = _logistic(-3 * (frame["activity"] + 0.7)) * _logistic(0.5 * (frame["tenure"] - 6))
    return spread * (-1.6 * drawn * (frame["complaints"] == 0) + 1.2 * asleep)


def _level(spread: float, effect: float) -> float:
    """The constant with which the contact keeps the part `effect` of 20,000 fixed clients, by bisection."""
    frame = _clients(20_000, np.random.default_rng(0))
    z, shift = _risk(frame), _shift(frame, spread)
    low, high = -4.0, 4.0
    for _ in range(40):
        middle = (low + high) / 2
        kept = (_mixed(z) - _mixed(z + shift + middle)).mean()
        low, high = (middle, high) if kept > effect else (low, middle)
    return (low + high) / 2


def _mixed(z: pd.Series) -> pd.Series:
    return (_logistic(z - _HIDDEN) + _logistic(z + _HIDDEN)) / 2


def _logistic(z: np.ndarray | pd.Series) -> np.ndarray | pd.Series:
    return 1 / (1 + np.exp(-z))
