"""What a hedger looks up at each date in Heston's model: deltas from tables, as exact ones cost too much per path."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from helpers import options
from helpers.errors import CourseError


class Deltas(NamedTuple):
    """Of a call, each (paths, dates): delta, the minimum-variance delta, and the total variance expected until expiry.

    The minimum-variance delta (Bakshi, Cao and Chen 1997) is delta + rho vol_of_vol / S · dC/dv: the holding of shares
    alone that makes the variance of the next short step's gain smallest.
    """

    delta: np.ndarray
    minimum_variance: np.ndarray
    expected: np.ndarray


class HestonDeltas:
    """Tables of a call's deltas at the dates `years_left` (dates,), without interest; see `read`.

    For each date the COS method prices 16 variances up to `highest` and 41 standardised moneynesses; cubic splines
    read between them. Raises CourseError for years or a strike that are not above 0.
    """

    def __init__(
        self,
        years_left: np.ndarray,
        *,
        strike: float,
        mean: float,
        speed: float,
        vol_of_vol: float,
        rho: float,
        highest: float = 0.36,
    ) -> None:
        """Price at all dates and points of the tables."""
        from scipy.interpolate import RectBivariateSpline

        self.years, self.strike = np.asarray(years_left, float), strike
        if strike <= 0 or self.years.ndim != 1 or np.any(self.years <= 0):
            raise CourseError("HestonDeltas needs a strike and years_left (dates,) above 0.")
        self.mean, self.share = mean, (1 - np.exp(-speed * self.years)) / (speed * self.years)
        self.roots, places = np.sqrt(highest) * np.linspace(0.03, 1, 16), np.linspace(-6, 6, 41)
        v, law = self.roots[:, None] ** 2, {"mean": mean, "speed": speed, "vol_of_vol": vol_of_vol, "rho": rho}
        self.tables = []
        for years, share in zip(self.years, self.share, strict=True):
            spot = strike * np.exp(places * np.sqrt((mean + (v - mean) * share) * years))
            up, down = (options.heston(spot, strike, years, (1 + h) * v, **law) for h in (1e-3, -1e-3))
            tilt = rho * vol_of_vol * (up[0] - down[0]) / (2e-3 * v) / spot
            both = (up[1] + down[1]) / 2, tilt
            self.tables.append([RectBivariateSpline(self.roots, places, table) for table in both])

    def read(self, price: np.ndarray, variance: np.ndarray) -> Deltas:
        """Deltas at price and variance (paths, dates), to about 0.01. Raises CourseError for other shapes."""
        if price.shape != variance.shape or price.shape[1:] != self.years.shape:
            raise CourseError(f"HestonDeltas.read needs price and variance of (paths, {len(self.years)}).")
        expected = (self.mean + (variance - self.mean) * self.share) * self.years
        place = np.clip(np.log(price / self.strike) / np.sqrt(expected), -6, 6)
        root = np.clip(np.sqrt(variance), self.roots[0], self.roots[-1])
        delta, tilt = np.empty_like(place), np.empty_like(place)
        for date, tables in enumerate(self.tables):
            delta[:, date], tilt[:, date] = (table.ev(root[:, date], place[:, date]) for table in tables)
        return Deltas(delta, delta + tilt, expected)
