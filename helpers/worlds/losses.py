"""Operational losses whose frequency, severity tail and annual quantile are known; tails that hang on circumstances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers.errors import CourseError


@dataclass(frozen=True)
class LossYears:
    """`counts` (years,): losses a year; `frame`: one row a loss, columns year and loss (millions). The rest is known.

    rate: mean count a year; dispersion: variance over mean of the count (1: Poisson, above: negative binomial);
    shape, scale, share: the generalised Pareto law of what exceeds `threshold`, and the share of losses that do.
    """

    frame: pd.DataFrame
    counts: np.ndarray
    rate: float
    dispersion: float
    shape: float
    scale: float
    threshold: float
    share: float

    def survival(self, x: np.ndarray) -> np.ndarray:
        """P(loss > x), exact."""
        from scipy import special  # slow to import: only when called

        x = np.asarray(x, float)
        with np.errstate(divide="ignore"):
            body = special.ndtr(np.log(np.maximum(x, 0) / _MEDIAN) / _SIGMA)
        inside = body / special.ndtr(np.log(self.threshold / _MEDIAN) / _SIGMA)
        above = np.maximum(x - self.threshold, 0) / self.scale
        tail = self.share * np.exp(-np.log1p(self.shape * above) / self.shape)
        return np.where(x < self.threshold, 1 - (1 - self.share) * np.minimum(inside, 1), tail)

    def generating(self, z: np.ndarray) -> np.ndarray:
        """E[z^N] of the count N of a year."""
        return count_generating(z, self.rate, self.dispersion)

    def quantile(self, level: float = 0.999) -> tuple[float, float]:
        """Lower and upper bound of the quantile of a year's sum, less than 1 % apart (see `annual_bounds`)."""
        rare = (1 - level) / (10 * self.rate * self.share)  # of excesses: a tenth of what a single loss would need
        largest = self.threshold + self.scale * (min(rare, 1) ** -self.shape - 1) / self.shape
        many = self.rate + 10 * np.sqrt(self.rate * self.dispersion)
        reach = largest + many * (self.threshold + self.scale)
        return annual_bounds(self.survival, self.generating, level, step=reach / 2**18)


_MEDIAN, _SIGMA = 0.1, 1.2  # lognormal body of `loss_years`, cut at the threshold


def loss_years(
    years: int,
    *,
    rate: float = 25.0,
    dispersion: float = 3.0,
    shape: float = 0.6,
    scale: float = 1.0,
    threshold: float = 1.0,
    share: float = 0.1,
    seed: int = 7,
) -> LossYears:
    """Years of losses: negative binomial counts, a lognormal body, a generalised Pareto tail above `threshold`.

    Raises CourseError for values outside their range: years, rate, shape, scale and threshold above 0, dispersion of
    at least 1, share between 0 and 1.
    """
    from scipy import special  # slow to import: only when called

    if years < 1 or min(rate, shape, scale, threshold) <= 0 or dispersion < 1 or not 0 < share < 1:
        raise CourseError("loss_years needs years ≥ 1, dispersion ≥ 1, 0 < share < 1 and the other numbers above 0.")
    rng = np.random.default_rng(seed)
    means = rate if dispersion == 1 else rng.gamma(rate / (dispersion - 1), dispersion - 1, years)
    counts = rng.poisson(means, years)
    n = int(counts.sum())
    tail = threshold + scale * np.expm1(-shape * np.log(1 - rng.random(n))) / shape
    cut = special.ndtr(np.log(threshold / _MEDIAN) / _SIGMA)
    body = _MEDIAN * np.exp(_SIGMA * special.ndtri(cut * (1 - rng.random(n))))
    loss = np.where(rng.random(n) < share, tail, body)
    frame = pd.DataFrame({"year": np.repeat(np.arange(1, years + 1), counts), "loss": loss})
    return LossYears(frame, counts, rate, dispersion, shape, scale, threshold, share)


def count_generating(z: np.ndarray, rate: float, dispersion: float = 1.0) -> np.ndarray:
    """E[z^N] for a Poisson (dispersion 1) or negative binomial count of this mean and variance over mean."""
    if dispersion == 1:
        return np.exp(rate * (z - 1))
    return (1 - (dispersion - 1) * (z - 1)) ** (-rate / (dispersion - 1))


def annual_bounds(
    survival: Callable[[np.ndarray], np.ndarray],
    generating: Callable[[np.ndarray], np.ndarray],
    level: float = 0.999,
    *,
    step: float,
    points: int = 2**18,
    tilt: float = 20.0,
) -> tuple[float, float]:
    """Bounds of the quantile of a random sum: severities rounded down, then up, to multiples of `step`.

    survival(x) = P(loss > x); generating(z) = E[z^N]. Exponential tilting keeps the error of the periodic transform
    near e^-tilt (Grübel and Hermesmeier 1999, Computation of compound distributions I, ASTIN Bulletin 29). Raises
    CourseError where the quantile lies beyond the grid of points · step.
    """
    k = np.arange(points)
    mass = -np.diff(survival(step * np.arange(points + 1)), prepend=1.0)
    weight = np.exp(-tilt * k / points)
    bounds = []
    for severity in (np.r_[mass[0] + mass[1], mass[2:]], mass[:-1]):
        transform = generating(np.fft.rfft(severity * weight))
        total = np.cumsum(np.fft.irfft(transform, points) / weight)
        if total[-1] < level:
            raise CourseError(f"annual_bounds: the {level:.4g} quantile lies beyond {points * step:g}; enlarge step.")
        bounds.append(step * float(np.argmax(total >= level)))
    return bounds[0], bounds[1]


def loss_tails(n: int, *, seed: int = 7) -> pd.DataFrame:
    """Losses above a reporting threshold whose generalised Pareto tail hangs on five recorded circumstances.

    Columns: size, load, complexity, gap, noise (standard normal; the last is without effect), excess (loss less the
    threshold), and the truth: shape and log_scale. The shape rises from 0.1 to 0.9 where complexity *and* gap (of
    controls) are high; the scale grows with size, and with load on either side of normal. CourseError for n below 1.
    """
    from scipy import special  # slow to import: only when called

    if n < 1:
        raise CourseError("loss_tails needs at least one loss.")
    rng = np.random.default_rng(seed)
    size, load, complexity, gap, noise = rng.standard_normal((5, n))
    shape = 0.1 + 0.8 * special.expit(4 * complexity) * special.expit(4 * gap)
    log_scale = 0.4 * size + 0.5 * (np.abs(load) - np.sqrt(2 / np.pi))
    excess = np.exp(log_scale) * np.expm1(-shape * np.log(1 - rng.random(n))) / shape
    inputs = {"size": size, "load": load, "complexity": complexity, "gap": gap, "noise": noise}
    return pd.DataFrame({**inputs, "excess": excess, "shape": shape, "log_scale": log_scale})
