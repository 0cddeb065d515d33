"""News with a known time and a known effect on the price of the share that it is about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helpers.errors import CourseError

OPEN, CLOSE = 9.5, 16.0  # hours of the exchange
DAYS = 4  # whose auctions are simulated, the day of publication first


@dataclass(frozen=True)
class DatedNews:
    """One row a piece of news, each about a share of its own; every day is a trading day.

    hour (n,): of publication, counted from the midnight that begins its calendar day, 0 to 24; auctions (9,): hours of
    the close of the day before and of the opening and closing auctions of that day and the three after it, on the same
    clock; log_price (n, 9): at these auctions, 0 at the first; expected (n, 9): its mean, given tone and hour.
    """

    hour: np.ndarray
    auctions: np.ndarray
    log_price: np.ndarray
    expected: np.ndarray


def dated_news(
    tone: np.ndarray,
    *,
    jump: float = 0.012,
    drift: float = 0.003,
    when: tuple[float, float, float] = (0.3, 0.35, 0.35),
    night: float = 0.008,
    session: float = 0.015,
    seed: int = 7,
) -> DatedNews:
    """Prices that jump by jump × tone at publication and go on by drift × tone over the next 6.5 hours of trading.

    tone (n,): −1, 0 or 1 (any number scales the effect). Between 16:00 and 9:30 nothing is traded, so that news from
    then moves the opening auction. `when`: shares of the news before the opening, during the session and after the
    close of its calendar day, uniform in each. Noise is normal with the standard deviations `night` and `session`.
    Raises CourseError for shares that are no shares, or noise below zero.
    """
    tone = np.asarray(tone, dtype=float)
    if tone.ndim != 1 or not np.isfinite(tone).all() or len(when) != 3 or min(when) < 0 or abs(sum(when) - 1) > 1e-9:
        raise CourseError("dated_news needs a list of finite tones, and three shares `when` that add up to 1.")
    if min(night, session) < 0:
        raise CourseError("dated_news needs standard deviations `night` and `session` of at least 0.")
    rng = np.random.default_rng(seed)
    edges = np.array([0.0, OPEN, CLOSE, 24.0])
    part = rng.choice(3, len(tone), p=when)
    hour = edges[part] + rng.random(len(tone)) * np.diff(edges)[part]
    auctions = np.r_[CLOSE - 24, (24 * np.arange(DAYS)[:, None] + [OPEN, CLOSE]).ravel()]
    traded = np.clip((_trading_hours(auctions) - _trading_hours(hour)[:, None]) / (CLOSE - OPEN), 0, 1)
    expected = tone[:, None] * (jump * (auctions >= hour[:, None]) + drift * traded)
    noise = rng.standard_normal((len(tone), len(auctions) - 1)) * np.tile([night, session], DAYS)
    return DatedNews(hour, auctions, expected + np.c_[np.zeros(len(tone)), noise.cumsum(axis=1)], expected)


def _trading_hours(hour: np.ndarray) -> np.ndarray:
    """Hours of trading from the midnight that begins the day of publication to `hour`, negative before."""
    day = np.floor(hour / 24)
    return (CLOSE - OPEN) * day + np.clip(hour - 24 * day - OPEN, 0, CLOSE - OPEN)
