"""Scores and tests of value at risk (VaR) and expected shortfall (ES).

Losses, VaR and ES are positive numbers of one unit; `alpha` is the chance of a loss above VaR (0.025 for 97.5 %). Time
runs along the last axis, so that thousands of simulated histories are tested in one call.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special, stats

from helpers.errors import CourseError


class LikelihoodRatio(NamedTuple):
    """A likelihood ratio and its p-value under chi-squared with one degree of freedom, one for each history."""

    statistic: np.ndarray
    pvalue: np.ndarray


def kupiec(hits: np.ndarray, alpha: float) -> LikelihoodRatio:
    """Is the share of exceedances alpha? hits (…, n) of 0 and 1, in any order.

    2 (log L(x/n) - log L(alpha)) with L the binomial likelihood of x exceedances (Kupiec 1995, Journal of Derivatives
    3(2)). Raises CourseError for other values, no days, or alpha outside (0, 1).
    """
    hits = _hits(hits)
    if not 0 < alpha < 1:
        raise CourseError(f"alpha is {alpha}; the chance of an exceedance lies between 0 and 1, such as 0.025.")
    n, x = hits.shape[-1], hits.sum(axis=-1)
    return _ratio(_log_likelihood(n - x, x) - special.xlogy(n - x, 1 - alpha) - special.xlogy(x, alpha))


def christoffersen(hits: np.ndarray) -> LikelihoodRatio:
    """Is an exceedance as likely after an exceedance as after none? hits (…, n) of 0 and 1 in time order.

    2 (log L of a first-order Markov chain - log L of independence) over the n - 1 transitions (Christoffersen 1998,
    International Economic Review 39(4), section 3.2). Added to Kupiec's ratio it tests both at once, with two degrees
    of freedom. Raises CourseError for other values or fewer than two days.
    """
    hits = _hits(hits, least=2)
    before, after = hits[..., :-1], hits[..., 1:]
    both = (before * after).sum(axis=-1)
    only_after, only_before = after.sum(axis=-1) - both, before.sum(axis=-1) - both
    none = before.shape[-1] - both - only_after - only_before
    chain = _log_likelihood(none, only_after) + _log_likelihood(only_before, both)
    return _ratio(chain - _log_likelihood(none + only_before, only_after + both))


def acerbi_szekely(loss: np.ndarray, var: np.ndarray, es: np.ndarray, alpha: float) -> np.ndarray:
    """Z2 = 1 - mean(loss · 1{loss > VaR} / (alpha · ES)), one for each history; arguments broadcast to (…, n).

    Its expectation is zero for a right model, below zero where ES is too low or VaR is exceeded too often (Acerbi and
    Székely 2014, Risk 27(11), test 2). Its 5 % point over 250 days is near -0.7 for many laws. Raises CourseError for
    ES that is not positive.
    """
    loss, var, es = _forecasts(loss, var, es)
    return 1 - np.mean(np.where(loss > var, loss / es, 0.0), axis=-1) / alpha


def fz0(loss: np.ndarray, var: np.ndarray, es: np.ndarray, alpha: float) -> np.ndarray:
    """Joint loss of VaR and ES, a row a day: (VaR + (loss - VaR)⁺ / alpha) / ES + ln ES - 1.

    Its expectation is least at the true pair; differences do not change with the unit (Fissler and Ziegel 2016, Annals
    of Statistics 44; Patton, Ziegel and Chen 2019, Journal of Econometrics 211, eq. 6). Raises CourseError for ES that
    is not positive.
    """
    loss, var, es = _forecasts(loss, var, es)
    return (var + np.maximum(loss - var, 0) / alpha) / es + np.log(es) - 1


def traffic_light(exceedances: np.ndarray, n: int = 250, alpha: float = 0.01) -> np.ndarray:
    """Basel's zone for a number of exceedances in n days: 0 green, 1 yellow, 2 red.

    Yellow begins where the chance of so many or fewer, under the right coverage, reaches 95 %, red where it reaches
    99.99 %: at 5 and at 10 for 250 days and 1 % (Basel Committee, MAR32.9 and MAR99).
    """
    chance = stats.binom.cdf(exceedances, n, alpha)
    return (chance >= 0.95).astype(int) + (chance >= 0.9999)


def _hits(hits: np.ndarray, least: int = 1) -> np.ndarray:
    hits = np.asarray(hits, dtype=float)
    if hits.ndim == 0 or hits.shape[-1] < least:
        raise CourseError(f"At least {least} days of exceedances (0 or 1) are needed.")
    if not np.isin(hits, (0, 1)).all():
        raise CourseError("Exceedances are 0 or 1: pass `loss > var`, without missing values.")
    return hits


def _forecasts(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    loss, var, es = (np.asarray(a, dtype=float) for a in arrays)
    if not (es > 0).all():
        raise CourseError("Expected shortfall must be positive: losses, VaR and ES are positive numbers here.")
    return loss, var, es


def _log_likelihood(zeros: np.ndarray, ones: np.ndarray) -> np.ndarray:
    """Largest log-likelihood of so many independent zeros and ones; 0 log 0 is 0."""
    total = np.maximum(zeros + ones, 1)
    return special.xlogy(zeros, zeros / total) + special.xlogy(ones, ones / total)


def _ratio(gain: np.ndarray) -> LikelihoodRatio:
    statistic = np.maximum(2 * gain, 0)  # rounding
    return LikelihoodRatio(statistic, stats.chi2.sf(statistic, 1))
