"""Plumbing of portfolios: moments of rolling windows, weights of equal risk, returns after the costs of rebalancing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from helpers.errors import CourseError


class Held(NamedTuple):
    """What holding a series of weights gave: excess return after costs, and traded value over wealth, both (t,); the
    period in which wealth fell to zero, None where it never did.
    """

    net: np.ndarray
    traded: np.ndarray
    ruined: int | None = None


def rolling_moments(returns: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean (m, n) and covariance (m, n, n) of every `length` consecutive rows of returns (t, n), m = t - length + 1.

    Entry i covers rows i … i + length - 1: it may be used from row i + length on. Covariances divide by length - 1.
    Raises CourseError for windows that do not fit, and for missing values.
    """
    returns = np.asarray(returns, dtype=float)
    if returns.ndim != 2 or not 2 <= length <= len(returns) or not np.isfinite(returns).all():
        raise CourseError(f"Windows of {length} rows do not fit returns of shape {returns.shape} without gaps.")
    window = sliding_window_view(returns, length, axis=0)  # (m, n, length), a view
    mean = window.mean(axis=2)
    centred = window - mean[:, :, None]
    return mean, centred @ centred.transpose(0, 2, 1) / (length - 1)


def risk_parity(covariance: np.ndarray, *, tolerance: float = 1e-10, sweeps: int = 500) -> np.ndarray:
    """Weights (…, n), positive and of sum 1, to whose risk each asset adds the same: w_i (C w)_i equal for all i.

    covariance (…, n, n), one or many at once, each positive definite. Coordinate descent on w'Cw / 2 - sum ln w_i / n,
    whose minimum has this property (Maillard, Roncalli and Teïletche 2010, Journal of Portfolio Management 36(4);
    Griveau-Billion, Richard and Roncalli 2013, arXiv:1311.4057): each step solves C_ii w_i² + b_i w_i = 1 / n. Raises
    CourseError where a variance is not positive, or shares of risk still differ by `tolerance` after so many sweeps.
    """
    C = np.asarray(covariance, dtype=float)
    variance = np.diagonal(C, axis1=-2, axis2=-1)
    if C.ndim < 2 or C.shape[-1] != C.shape[-2] or not (variance > 0).all():
        raise CourseError(f"Risk parity needs square covariances with positive variances, not shape {C.shape}.")
    n, scale = C.shape[-1], np.sqrt(variance)
    C = C / (scale[..., :, None] * scale[..., None, :])  # correlations: the answer only has to be scaled back
    w = np.full(C.shape[:-1], n**-0.5)
    for _ in range(sweeps):
        for i in range(n):
            b = np.einsum("...j,...j->...", C[..., i, :], w) - w[..., i]
            w[..., i] = (np.sqrt(b**2 + 4 / n) - b) / 2
        share = w * np.einsum("...ij,...j->...i", C, w)
        if np.abs(share / share.sum(axis=-1, keepdims=True) - 1 / n).max() < tolerance:
            w = w / scale
            return w / w.sum(axis=-1, keepdims=True)
    raise CourseError(f"Risk parity did not settle in {sweeps} sweeps: is a covariance matrix singular?")


def hold(
    weights: np.ndarray,
    excess: np.ndarray,
    cash: np.ndarray | float = 0.0,
    *,
    cost: float = 0.0,
    to_ruin: bool = False,
) -> Held:
    """Hold weights[t] (t, n), decided before period t begins, over each period, and pay for the trades in between.

    excess (t, n): simple returns less `cash` (t,), the simple return of what is not invested; weights need not add up
    to 1. Before period t the weights, which have drifted with the prices, are brought to weights[t]; `cost` is lost
    per traded value (0.0005 is five basis points). The first weights are bought from cash. Raises CourseError where
    shapes differ, values are missing, or wealth falls to zero; with `to_ruin` the account then ends instead: all is
    lost in that period, `ruined`, and from the next on there is no wealth to earn on or to trade (net, traded: nan).
    """
    weights, excess = np.asarray(weights, dtype=float), np.asarray(excess, dtype=float)
    if weights.shape != excess.shape or weights.ndim != 2:
        raise CourseError(f"Weights {weights.shape} and returns {excess.shape} must be two tables of one shape.")
    if not (np.isfinite(weights).all() and np.isfinite(excess).all() and np.isfinite(cash).all()):
        raise CourseError("Weights and returns must not hold missing values.")
    cash = np.broadcast_to(cash, len(weights))
    gross = (weights * excess).sum(axis=1)
    wealth = 1 + cash + gross
    ruined = None if (wealth > 0).all() else int(np.argmax(wealth <= 0))
    if ruined is not None and not to_ruin:
        raise CourseError(f"Wealth falls to zero in period {ruined}: scale the weights down.")
    drifted = weights * (1 + cash[:, None] + excess) / np.where(wealth > 0, wealth, np.nan)[:, None]
    before = np.concatenate([np.zeros((1, weights.shape[1])), drifted[:-1]])
    traded = np.abs(weights - before).sum(axis=1)
    net = gross - cost * traded
    if ruined is not None:
        net[ruined] = -1 - cash[ruined]
        net[ruined + 1 :] = traded[ruined + 1 :] = np.nan
    return Held(net, traded, ruined)
