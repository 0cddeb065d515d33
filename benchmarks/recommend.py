"""Notebook 44's matrix factorisation against the library implicit: equal vectors from one start, then the time."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse
from threadpoolctl import threadpool_limits

from benchmarks.harness import Result, compare, installed, lesson

SHAPE, FILLED, SIZE, ALPHA, STRENGTH, SWEEPS = (4_000, 2_000), 220_000, 32, 1.0, 10.0, 5


def purchases(seed: int = 7) -> sparse.csr_matrix:
    """Ones for about FILLED pairs of customer and product, both of uneven popularity."""
    rng = np.random.default_rng(seed)
    busy, liked = rng.gamma(0.7, 1, SHAPE[0]), rng.gamma(0.7, 1, SHAPE[1])
    rows, columns = (rng.choice(len(w), 2 * FILLED, p=w / w.sum()) for w in (busy, liked))
    place = np.unique(np.column_stack([rows, columns]), axis=0)
    place = place[rng.permutation(len(place))[:FILLED]]
    return sparse.csr_matrix((np.ones(len(place), "float32"), place.T), shape=SHAPE)


def theirs(X: sparse.csr_matrix, exact: bool, sweeps: int = SWEEPS, size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of implicit from our start; with `exact` by Cholesky as ours, else by its conjugate gradients.

    implicit counts 1 + alpha on a purchase as its `alpha` alone.
    """
    from implicit.cpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(
        factors=size, regularization=STRENGTH, alpha=1 + ALPHA, iterations=sweeps, use_cg=not exact, num_threads=0
    )
    model.item_factors = np.random.default_rng(7).normal(0, 0.1, (X.shape[1], size)).astype("float32")
    model.user_factors = np.zeros((X.shape[0], size), "float32")
    model.fit(X, show_progress=False)
    return model.user_factors, model.item_factors


def run() -> list[Result]:
    """Five sweeps over a matrix of the shop's size; equal scores first. One BLAS thread, as implicit asks for."""
    if not installed("implicit"):
        return []
    ials, X = lesson("44", {"np": np, "pd": pd})["ials"], purchases()
    with threadpool_limits(1, "blas"):
        mine, other = ials(X, SIZE, ALPHA, STRENGTH, SWEEPS), theirs(X, exact=True)
        gap = float(np.abs(mine[0] @ mine[1].T - other[0] @ other[1].T).max())
        ways = {
            "ours": lambda: ials(X, SIZE, ALPHA, STRENGTH, SWEEPS),
            "implicit, Cholesky": lambda: theirs(X, exact=True),
            "implicit, conjugate gradients": lambda: theirs(X, exact=False),
        }
        result = compare("matrix factorisation, five sweeps", ways, repeats=3, rows=X.nnz)
        rough = theirs(X, exact=False)
    short = float(np.abs(mine[0] @ mine[1].T - rough[0] @ rough[1].T).max())
    result.notes.append(
        f"conjugate gradients stop after three steps a row: scores differ from the minimum's by up to {short:.2g}"
    )
    result.goal("largest difference of a score from implicit's Cholesky ≤ 0.001", gap, high=1e-3)
    result.at_least(1, "implicit, Cholesky")
    return [result]
