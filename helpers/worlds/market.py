"""Markets of several assets whose best portfolio is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helpers.errors import CourseError


@dataclass(frozen=True)
class Markets:
    """Simulated markets and the truth behind them; k markets of n assets, monthly excess returns as fractions.

    returns (k, months, n): what a model sees; expected (k, months, n): the conditional mean of each month's returns,
    known one month before; covariance (k, n, n): the conditional covariance; best_sharpe (k,): the highest Sharpe
    ratio a month that any rule can have.
    """

    returns: np.ndarray
    expected: np.ndarray
    covariance: np.ndarray
    best_sharpe: np.ndarray

    def sharpe(self, weights: np.ndarray, months: slice = slice(None)) -> np.ndarray:
        """The true Sharpe ratio a month (k,) of weights (k, n), or (k, months, n) set before each of these months."""
        w = weights[:, None] if weights.ndim == 2 else weights
        gain = (w * self.expected[:, months]).sum(axis=2)
        risk = np.einsum("kti,kij,ktj->kt", w, self.covariance, w, optimize=True)
        return gain.mean(axis=1) / np.sqrt(risk.mean(axis=1) + gain.var(axis=1))


def one_factor_markets(
    count: int,
    months: int,
    *,
    assets: int = 10,
    static_sharpe: float = 0.15,
    mispricing: float = 0.001,
    memory: float = 0.0,
    seed: int = 7,
) -> Markets:
    """Markets in which each asset follows one factor with its own beta, noise and mispricing.

    r_i = alpha_i + beta_i f + e_i, f normal with monthly mean 0.5 % and deviation 4.5 %, beta uniform on 0.6 … 1.4,
    deviation of e_i uniform on 2.5 … 5 %, alpha_i normal with deviation `mispricing` (the form of DeMiguel, Garlappi
    and Uppal 2009, Review of Financial Studies 22, §5). Then all means m are scaled so that the best constant
    portfolio, C^-1 m, has a Sharpe ratio sqrt(m' C^-1 m) of `static_sharpe` a month. With `memory` p the noise is
    e_t = p e_{t-1} + u_t: a share p² of its variance can be forecast. The best rule then holds weights proportional to
    x_t / (1 + q_t), x_t = C^-1 m_t, q_t = m_t' x_t, and has the ratio sqrt(H / (1 - H)), H the mean of q / (1 + q)
    (Ferson and Siegel 2001, Journal of Finance 56), here the mean over the simulated months. Returns are float32.
    Raises CourseError for sizes below one, a static_sharpe that is not positive, or |memory| of 1 and more.
    """
    if min(count, months, assets) < 1 or static_sharpe <= 0 or mispricing < 0 or not -1 < memory < 1:
        raise CourseError(
            "one_factor_markets needs positive sizes and static_sharpe, mispricing >= 0 and -1 < memory < 1."
        )
    rng = np.random.default_rng(seed)
    beta, noise = rng.uniform(0.6, 1.4, (count, assets)), rng.uniform(0.025, 0.05, (count, assets))
    mean = 0.005 * beta + mispricing * rng.standard_normal((count, assets))
    common = 0.045**2 * beta[:, :, None] * beta[:, None, :]
    whole = common + noise[:, :, None] ** 2 * np.eye(assets)
    best = np.linalg.solve(whole, mean[:, :, None])[:, :, 0]
    mean *= static_sharpe / np.sqrt((mean * best).sum(axis=1, keepdims=True))
    returns = rng.standard_normal((count, months, assets), dtype=np.float32)
    returns *= noise[:, None].astype(np.float32)
    factor = 0.045 * rng.standard_normal((count, months, 1), dtype=np.float32)
    expected = np.broadcast_to(mean[:, None].astype(np.float32), returns.shape)
    if memory:
        from scipy.signal import lfilter

        returns[:, 1:] *= np.float32(np.sqrt(1 - memory**2))
        returns = lfilter([1.0], [1.0, -memory], returns, axis=1).astype(np.float32)
        expected = expected.copy()
        expected[:, 1:] += np.float32(memory) * returns[:, :-1]
    returns += factor * beta[:, None].astype(np.float32)
    returns += mean[:, None].astype(np.float32)
    covariance = common + (1 - memory**2) * noise[:, :, None] ** 2 * np.eye(assets)
    if not memory:
        return Markets(returns, expected, covariance, np.full(count, static_sharpe))
    q = np.einsum("kti,kij,ktj->kt", expected, np.linalg.inv(covariance), expected, optimize=True)
    known = (q / (1 + q)).mean(axis=1)
    return Markets(returns, expected, covariance, np.sqrt(known / (1 - known)))
