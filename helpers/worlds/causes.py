"""Applicants of whom it is known which fields cause default and by how much, and what happens when one is changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers.errors import CourseError

FIELDS = 6
_LEVEL = -1.4


@dataclass(frozen=True)
class Causes:
    """x (n, 6) standard normal fields, their covariance (6, 6), effects (n, 6) on the log-odds of default, each of mean
    0 over the population, chance (n,) of default, default (n,) 0/1.
    """

    x: np.ndarray
    covariance: np.ndarray
    effects: np.ndarray
    chance: np.ndarray
    default: np.ndarray
    _law: int

    def log_odds(self, x: np.ndarray) -> np.ndarray:
        """The true log-odds (n,) of any rows x (n, 6)."""
        return _LEVEL + _effects(x, self._law).sum(axis=1)


def known_causes(n: int, *, correlation: float = 0.0, law: int = 7, seed: int = 7) -> Causes:
    """Applicants whose log-odds of default are a sum of curves of single fields, so that each field's effect is known.

    The six fields come in three pairs; within a pair they correlate by `correlation`, across pairs not at all. In the
    first pair one field is a cause and the other a bystander without any effect; in the second two straight causes have
    opposite signs; in the third one cause saturates (a tanh) and the other works above its mean only. The number `law`
    draws the strengths (0.8 to 1.2 times typical ones), the signs and the order of the columns; `seed` the applicants.
    An effect is what setting that field to a random applicant's, all else equal, changes on average. Raises
    CourseError for n below 1 or a correlation outside 0 … 0.99.
    """
    if n < 1 or not 0 <= correlation <= 0.99:
        raise CourseError("known_causes needs at least one applicant and a correlation of 0 to 0.99.")
    order, rng = _order(law), np.random.default_rng([law, seed, 2])
    pair = np.kron(np.eye(3), np.array([[1, correlation], [correlation, 1]]))
    x = (rng.standard_normal((n, FIELDS)) @ np.linalg.cholesky(pair).T)[:, order]
    effects = _effects(x, law)
    chance = 1 / (1 + np.exp(-(_LEVEL + effects.sum(axis=1))))
    default = (rng.random(n) < chance).astype(int)
    return Causes(x, pair[np.ix_(order, order)], effects, chance, default, law)


def _order(law: int) -> np.ndarray:
    return np.random.default_rng([law, 0]).permutation(FIELDS)


def _effects(x: np.ndarray, law: int) -> np.ndarray:
    """Each field's curve at x (n, 6), each of mean 0 over the population."""
    rule = np.random.default_rng([law, 1])
    strength, sign = rule.uniform(0.8, 1.2, 5), rule.choice([-1, 1], 3)
    curves = [
        lambda v: sign[0] * 0.9 * strength[0] * v,
        np.zeros_like,
        lambda v: sign[1] * 0.9 * strength[1] * v,
        lambda v: -sign[1] * 0.7 * strength[2] * v,
        lambda v: sign[2] * 0.9 * strength[3] * np.tanh(1.5 * v),
        lambda v: sign[2] * 1.1 * strength[4] * (np.maximum(v, 0) - 1 / np.sqrt(2 * np.pi)),
    ]
    return np.column_stack([curves[which](x[:, j]) for j, which in enumerate(_order(law))])


@dataclass(frozen=True)
class Borrowers:
    """Applicants whose fields cause one another; frame: income, savings, debt, reminders, default (0/1), and chance,
    the true probability of default. `act` tells what a change would do.
    """

    frame: pd.DataFrame
    _noise: np.ndarray  # (n, 5): thrift, which no column holds, and each field's own part

    def act(self, rows: np.ndarray, **changes: np.ndarray) -> pd.DataFrame:
        """Fields and chance of the applicants `rows` after each added changes[field] (an array over rows) to a field:
        what the field causes follows, what causes it or merely goes with it stays.
        """
        if unknown := set(changes) - {"income", "savings", "debt", "reminders"}:
            raise CourseError(f"borrowers have no field {', '.join(sorted(unknown))} that one could change.")
        return _borrowers(self._noise[rows], changes)


def borrowers(n: int, *, symptom: float = 1.0, seed: int = 7) -> Borrowers:
    """Applicants for a loan: thrift, which no column holds, raises savings and lowers default and reminders sent.

    income → savings → debt; income, savings, debt and thrift cause default; reminders cause nothing: they only show
    thrift, the better the larger `symptom`. All fields have mean 0 and are measured in about standard deviations.
    Raises CourseError for n below 1 or a negative symptom.
    """
    if n < 1 or symptom < 0:
        raise CourseError("borrowers needs at least one applicant and a symptom of at least 0.")
    rng = np.random.default_rng([seed, 3])
    noise = rng.standard_normal((n, 5))
    noise[:, 4] -= symptom * noise[:, 0]  # the reminders' own part: thrifty applicants get few
    noise[:, 4] /= np.sqrt(1 + symptom**2)
    frame = _borrowers(noise, {})
    frame.insert(4, "default", (rng.random(n) < frame["chance"]).astype(int))
    return Borrowers(frame, noise)


def _borrowers(noise: np.ndarray, changes: dict[str, np.ndarray]) -> pd.DataFrame:
    """The structural equations, in the order of causes."""
    thrift, own_income, own_savings, own_debt, own_reminders = noise.T
    income = own_income + changes.get("income", 0.0)
    savings = 0.4 * income + 0.6 * thrift + 0.7 * own_savings + changes.get("savings", 0.0)
    debt = -0.5 * savings + 0.85 * own_debt + changes.get("debt", 0.0)
    reminders = own_reminders + changes.get("reminders", 0.0)
    chance = 1 / (1 + np.exp(-(-2.0 - 0.5 * income - 0.5 * savings + 0.6 * debt - 0.9 * thrift)))
    fields = {"income": income, "savings": savings, "debt": debt, "reminders": reminders}
    return pd.DataFrame({**fields, "chance": chance})
