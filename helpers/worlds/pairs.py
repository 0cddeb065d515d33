"""Stocks among which some pairs are truly cointegrated, and all others only wander."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helpers.errors import CourseError


@dataclass(frozen=True)
class PairMarkets:
    """Simulated markets and the truth behind them; k markets of n stocks.

    log_price (k, days, n): what a search sees; planted (n, n): True where two different stocks are cointegrated,
    symmetric; spread (k, days, pairs): the planted spreads, the first stock's log price less the second's; phi: what a
    spread keeps from one day to the next; best_sharpe: the highest yearly Sharpe ratio that any rule can have without
    costs, over all markets, 0 where no pair is planted.
    """

    log_price: np.ndarray
    planted: np.ndarray
    spread: np.ndarray
    phi: float
    best_sharpe: float


def planted_pairs(
    count: int,
    days: int,
    *,
    stocks: int = 20,
    pairs: int = 5,
    half_life: float = 20.0,
    noise: float = 0.01,
    seed: int = 7,
) -> PairMarkets:
    """Markets of random walks with one common factor, in which the stocks 2i and 2i + 1, i < pairs, share their walk.

    A log price is b f + w (+ or - x / 2): f the factor's walk with daily deviation 1 %, b uniform on 0.7 … 1.3, w the
    stock's own walk with daily deviation 1.5 %. The two stocks of a planted pair have b and w in common and differ by
    x, a stationary AR(1), x_t = phi x_{t-1} + noise e_t, phi = 2^(-1 / half_life): vector (1, -1) cointegrates them
    (Engle and Granger 1987, Econometrica 55). No walk drifts, so only the changes of x can be forecast: by
    (phi - 1) x, with deviation `noise` around it. With q the sum of (phi - 1)² x² / noise² over the pairs the best rule
    has the daily ratio sqrt(H / (1 - H)), H the mean of q / (1 + q) (Ferson and Siegel 2001, Journal of Finance 56),
    here over the simulated days. Raises CourseError for sizes below one, more pairs than fit, or half_life, noise <= 0.
    """
    if min(count, days) < 1 or pairs < 0 or stocks < max(2, 2 * pairs) or half_life <= 0 or noise <= 0:
        raise CourseError("planted_pairs needs positive sizes, half_life and noise, and at least two stocks a pair.")
    from scipy.signal import lfilter

    rng, phi, both = np.random.default_rng(seed), 2.0 ** (-1 / half_life), 2 * pairs
    walk = 0.015 * rng.standard_normal((count, days, stocks))
    beta = rng.uniform(0.7, 1.3, (count, 1, stocks))
    walk[..., 1:both:2], beta[..., 1:both:2] = walk[..., :both:2], beta[..., :both:2]
    walk += 0.01 * rng.standard_normal((count, days, 1)) * beta
    log_price = walk.cumsum(axis=1)
    shocks = noise * rng.standard_normal((count, days, pairs))
    shocks[:, :1] /= np.sqrt(1 - phi**2)  # start in the stationary distribution
    spread = lfilter([1.0], [1.0, -phi], shocks, axis=1) if pairs else shocks
    log_price[..., :both:2] += spread / 2
    log_price[..., 1:both:2] -= spread / 2
    planted = np.zeros((stocks, stocks), dtype=bool)
    first = np.arange(0, both, 2)
    planted[first, first + 1] = planted[first + 1, first] = True
    q = ((1 - phi) ** 2 * spread**2).sum(axis=2) / noise**2
    known = float((q / (1 + q)).mean())
    return PairMarkets(log_price, planted, spread, phi, float(np.sqrt(252 * known / (1 - known))))
