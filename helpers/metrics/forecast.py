"""Scores and tests of forecasts."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy import stats

from helpers.errors import CourseError


class TestResult(NamedTuple):
    """A test's statistic and its p-value; `difference` is the mean loss of the first less that of the second."""

    __test__ = False  # not a pytest class
    statistic: float
    pvalue: float
    difference: float


def r2_out_of_sample(actual: np.ndarray, forecast: np.ndarray, benchmark: np.ndarray | float = 0.0) -> float:
    """1 - SSE(forecast) / SSE(benchmark), at most 1, negative when the benchmark is better.

    All (n,), same unit; for returns the benchmark is a known-in-advance mean or zero, never the test sample's mean
    (Campbell and Thompson 2008, Review of Financial Studies 21, eq. 1).
    """
    actual, forecast = _pair(actual, forecast)
    return float(1 - np.sum((actual - forecast) ** 2) / np.sum((actual - benchmark) ** 2))


def qlike(variance: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Loss of variance forecasts, v/f - log(v/f) - 1 per row, 0 when equal; both (n,) and positive.

    It ranks forecasts rightly even though the variance itself is seen only through a noisy proxy (Patton 2011,
    Journal of Econometrics 160). Raises CourseError for values that are not positive.
    """
    variance, forecast = _pair(variance, forecast)
    if not (variance > 0).all() or not (forecast > 0).all():
        raise CourseError("QLIKE needs positive variances and forecasts.")
    ratio = variance / forecast
    return ratio - np.log(ratio) - 1


def diebold_mariano(
    loss_a: np.ndarray,
    loss_b: np.ndarray,
    *,
    horizon: int = 1,
    lags: int | None = None,
    weights: Literal["bartlett", "rectangular"] = "bartlett",
) -> TestResult:
    """Are two forecasts equally good? Two-sided test on their losses row by row, (n,) each, in time order.

    A negative statistic favours the first. Variance of the mean loss difference with `lags` autocovariances and
    Bartlett weights (default: the larger of horizon - 1 and the rule floor(4 (n/100)^(2/9))), and the small-sample
    correction of Harvey, Leybourne and Newbold (1997, International Journal of Forecasting 13) with t(n-1)
    quantiles. Definition: Diebold and Mariano (1995, Journal of Business & Economic Statistics 13). Raises
    CourseError for fewer than 10 rows or equal losses throughout.

    Bartlett weights shrink the autocovariances that overlapping forecasts must have, so that at long horizons the test
    rejects too often. `weights="rectangular"` counts `lags` of them (default: horizon - 1) in full, as Diebold and
    Mariano do; where that variance is not positive, Bartlett's is taken.
    """
    if weights not in ("bartlett", "rectangular"):
        raise CourseError(f'Weights are "bartlett" or "rectangular", not {weights!r}.')
    loss_a, loss_b = _pair(loss_a, loss_b)
    d, n = loss_a - loss_b, len(loss_a)
    if n < 10:
        raise CourseError(f"The Diebold–Mariano test needs at least 10 forecasts, not {n}.")
    centred = d - d.mean()

    def variance(weight: np.ndarray) -> float:
        covariances = np.array([centred[k:] @ centred[: n - k] / n for k in range(len(weight) + 1)])
        return covariances[0] + 2 * (weight @ covariances[1:])

    long_run = 0.0
    if weights == "rectangular":
        long_run = variance(np.ones(horizon - 1 if lags is None else lags))
    if long_run <= 0:
        lags = max(horizon - 1, int(4 * (n / 100) ** (2 / 9))) if lags is None else lags
        long_run = variance(1 - np.arange(1, lags + 1) / (lags + 1))
    if long_run <= 0:
        raise CourseError("The two losses differ by a constant: there is nothing to test.")
    correction = np.sqrt((n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n)
    statistic = float(correction * d.mean() / np.sqrt(long_run / n))
    return TestResult(statistic, float(2 * stats.t.sf(abs(statistic), n - 1)), float(d.mean()))


def pesaran_timmermann(actual: np.ndarray, forecast: np.ndarray) -> TestResult:
    """Do the signs of `forecast` say anything of the signs of `actual`? One-sided test of independence, (n,) each.

    `difference` is the share of right signs less the share expected by chance. Definition: Pesaran and Timmermann
    (1992, Journal of Business & Economic Statistics 10). Where all forecasts have one sign the p-value is 1: no timing.
    """
    actual, forecast = _pair(actual, forecast)
    n, up, said = len(actual), np.mean(actual > 0), np.mean(forecast > 0)
    hit = np.mean((actual > 0) == (forecast > 0))
    chance = up * said + (1 - up) * (1 - said)
    var_hit = chance * (1 - chance) / n
    var_chance = (
        (2 * up - 1) ** 2 * said * (1 - said)
        + (2 * said - 1) ** 2 * up * (1 - up)
        + 4 * up * said * (1 - up) * (1 - said) / n
    ) / n
    if var_hit <= var_chance:
        return TestResult(0.0, 1.0, float(hit - chance))
    statistic = float((hit - chance) / np.sqrt(var_hit - var_chance))
    return TestResult(statistic, float(stats.norm.sf(statistic)), float(hit - chance))


def _pair(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape or a.ndim != 1:
        raise CourseError(f"Two series of the same length are needed, not shapes {a.shape} and {b.shape}.")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise CourseError("The series hold missing or infinite values; drop those rows from both first.")
    return a, b
