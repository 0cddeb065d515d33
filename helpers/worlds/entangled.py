"""Applicants whose default depends on a measurement of an entangled state: a world made for a quantum kernel."""

from __future__ import annotations

import numpy as np
import pandas as pd

from helpers.errors import CourseError

STEEP = 2.0  # standard deviation of the log-odds over applicants


def entangled_applicants(
    n: int, *, columns: int = 4, bandwidth: float = 1.0, truth: int = 0, level: float = -1.0, seed: int = 7
) -> pd.DataFrame:
    """Applicants with standard normal columns x1 …, default (0/1) and chance, the true probability of default.

    The log-odds are level + STEEP · f(x), where f, scaled to mean 0 and variance 1, is the expected parity of all
    qubits of V U(bandwidth · x)|0…0>: U is the ZZ feature map of two layers with phases x_i and x_i x_j (Havlíček and
    others 2019, Nature 567, there with phases (π - x_i)(π - x_j)), V a random unitary matrix, drawn from `truth`. So f
    lies in the space of the kernel |<ψ(x)|ψ(y)>|² at this bandwidth. Raises CourseError for n below 1, a bandwidth
    that is not above 0, or other than 1 to 10 columns.
    """
    if n < 1 or not 1 <= columns <= 10 or not bandwidth > 0:
        raise CourseError("entangled_applicants needs n of at least 1, 1 to 10 columns and a bandwidth above 0.")
    rng = np.random.default_rng([truth, columns])
    size = 2**columns
    unitary, _ = np.linalg.qr(rng.standard_normal((size, size)) + 1j * rng.standard_normal((size, size)))
    typical = _parity(bandwidth * rng.standard_normal((20_000, columns)), unitary)
    rng = np.random.default_rng([seed, truth])
    x = rng.standard_normal((n, columns))
    f = (_parity(bandwidth * x, unitary) - typical.mean()) / typical.std()
    chance = 1 / (1 + np.exp(-level - STEEP * f))
    frame = pd.DataFrame(x, columns=[f"x{j + 1}" for j in range(columns)])
    return frame.assign(default=(rng.random(n) < chance).astype(int), chance=chance)


def _parity(angles: np.ndarray, unitary: np.ndarray) -> np.ndarray:
    """Expected product of the signs (-1)^bit of all qubits, (rows,), of angles (rows, qubits)."""
    qubits = angles.shape[1]
    hadamard = np.ones((1, 1))
    for _ in range(qubits):
        hadamard = np.kron(hadamard, np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2))
    signs = 1 - 2 * ((np.arange(2**qubits)[:, None] >> np.arange(qubits)[::-1]) & 1)
    # Σ x_i z_i + Σ_{i<j} x_i x_j z_i z_j, the second sum by ((Σ x_i z_i)² - Σ x_i²) / 2
    total = angles @ signs.T
    phase = np.exp(-0.5j * (total + (total**2 - np.sum(angles**2, axis=1, keepdims=True)) / 2))
    state = phase * ((phase / np.sqrt(2**qubits)) @ hadamard)
    return np.abs(state @ unitary.T) ** 2 @ signs.prod(axis=1)
