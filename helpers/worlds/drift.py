"""Houses whose price has a known law given what is recorded, and invoices whose relation to default moves in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers.errors import CourseError


def house_prices(n: int, *, noise: float = 1.0, large: bool = False, seed: int = 7) -> pd.DataFrame:
    """Houses sold, a row each: four recorded fields, the log price, and its true law, normal(mean, sd), given them.

    Columns: size (log area, standardised, below 1.3), age, distance and sales (recent sales nearby), each from 0 to 1,
    log_price, mean, sd. sd rises with age and falls with sales; `noise` 0 makes it the same for all, on the same
    average of squares. `large` draws the houses of a size between 1.3 and 2.3, which no market sample holds, and whose
    mean bends. Raises CourseError for n below 1 or a negative noise.
    """
    if n < 1 or noise < 0:
        raise CourseError("house_prices needs at least one house and a noise of at least 0.")
    rng = np.random.default_rng(seed)
    z = rng.standard_normal(4 * n + 50)
    size = rng.uniform(1.3, 2.3, n) if large else z[z < 1.3][:n]
    age, distance, sales = rng.random((3, n))
    mean = 0.5 * size - 0.4 * age - 0.5 * distance + 0.25 * np.sin(5 * age) * (1 + 0.5 * size)
    mean += 0.2 * np.cos(4 * distance) * (sales - 0.5) - 0.5 * np.maximum(size - 1.3, 0)
    log_sd = noise * (1.6 * (age - 0.5) - 1.2 * (sales - 0.5))
    square = np.sinh(1.6 * noise) / (1.6 * noise) * np.sinh(1.2 * noise) / (1.2 * noise) if noise else 1.0
    sd = 0.2 * np.exp(log_sd) / np.sqrt(square)
    columns = {"size": size, "age": age, "distance": distance, "sales": sales}
    return pd.DataFrame(columns | {"log_price": mean + sd * rng.standard_normal(n), "mean": mean, "sd": sd})


@dataclass(frozen=True)
class Invoices:
    """Invoices of several suppliers, by quarter: x (worlds, quarters, n, 5) recorded fields, chance (…, n) the true
    probability of default, default (…, n) 0 or 1, weights (worlds, quarters, 5) the relation, changed (worlds,
    quarters) True where it is a new one.
    """

    x: np.ndarray
    chance: np.ndarray
    default: np.ndarray
    weights: np.ndarray
    changed: np.ndarray

    def chance_by(self, quarter: int) -> np.ndarray:
        """The probability that each invoice would have under the relation of one quarter, shaped as `chance`."""
        return _chance(self.x, np.broadcast_to(self.weights[:, quarter, None], self.weights.shape))


def drifting_invoices(
    worlds: int,
    quarters: int,
    n: int,
    *,
    changes: float = 0.1,
    at: int | None = None,
    wander: float = 0.25,
    strength: float = 1.0,
    seed: int = 7,
) -> Invoices:
    """Invoices whose relation between fields and default jumps now and then, while the fields' means wander harmlessly.

    In each quarter, from the second on, the relation changes with probability `changes`; with `at` exactly once, at
    the quarter `at`. A change draws anew how the fields matter, by a part of up to `strength`: many are small. The
    fields' means follow a stationary autoregression of standard deviation `wander`, which leaves the relation alone.
    All invoices are paid or not whatever was decided, and all outcomes are seen. Raises CourseError for sizes below 1,
    or probabilities and strengths outside 0 … 1.
    """
    if min(worlds, quarters, n) < 1 or not 0 <= changes <= 1 or not 0 <= strength <= 1 or wander < 0:
        raise CourseError("drifting_invoices needs sizes of at least 1, changes and strength in 0 … 1, wander ≥ 0.")
    rng = np.random.default_rng(seed)
    changed = rng.random((worlds, quarters)) < changes
    if at is not None:
        changed[:] = np.arange(quarters) == at
    changed[:, 0] = False
    part = rng.uniform(0.3, 1.0, (worlds, quarters, 1)) * strength
    fresh, weights = rng.standard_normal((worlds, quarters, 5)), np.empty((worlds, quarters, 5))
    weights[:, 0] = rng.standard_normal((worlds, 5))
    means = np.empty((worlds, quarters, 5))
    shocks = rng.standard_normal((worlds, quarters, 5))
    means[:, 0] = wander * shocks[:, 0]
    for q in range(1, quarters):
        moved = np.sqrt(1 - part[:, q] ** 2) * weights[:, q - 1] + part[:, q] * fresh[:, q]
        weights[:, q] = np.where(changed[:, q, None], moved, weights[:, q - 1])
        means[:, q] = 0.8 * means[:, q - 1] + 0.6 * wander * shocks[:, q]
    x = (means[:, :, None] + rng.standard_normal((worlds, quarters, n, 5))).astype("float32")
    chance = _chance(x, weights)
    default = (rng.random(chance.shape) < chance).astype("float32")
    return Invoices(x, chance, default, weights, changed)


def _chance(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Probability of default from fields (worlds, quarters, n, 5) and the relation's weights (worlds, quarters, 5)."""
    unit = (weights / np.linalg.norm(weights, axis=2, keepdims=True)).astype("float32")[:, :, None]
    z = x[..., 0] * (unit[..., 0] + unit[..., 4] * x[..., 4]) + x[..., 1] * unit[..., 1] + x[..., 2] * unit[..., 2]
    z += (np.maximum(x[..., 3], 0) - 0.4) * unit[..., 3]
    return 1 / (1 + np.exp(2.4 - 1.1 * z))
