"""Straight lines of known slope, and walks that have nothing to do with each other: what a t value is tried on."""

from __future__ import annotations

import numpy as np

from helpers.errors import CourseError


def market_line(
    draws: int, days: int, *, volatility: float = 0.0, wander: float = 0.0, seed: int = 7
) -> tuple[np.ndarray, np.ndarray]:
    """Returns of a market x and a stock y, (draws, days) each: y_t = b_t x_t + v_t e_t, x_t = v_t z_t, the mean of b 1.

    z, e are standard normal; log v and b - 1 are independent stationary Gaussian AR(1) of deviation `volatility` and
    `wander` that keep 0.97 and 0.95 from one day to the next. The slope of a regression of y on x tends to 1. Its
    classical variance is too small by the factor exp(4 volatility²) for many days without wander (E v⁴ over (E v²)²;
    White 1980, Econometrica 48, eq. 4). Raises CourseError for sizes below one or negative deviations.
    """
    if min(draws, days) < 1 or min(volatility, wander) < 0:
        raise CourseError("market_line needs at least one draw and day, and volatility and wander of at least 0.")
    rng = np.random.default_rng(seed)
    v = np.exp(volatility * _ar1(0.97, rng.standard_normal((draws, days))))
    b = 1 + wander * _ar1(0.95, rng.standard_normal((draws, days)))
    x, own = v * rng.standard_normal((2, draws, days))
    return x, b * x + own


def unrelated_walks(draws: int, days: int, *, keep: float = 1.0, seed: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Two independent Gaussian series (draws, days) each, s_t = keep s_{t-1} + e_t from s_0 = e_0: walks at keep = 1.

    With walks the t value of a regression of one on the other grows like the root of `days` (Phillips 1986, Journal of
    Econometrics 33); at keep = 0 they are noise, and the t value is right. Raises CourseError for sizes below one or
    keep outside 0 … 1.
    """
    if min(draws, days) < 1 or not 0 <= keep <= 1:
        raise CourseError("unrelated_walks needs at least one draw and day, and keep from 0 to 1.")
    one, two = _remember(keep, np.random.default_rng(seed).standard_normal((2, draws, days)))
    return one, two


def _ar1(keep: float, shocks: np.ndarray) -> np.ndarray:
    """Stationary AR(1) of variance one from standard normal shocks (draws, days)."""
    scaled = np.sqrt(1 - keep**2) * shocks
    scaled[:, 0] = shocks[:, 0]
    return _remember(keep, scaled)


def _remember(keep: float, shocks: np.ndarray) -> np.ndarray:
    """s_t = keep s_{t-1} + e_t along the last axis."""
    from scipy.signal import lfilter  # here, so that the worlds load without SciPy

    return lfilter([1.0], [1.0, -keep], shocks, axis=-1)
