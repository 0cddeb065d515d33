"""Scores of trading rules: returns after costs, and how much of a Sharpe ratio is luck."""

from __future__ import annotations

import numpy as np
from scipy import stats

from helpers.errors import CourseError
from helpers.metrics.forecast import TestResult


def net_returns(position: np.ndarray, simple_return: np.ndarray, *, cost: float) -> np.ndarray:
    """Daily return of a rule after costs, (n,), as fractions of its capital.

    position[t] (n,): share of capital held over day t, decided before day t begins; simple_return[t] (n,): the
    asset's simple return over day t, as a fraction; `cost`: fraction of the traded value lost a trade (0.0005 is
    five basis points). The first position is bought from cash; the drift of weights within a day is left out.
    """
    position, simple_return = np.asarray(position, dtype=float), np.asarray(simple_return, dtype=float)
    if position.shape != simple_return.shape or position.ndim != 1:
        raise CourseError(
            f"Positions {position.shape} and returns {simple_return.shape} must be two series of one length."
        )
    if not (np.isfinite(position).all() and np.isfinite(simple_return).all()):
        raise CourseError("Positions and returns must not hold missing values.")
    return position * simple_return - cost * np.abs(np.diff(position, prepend=0.0))


def turnover(position: np.ndarray, periods: int = 252) -> float:
    """Traded value a year, in multiples of capital (a full switch from long to cash counts 1)."""
    position = np.asarray(position, dtype=float)
    return float(np.abs(np.diff(position, prepend=0.0)).mean() * periods)


def sharpe(returns: np.ndarray, periods: int = 252) -> float:
    """Yearly Sharpe ratio of excess returns a period (n,): mean / standard deviation × sqrt(periods) (Sharpe 1994)."""
    returns = _check(returns)
    return float(returns.mean() / returns.std(ddof=1) * np.sqrt(periods))


def sharpe_difference(a: np.ndarray, b: np.ndarray, *, periods: int = 252, lags: int | None = None) -> TestResult:
    """Do two rules of the same periods have the same Sharpe ratio? Two-sided test on excess returns (n,) in time order.

    `difference` is the yearly ratio of a less that of b; difference / statistic is its standard error. Delta method
    with `lags` autocovariances and Bartlett weights (default: floor(4 (n/100)^(2/9))), so that fat tails and clusters
    of volatility count (Ledoit and Wolf 2008, Journal of Empirical Finance 15, §3.1). In mean m, deviation s, one
    period moves a ratio S = m / s by z - S (z² - 1) / 2, z = (r - m) / s. The p-value is 1 where a and b are
    proportional.
    """
    a, b = _check(a), _check(b)
    if a.shape != b.shape:
        raise CourseError(f"Two series of the same periods are needed, not {len(a)} and {len(b)}.")
    n, moved = len(a), []
    for r in (a, b):
        z = (r - r.mean()) / r.std()
        moved.append(z - r.mean() / r.std() / 2 * (z**2 - 1))
    d = moved[0] - moved[1]
    lags = int(4 * (n / 100) ** (2 / 9)) if lags is None else lags
    covariances = np.array([d[k:] @ d[: n - k] / n for k in range(lags + 1)])
    long_run = covariances[0] + 2 * ((1 - np.arange(1, lags + 1) / (lags + 1)) @ covariances[1:])
    difference = sharpe(a, periods) - sharpe(b, periods)
    if long_run <= 1e-18:
        return TestResult(0.0, 1.0, difference)
    statistic = float(difference / np.sqrt(periods * long_run / n))
    return TestResult(statistic, float(2 * stats.norm.sf(abs(statistic))), difference)


def max_drawdown(returns: np.ndarray) -> float:
    """Largest loss from an earlier peak of the compounded wealth, a fraction in [0, 1]."""
    wealth = np.concatenate([[1.0], np.cumprod(1 + _check(returns))])
    return float(np.max(1 - wealth / np.maximum.accumulate(wealth)))


def probabilistic_sharpe(returns: np.ndarray, benchmark: float = 0.0, periods: int = 252) -> float:
    """Probability, given skew, fat tails and length, that the true yearly Sharpe ratio exceeds `benchmark` (yearly).

    Bailey and López de Prado (2012, Journal of Risk 15(2)).
    """
    returns = _check(returns)
    ratio, target = sharpe(returns, 1), benchmark / np.sqrt(periods)
    skew, kurtosis = stats.skew(returns), stats.kurtosis(returns, fisher=False)
    spread = np.sqrt(1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2)
    return float(stats.norm.cdf((ratio - target) * np.sqrt(len(returns) - 1) / spread))


def expected_max_sharpe(sharpes: np.ndarray) -> float:
    """The best Sharpe ratio that luck alone would give among as many trials with this spread; unit as `sharpes`.

    sqrt(V) ((1 - g) z(1 - 1/N) + g z(1 - 1/(N e))), g the Euler–Mascheroni constant, V the trials' variance, N
    their number (Bailey and López de Prado 2014, Journal of Portfolio Management 40(5)). Needs two trials or more.
    """
    sharpes = _check(sharpes)
    n = len(sharpes)
    z = stats.norm.ppf([1 - 1 / n, 1 - 1 / (n * np.e)])
    return float(sharpes.std(ddof=1) * ((1 - np.euler_gamma) * z[0] + np.euler_gamma * z[1]))


def deflated_sharpe(returns: np.ndarray, trial_sharpes: np.ndarray, periods: int = 252) -> float:
    """Probability that the rule chosen among all `trial_sharpes` (yearly, itself among them) is better than luck's
    best.

    The probabilistic Sharpe ratio against expected_max_sharpe (Bailey and López de Prado 2014). Below 0.95 the
    usual reading is: not shown.
    """
    return probabilistic_sharpe(returns, expected_max_sharpe(trial_sharpes), periods)


def _check(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise CourseError("A series of at least two finite numbers is needed.")
    return values
