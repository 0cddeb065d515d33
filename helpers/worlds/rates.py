"""Interest rates whose best possible forecast is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helpers.errors import CourseError


@dataclass(frozen=True)
class Rates:
    """Simulated months of a yield curve and the truth behind them.

    short (n,): the short rate; yields (n, maturities): zero rates. All continuously compounded, fractions a year.
    best (n, maturities): the best forecast, made in each month, of the yields `horizon` months later (the conditional
    mean); best_r2: the population R² of `best` against "no change", in [0, 1].
    """

    short: np.ndarray
    yields: np.ndarray
    best: np.ndarray
    best_r2: float


def vasicek(
    months: int,
    *,
    maturities: np.ndarray,
    kappa: float = 0.2,
    theta: float = 0.04,
    sigma: float = 0.01,
    premium: float = 0.0,
    horizon: int = 6,
    seed: int = 7,
) -> Rates:
    """The short rate dr = kappa (theta - r) dt + sigma dW by month, exact in distribution, and its zero rates.

    maturities (m,) in years; kappa a year; sigma in rate a root year; `premium` is the constant market price of risk,
    positive where long yields carry a term premium. The short rate by month is an AR(1) with phi = exp(-kappa / 12) and
    yields are linear in it (Vasicek 1977, Journal of Financial Economics 5, eq. 27). With phi_h = phi^horizon the R²
    of the best forecast against "no change" is (1 - phi_h) / 2: the change has variance 2 (1 - phi_h) s², of which
    (1 - phi_h)² s² can be known. Starts in the stationary distribution. Raises CourseError for non-positive sizes.
    """
    tau = np.asarray(maturities, dtype=float)
    if min(months, horizon) < 1 or kappa <= 0 or sigma <= 0 or tau.ndim != 1 or not (tau > 0).all():
        raise CourseError("vasicek needs months, horizon, kappa, sigma and all maturities to be positive.")
    from scipy.signal import lfilter

    phi, spread = np.exp(-kappa / 12), sigma / np.sqrt(2 * kappa)
    shocks = spread * np.sqrt(1 - phi**2) * np.random.default_rng(seed).standard_normal(months)
    shocks[0] /= np.sqrt(1 - phi**2)
    gap = lfilter([1.0], [1.0, -phi], shocks)
    loading = -np.expm1(-kappa * tau) / (kappa * tau)
    far = theta + premium * sigma / kappa - sigma**2 / (2 * kappa**2)  # the yield of an endless maturity
    level = far - (far - theta) * loading + sigma**2 * tau * loading**2 / (4 * kappa)
    phi_h = phi**horizon
    curve = level + np.multiply.outer(gap, loading)
    return Rates(theta + gap, curve, level + phi_h * np.multiply.outer(gap, loading), (1 - phi_h) / 2)
