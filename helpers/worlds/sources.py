"""Firms that ask for a loan, told of by three sources of known worth: a register, a payment history and a letter."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from helpers.errors import CourseError

MONTHS, AFTER = 12, 3  # recorded before the application and after it
REGISTER = {"leverage": 0.6, "liquidity": -0.5, "profit": -0.4, "age": -0.3, "size": -0.2, "turnover": 0.0}
EXPLAINS = ["flood", "illness", "insured", "settled", "repaired", "refund", "contract", "instalments"]
EVADES = ["soon", "hopefully", "unfair", "mistake", "busy", "unclear", "trust", "later"]
NEUTRAL = [
    "firm",
    "loan",
    "account",
    "business",
    "year",
    "month",
    "invoice",
    "customer",
    "supplier",
    "office",
    "machine",
    "staff",
    "rent",
    "stock",
    "order",
    "delivery",
    "market",
    "town",
    "family",
    "letter",
    "amount",
    "bank",
    "question",
    "thanks",
]
WORDS = 24  # of a letter
LEVEL, WEIGHTS = -2.0, {"register": 0.8, "history": 0.6, "letter": 0.3}


@dataclass(frozen=True)
class Applications:
    """Applications for a loan; row i of each part is firm i, `records` apart.

    register: frame with firm, applied (first day of a month) and six standard normal columns; records: frame with
    firm, month and days_late, one row a month from 12 months before the application to 3 after it; letters: an array
    of texts; parts: frame register, history, letter, the number (mean 0, variance 1) that each source says about the
    risk; default: 0/1; interaction: the law's.
    """

    register: pd.DataFrame
    records: pd.DataFrame
    letters: np.ndarray
    parts: pd.DataFrame
    default: np.ndarray
    interaction: float

    def chance(self, *sources: str) -> np.ndarray:
        """The probability of default given these sources alone, (n,); the others are averaged out.

        The sources are independent, so a missing one is replaced by 60 of its quantiles in turn. Raises CourseError
        for a name that is no source.
        """
        if unknown := set(sources) - set(WEIGHTS):
            raise CourseError(f"{', '.join(sorted(unknown))} is no source; there are {', '.join(WEIGHTS)}.")
        missing = [name for name in WEIGHTS if name not in sources]
        nodes = np.meshgrid(*(_quantiles()[name] for name in missing), indexing="ij")
        total, count = np.zeros(len(self.default)), 1
        grid = {name: part.ravel() for name, part in zip(missing, nodes, strict=True)}
        if len(missing) == 3:
            return np.full(len(self.default), _logistic(_log_odds(grid, self.interaction)).mean())
        for row in range(count := len(grid[missing[0]]) if missing else 1):
            values = {n: grid[n][row] if n in grid else self.parts[n].to_numpy() for n in WEIGHTS}
            total += _logistic(_log_odds(values, self.interaction))
        return total / count


def loan_sources(n: int, *, interaction: float = 0.7, seed: int = 7) -> Applications:
    """Firms whose log-odds of default are LEVEL + Σ WEIGHTS · parts + interaction · history · letter.

    The register's part is linear in its columns. The history's is a sum of log(1 + days late) that halves every three
    months; the letter's counts words that evade less words that explain. With an interaction above 0, late months count
    for more the more the letter evades. After the application, half of the firms that default pay ever later at once.
    Raises CourseError for n below 1.
    """
    if n < 1:
        raise CourseError("loan_sources needs at least one application.")
    rng = np.random.default_rng(seed)
    names = list(REGISTER)
    columns = rng.standard_normal((n, len(names)))
    weights = np.array(list(REGISTER.values()))
    days, words = _days(n, rng), _words(n, rng)
    parts = {"register": columns @ weights / np.linalg.norm(weights)}
    parts["history"], parts["letter"] = ((_raw(x) - m) / s for x, (m, s) in zip((days, words), _scale(), strict=True))
    default = (rng.random(n) < _logistic(_log_odds(parts, interaction))).astype(int)

    applied = np.datetime64("2022-01", "M") + rng.integers(0, 24, n)
    soon = (default == 1) & (rng.random(n) < 0.5)
    later = days[:, -1:] + rng.integers(5, 31, (n, AFTER)).cumsum(axis=1)
    all_days = np.c_[days, np.where(soon[:, None], later, _days(n, rng)[:, :AFTER])]
    months = applied[:, None] + np.arange(-MONTHS, AFTER)
    records = pd.DataFrame(
        {
            "firm": np.repeat(np.arange(n), MONTHS + AFTER),
            "month": months.ravel().astype("datetime64[ns]"),
            "days_late": all_days.ravel(),
        }
    )
    register = pd.DataFrame({"firm": np.arange(n), "applied": applied.astype("datetime64[ns]")})
    register[names] = columns
    vocabulary = np.array(EVADES + EXPLAINS + NEUTRAL)
    letters = np.array([" ".join(row) for row in vocabulary[words]])
    return Applications(register, records, letters, pd.DataFrame(parts), default, interaction)


def _days(n: int, rng: np.random.Generator) -> np.ndarray:
    """Days late by month, (n, 12), the oldest first: a first-order autoregression, cut off at 0."""
    z, out = rng.standard_normal(n), np.empty((n, MONTHS), int)
    for month in range(MONTHS):
        out[:, month] = np.maximum(0, 25 * (z - 0.3))
        z = 0.8 * z + 0.6 * rng.standard_normal(n)
    return out


def _words(n: int, rng: np.random.Generator) -> np.ndarray:
    """Numbers of words, (n, 24): evading ones first in the vocabulary, then explaining ones, then neutral ones."""
    tilt = _logistic(1.2 * rng.standard_normal((n, 1)))
    kind = rng.random((n, WORDS))
    pick = rng.integers(0, len(EVADES), (n, WORDS))
    marked = np.where(rng.random((n, WORDS)) < tilt, pick, len(EVADES) + pick)
    plain = len(EVADES) + len(EXPLAINS) + rng.integers(0, len(NEUTRAL), (n, WORDS))
    return np.where(kind < 0.35, marked, plain)


def _raw(x: np.ndarray) -> np.ndarray:
    """What days late (n, 12) or words (n, 24) say about the risk, before it is standardised."""
    if x.shape[1] == MONTHS:
        return np.log1p(x) @ 0.5 ** (np.arange(MONTHS)[::-1] / 3)
    evades, explains = x < len(EVADES), (x >= len(EVADES)) & (x < len(EVADES) + len(EXPLAINS))
    return (evades.astype(float) - explains).sum(axis=1)


@lru_cache(1)
def _typical() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return _raw(_days(200_000, rng)), _raw(_words(200_000, rng))


def _scale() -> list[tuple[float, float]]:
    return [(x.mean(), x.std()) for x in _typical()]


@lru_cache(1)
def _quantiles(nodes: int = 60) -> dict[str, np.ndarray]:
    """Means of equally likely slices of each part's law."""
    normal = np.random.default_rng(1).standard_normal(100_000)
    parts = zip(WEIGHTS, (np.r_[normal, -normal], *_typical()), strict=True)
    slices = {name: np.sort((x - x.mean()) / x.std())[: len(x) // nodes * nodes] for name, x in parts}
    return {name: x.reshape(nodes, -1).mean(axis=1) for name, x in slices.items()}


def _log_odds(parts: dict, interaction: float) -> np.ndarray:
    main = LEVEL + sum(weight * parts[name] for name, weight in WEIGHTS.items())
    return main + interaction * parts["history"] * parts["letter"]


def _logistic(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))
