"""A share in a lattice of prices: Black–Scholes in small steps, in which hedging with costs can be solved exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from helpers.errors import CourseError


@dataclass(frozen=True)
class Lattice:
    """A Markov chain of prices. price (m,), rising; chance (m, m): from row to column in one date; start: today's row.

    At the lowest and highest price the chain stays inside: what would step over the edge stops there.
    """

    price: np.ndarray
    chance: np.ndarray
    start: int
    dt: float
    moves: np.ndarray
    weights: np.ndarray

    def draw(self, paths: int, steps: int, seed: int) -> np.ndarray:
        """Simulated prices (paths, steps + 1)."""
        rng, last = np.random.default_rng(seed), len(self.price) - 1
        moves = rng.choice(self.moves, p=self.weights, size=(steps, paths))
        row = np.full((steps + 1, paths), self.start)
        for step in range(steps):
            row[step + 1] = np.clip(row[step] + moves[step], 0, last)
        return self.price[row.T]


def share_lattice(
    steps: int,
    *,
    years: float,
    volatility: float = 0.2,
    start: float = 100.0,
    points: int = 5,
    reach: float = 6.0,
) -> Lattice:
    """The lattice of a share without drift whose log moves by a normal law, cut at ± 5 deviations and rounded.

    Between two dates lie `points` lattice prices a standard deviation; the lattice reaches `reach` deviations of the
    whole time up and down. The law is tilted so that the mean price stays exactly the same. Moves are bounded, so
    that exponential moments of a hedger's loss exist, which they do not in Black and Scholes' own law. Raises
    CourseError for sizes below 1, or a volatility, start or time that is not above 0.
    """
    if min(steps, points) < 1 or min(years, volatility, start, reach) <= 0:
        raise CourseError("share_lattice needs sizes of at least 1 and the other numbers above 0.")
    dt = years / steps
    moves = np.arange(-5 * points, 5 * points + 1)
    grid = volatility * np.sqrt(dt) / points
    tilt = -volatility * np.sqrt(dt) / (2 * points)
    for _ in range(50):  # Newton: the derivative of the mean to the tilt is about points² · grid
        weights = np.exp(-((moves / points) ** 2) / 2 + tilt * moves)
        weights /= weights.sum()
        gap = weights @ np.exp(grid * moves) - 1
        if abs(gap) < 1e-15:
            break
        tilt -= gap / (grid * points**2)
    half = int(np.ceil(reach * np.sqrt(steps) * points))
    rows = np.arange(2 * half + 1)
    chance = np.zeros((len(rows), len(rows)))
    for move, weight in zip(moves, weights, strict=True):
        np.add.at(chance, (rows, np.clip(rows + move, 0, 2 * half)), weight)
    return Lattice(start * np.exp(grid * (rows - half)), chance, half, dt, moves, weights)
