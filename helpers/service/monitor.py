"""Has the law of the scores changed? Windows of decisions against the bins of the card."""

from __future__ import annotations

import numpy as np


class Monitor:
    """Counts scores in the card's bins; after each window of `n` decisions, Pearson's chi-squared against a limit."""

    def __init__(self, edges: list[float], shares: list[float], n: int, limit: float) -> None:
        """`edges`: inner edges of the bins; `shares`: of the scores at training; an alarm is a sum above `limit`."""
        self.edges, self.shares, self.n, self.limit = np.asarray(edges), np.asarray(shares), n, limit
        self.counts, self.windows, self.last, self.alarms = np.zeros(len(shares), int), 0, None, []

    def add(self, scores: np.ndarray) -> None:
        """Take in some scores, in their order."""
        for part in np.split(scores, np.arange(self.n - self.counts.sum(), len(scores), self.n)):
            self.counts += np.bincount(np.searchsorted(self.edges, part), minlength=len(self.counts))
            if self.counts.sum() == self.n:
                self.windows += 1
                self.last = chi_squared(self.counts, self.shares)
                if self.last > self.limit:
                    self.alarms.append(self.windows * self.n)
                self.counts[:] = 0

    def state(self) -> dict:
        """What /metrics shows."""
        known = {"window": self.n, "windows": self.windows, "limit": round(self.limit, 2)}
        last = None if self.last is None else round(float(self.last), 2)
        return known | {
            "last_chi_squared": last,
            "alarms_after_decisions": self.alarms[-10:],
            "alarms": len(self.alarms),
        }


def chi_squared(counts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Pearson's sum over the last axis: (observed - expected)² / expected."""
    expected = counts.sum(axis=-1, keepdims=True) * shares
    return ((counts - expected) ** 2 / expected).sum(axis=-1)
