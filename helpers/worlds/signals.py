"""A market whose best trading rule is known: signals that fade, and trades that cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helpers.errors import CourseError


@dataclass(frozen=True)
class Signals:
    """Simulated lives of a trader in one asset, and what can be known of its returns.

    signals (lives, steps + 1, k): known when the position for the next step is set, variance 1; returns
    (lives, steps): those of the step after signals[:, t], in units of their own noise; expected (lives, steps): the
    conditional mean of these returns.
    """

    signals: np.ndarray
    returns: np.ndarray
    expected: np.ndarray


@dataclass(frozen=True)
class BestTrader:
    """The rule with the highest value under quadratic costs (Gârleanu and Pedersen 2013), and what it is worth.

    The position moves by `rate` times its distance to the aim, signals @ aim. `value`: expected discounted sum of
    rewards from no position and stationary signals; `curvature`: a step that ends at x instead of the best x* loses
    curvature / 2 (x - x*)² of value.
    """

    rate: float
    aim: np.ndarray
    value: float
    curvature: float

    def position(self, before: np.ndarray, signals: np.ndarray) -> np.ndarray:
        """The position (…,) to take, coming from `before` (…,), at these signals (…, k)."""
        return before + self.rate * (signals @ self.aim - before)


def signal_market(
    lives: int, steps: int, *, loadings: np.ndarray, fade: np.ndarray, start: np.ndarray | None = None, seed: int = 7
) -> Signals:
    """Returns r[t+1] = loadings · f[t] + u[t+1], u standard normal, with signals that fade to zero.

    f_k[t+1] = (1 - fade_k) f_k[t] + noise, stationary with variance 1 and independent (Gârleanu and Pedersen 2013,
    Journal of Finance 68, eq. 1–2, for one asset). loadings, fade (k,), 0 < fade <= 1 (1: no memory). `start`
    (lives, k): the signals to go on from, else drawn. Raises CourseError for other fades or sizes.
    """
    load, fade = _checked(loadings, fade)
    if lives < 1 or steps < 1:
        raise CourseError(f"signal_market needs at least one life and one step, not {lives} and {steps}.")
    rng, keep = np.random.default_rng(seed), 1 - fade
    shocks = rng.standard_normal((steps + 1, lives, len(fade))) * np.sqrt(1 - keep**2)
    shocks[0] = rng.standard_normal(shocks[0].shape) if start is None else start
    for t in range(steps):
        shocks[t + 1] += keep * shocks[t]
    signals = shocks.transpose(1, 0, 2)
    expected = signals[:, :-1] @ load
    return Signals(signals, expected + rng.standard_normal(expected.shape), expected)


def best_trader(
    *, loadings: np.ndarray, fade: np.ndarray, aversion: float, cost: float, impatience: float, variance: float = 1.0
) -> BestTrader:
    """The best rule for rewards (1 - impatience) (x r - aversion variance x² / 2) - cost variance (x - x₋)² / 2.

    Each step counts (1 - impatience) times the one before. Gârleanu and Pedersen (2013), eq. 5 and propositions 1–2,
    for one asset and independent signals of variance 1, their Λ = cost × variance.
    """
    load, fade = _checked(loadings, fade)
    if min(aversion, cost, variance) <= 0 or not 0 < impatience < 1:
        raise CourseError("best_trader needs aversion, cost and variance above 0 and an impatience between 0 and 1.")
    keep, beta, trade, risk = 1 - fade, 1 - impatience, cost * variance, aversion * variance
    half = beta * risk + impatience * trade
    a = (-half + np.sqrt(half**2 + 4 * beta**2 * risk * trade)) / (2 * beta)
    shrink = beta * (1 - a / trade)
    q = shrink * load / (1 - shrink * keep)
    curvature = trade + beta * (risk + a)
    value_of_signals = curvature * np.outer(q, q) / trade**2 / (1 - beta * np.outer(keep, keep))
    each = np.diag(value_of_signals) / 2
    value = each.sum() + beta / impatience * (each * (1 - keep**2)).sum()
    return BestTrader(float(a / trade), q / a, float(value), float(curvature))


def _checked(loadings: np.ndarray, fade: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    load, fade = np.atleast_1d(np.asarray(loadings, float)), np.atleast_1d(np.asarray(fade, float))
    if load.shape != fade.shape or load.ndim != 1 or not ((fade > 0) & (fade <= 1)).all():
        raise CourseError("loadings and fade are two lists of one length, each fade above 0 and at most 1.")
    return load, fade
