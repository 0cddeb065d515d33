"""Simulated pay-offs whose exact price is known, and paths of a share with stochastic volatility."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helpers.errors import CourseError


@dataclass(frozen=True)
class Book:
    """Simulated pay-offs of a book of basket options, and the book's exact price and deltas.

    states (n, d): prices of the assets today; payoff (n,): what the book pays on one path from each state;
    differentials (n, d): its derivative to the state, along the path. weights (m, d), strikes, amounts (m,):
    option k pays amounts[k] · max(weights[k] · S - strikes[k], 0); deviations (m,): of each basket until expiry.
    """

    states: np.ndarray
    payoff: np.ndarray
    differentials: np.ndarray
    weights: np.ndarray
    strikes: np.ndarray
    amounts: np.ndarray
    deviations: np.ndarray

    def price(self, states: np.ndarray) -> np.ndarray:
        """The exact price (n,) at states (n, d): a sum of Bachelier's formulas."""
        from helpers import options

        return options.bachelier(states @ self.weights.T, self.strikes, self.deviations)[0] @ self.amounts

    def delta(self, states: np.ndarray) -> np.ndarray:
        """The exact deltas (n, d) at states (n, d)."""
        from helpers import options

        by_option = options.bachelier(states @ self.weights.T, self.strikes, self.deviations)[1]
        return (by_option * self.amounts) @ self.weights


def basket_book(n: int, *, assets: int = 5, baskets: int = 5, seed: int = 7, book: int = 0) -> Book:
    """`n` paths of a book of calls on baskets of correlated normal assets (Bachelier's model, no interest).

    Assets start normal around 1 with deviation 0.25 and correlation 0.5, and move until expiry with deviation 0.2 and
    the same correlation. Basket weights are drawn uniformly on the simplex, strikes on 0.9 … 1.1; the amounts are 1
    and -1 in turn. `book` is the seed of the contracts, `seed` of the paths. With baskets=1 it is a single basket
    call, the example of Huge and Savine (2020). Raises CourseError for sizes below 1.
    """
    if min(n, assets, baskets) < 1:
        raise CourseError("basket_book needs n, assets and baskets of at least 1.")
    terms = np.random.default_rng([book, 24])
    weights = terms.dirichlet(np.ones(assets), baskets)
    strikes = terms.uniform(0.9, 1.1, baskets)
    amounts = np.where(np.arange(baskets) % 2, -1.0, 1.0)
    correlation = 0.5 + 0.5 * np.eye(assets)
    root = np.linalg.cholesky(correlation)
    rng = np.random.default_rng(seed)
    states = 1 + 0.25 * rng.standard_normal((n, assets)) @ root.T
    later = states + 0.2 * rng.standard_normal((n, assets)) @ root.T
    gain = later @ weights.T - strikes
    deviations = 0.2 * np.sqrt(np.einsum("mi,ij,mj->m", weights, correlation, weights))
    return Book(
        states,
        np.maximum(gain, 0) @ amounts,
        ((gain > 0) * amounts) @ weights,
        weights,
        strikes,
        amounts,
        deviations,
    )


@dataclass(frozen=True)
class HestonPaths:
    """Simulated prices and variances, both (paths, steps + 1), and the steps' length in years."""

    price: np.ndarray
    variance: np.ndarray
    dt: float


def heston_paths(
    paths: int,
    steps: int,
    *,
    spot: float = 100.0,
    years: float = 1.0,
    v0: float = 0.04,
    mean: float = 0.04,
    speed: float = 1.5,
    vol_of_vol: float = 0.5,
    rho: float = -0.6,
    rate: float = 0.0,
    dividend: float = 0.0,
    seed: int = 7,
) -> HestonPaths:
    """Paths of Heston's model under the pricing measure, by Andersen's QE scheme (2008, J. Computational Finance 11).

    The parameters are those of `options.heston`, which gives the exact prices; with 12 steps a year and more the bias
    of prices stays below the sampling error of 100,000 paths. Raises CourseError for sizes below 1, numbers that must
    be above 0 and are not, or |rho| >= 1.
    """
    if min(paths, steps) < 1 or min(spot, years, v0, mean, speed, vol_of_vol) <= 0 or not -1 < rho < 1:
        raise CourseError("heston_paths needs sizes of at least 1, -1 < rho < 1 and the other numbers above 0.")
    from scipy.special import ndtri

    rng, dt = np.random.default_rng(seed), years / steps
    fade = np.exp(-speed * dt)
    noise_v = vol_of_vol**2 * fade * (1 - fade) / speed
    noise_mean = mean * vol_of_vol**2 * (1 - fade) ** 2 / (2 * speed)
    v = np.full((paths, steps + 1), float(v0))
    log_price = np.zeros((paths, steps + 1))
    for step in range(steps):
        now = v[:, step]
        m = mean + (now - mean) * fade
        ratio = (now * noise_v + noise_mean) / m**2  # variance of the next v over its squared mean
        uniform = rng.random(paths)
        with np.errstate(invalid="ignore", divide="ignore"):
            b2 = 2 / ratio - 1 + np.sqrt(2 / ratio) * np.sqrt(2 / ratio - 1)  # a squared normal matches both moments
            squared = m / (1 + b2) * (np.sqrt(b2) + ndtri(uniform)) ** 2
        p = (ratio - 1) / (ratio + 1)  # or zero with probability p, else exponential
        exponential = np.where(uniform <= p, 0.0, m / (1 - p) * np.log((1 - p) / (1 - uniform)))
        v[:, step + 1] = later = np.where(ratio <= 1.5, squared, exponential)
        between = (now + later) * dt / 2  # the variance that the step collects
        drift = (rate - dividend) * dt - between / 2
        linked = rho / vol_of_vol * (later - now - speed * (mean * dt - between))
        spread = np.sqrt((1 - rho**2) * between) * rng.standard_normal(paths)
        log_price[:, step + 1] = log_price[:, step] + drift + linked + spread
    return HestonPaths(spot * np.exp(log_price), v, dt)
