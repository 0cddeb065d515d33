"""Prices and returns whose best possible forecast is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers.errors import CourseError


@dataclass(frozen=True)
class World:
    """A simulated series and the truth behind it.

    values (n,): what a model sees; best (n,): the best forecast of `target` made one step before (the conditional
    mean); target (n,): what is to be forecast; best_r2: the R² of `best` in the population, in [0, 1].
    """

    values: np.ndarray
    target: np.ndarray
    best: np.ndarray
    best_r2: float


def gbm(
    paths: int,
    steps: int,
    *,
    mu: float = 0.05,
    sigma: float = 0.2,
    years: float = 1.0,
    start: float = 100.0,
    seed: int = 7,
) -> np.ndarray:
    """Geometric Brownian motion, exact in distribution; prices (paths, steps + 1), first column `start`.

    mu and sigma are yearly, in log terms dS/S = mu dt + sigma dW (Hull, Options, Futures, and Other Derivatives, ch.
    15). Nothing beyond its drift can be forecast. Raises CourseError for non-positive sizes or a negative sigma.
    """
    if min(paths, steps) < 1 or years <= 0 or start <= 0 or sigma < 0:
        raise CourseError("gbm needs at least one path and step, positive years and start, and sigma of at least 0.")
    dt = years / steps
    shocks = np.random.default_rng(seed).standard_normal((paths, steps))
    log_returns = (mu - sigma**2 / 2) * dt + sigma * np.sqrt(dt) * shocks
    return start * np.exp(np.concatenate([np.zeros((paths, 1)), log_returns.cumsum(axis=1)], axis=1))


def ar1(n: int, *, phi: float = 0.1, sigma: float = 0.01, seed: int = 7) -> World:
    """A stationary AR(1), r_t = phi r_{t-1} + sigma e_t, whose best R² is phi² (Hamilton 1994, ch. 3 and 4).

    Returns and targets are the same series; best[t] = phi r_{t-1}. Raises CourseError unless |phi| < 1.
    """
    if not -1 < phi < 1:
        raise CourseError(f"phi is {phi}; an AR(1) is stationary only for -1 < phi < 1.")
    from scipy.signal import lfilter

    shocks = sigma * np.random.default_rng(seed).standard_normal(n + 1)
    shocks[0] /= np.sqrt(1 - phi**2)  # start in the stationary distribution
    r = lfilter([1.0], [1.0, -phi], shocks)
    return World(r[1:], r[1:], phi * r[:-1], phi**2)


def garch11(
    n: int, *, omega: float = 2e-6, alpha: float = 0.08, beta: float = 0.90, seed: int = 7, burn: int = 1000
) -> World:
    """GARCH(1,1) with normal shocks: r_t = sqrt(h_t) e_t, h_t = omega + alpha r²_{t-1} + beta h_{t-1} (Bollerslev
    1986).

    The target is r², its best forecast h; the best R² in the population is alpha² / (1 - 2 alpha beta - beta²)
    (from the ARMA(1,1) form of r²; Andersen and Bollerslev 1998, International Economic Review 39, eq. 8). Raises
    CourseError unless the fourth moment exists: 3 alpha² + 2 alpha beta + beta² < 1.
    """
    if min(omega, alpha, beta) < 0 or omega == 0 or 3 * alpha**2 + 2 * alpha * beta + beta**2 >= 1:
        raise CourseError("garch11 needs omega > 0, alpha, beta >= 0 and 3 alpha² + 2 alpha beta + beta² < 1.")
    shocks = np.random.default_rng(seed).standard_normal(n + burn)
    # h_t = omega + (alpha e²_{t-1} + beta) h_{t-1} is linear in h: a recurrence with known factors
    factor = np.square(shocks[:-1])
    factor *= alpha
    factor += beta
    h = _recurrence(factor, omega, omega / (1 - alpha - beta))
    r = np.sqrt(h)
    r *= shocks
    r, h = r[burn:], h[burn:]
    return World(r, r**2, h, alpha**2 / (1 - 2 * alpha * beta - beta**2))


def _recurrence(factor: np.ndarray, constant: float, first: float, width: int = 128, side: int = 1024) -> np.ndarray:
    """h_0 = first, h_t = constant + factor_{t-1} h_{t-1}; shape (len(factor) + 1,).

    Taken in blocks of `side` stretches of `width` steps: so many stay in a core's cache.
    """
    h = np.empty(1 + -(-len(factor) // width) * width)  # up to a whole stretch
    h[0] = first
    for at in range(0, len(factor), side * width):
        block = _stretches(factor[at : at + side * width], constant, h[at], width)
        h[at + 1 : at + 1 + block.size].reshape(block.shape)[:] = block
    return h[: len(factor) + 1]


def _stretches(factor: np.ndarray, constant: float, first: float, width: int) -> np.ndarray:
    """h_1, h_2, …, one stretch a row: they run side by side from zero and from one, and a short loop joins them."""
    rows, full = -(-len(factor) // width), len(factor) // width
    gain = np.zeros((width, rows))
    gain[:, :full] = factor[: full * width].reshape(full, width).T
    gain[: len(factor) - full * width, full:] = factor[full * width :, None]
    level = np.empty_like(gain)
    level[:1] = constant
    for step in range(1, width):  # all stretches take the step together
        np.multiply(gain[step], level[step - 1], out=level[step])
        level[step] += constant
        gain[step] *= gain[step - 1]
    starts = np.empty(rows)
    start = first
    for row, (plus, times) in enumerate(zip(level[-1].tolist(), gain[-1].tolist(), strict=True)):
        starts[row] = start
        start = plus + times * start
    gain *= starts
    level += gain
    return level.T


def ohlc(world: World, *, start: float = 100.0, intraday: int = 78, seed: int = 7) -> pd.DataFrame:
    """Open, high, low and close of days whose close-to-close log returns are `world.values`.

    Within a day the price is a Brownian bridge of `intraday` steps with the day's own variance `world.best` (daily),
    so that range-based estimators see what they assume. Open equals the previous close. Index: business days from 2000.
    """
    n = len(world.values)
    path = np.random.default_rng(seed).standard_normal((n, intraday)).cumsum(axis=1)
    path /= np.sqrt(intraday)
    time = np.arange(1, intraday + 1) / intraday
    path -= time * path[:, -1:]  # a bridge from 0 to 0
    path *= np.sqrt(world.best)[:, None]
    path += time * world.values[:, None]
    close = np.log(start) + world.values.cumsum()
    day_open = np.concatenate([[np.log(start)], close[:-1]])
    frame = {  # rounding must not put a close above its day's high
        "open": day_open,
        "high": np.maximum(day_open + path.max(axis=1, initial=0), close),
        "low": np.minimum(day_open + path.min(axis=1, initial=0), close),
        "close": close,
    }
    return pd.DataFrame(
        {name: np.exp(values) for name, values in frame.items()},
        index=pd.bdate_range("2000-01-03", periods=n, name="date"),
    )
