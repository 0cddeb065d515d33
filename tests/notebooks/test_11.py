"""Logistic regression: the notebook's functions on a world whose weights are known, and against other libraries."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import optimize, stats

from benchmarks.harness import defined

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "11_logistic_regression.ipynb"
CODE = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


@pytest.fixture
def lesson() -> dict:
    """40,000 rows, b = -1, w = (0.8, -0.4, 0, 0), and the notebook's functions."""
    rng = np.random.default_rng(0)
    X = np.column_stack([np.ones(40_000), rng.normal(size=(40_000, 4))])
    true = np.array([-1.0, 0.8, -0.4, 0.0, 0.0])
    y = (rng.random(len(X)) < 1 / (1 + np.exp(-X @ true))).astype(float)
    space = {"np": np, "pd": pd, "sm": sm, "stats": stats, "X": X, "y": y, "n": len(X), "true": true, "FOLDS": 10}
    return defined("11", space)


def test_newton_finds_the_weights_of_a_known_world(lesson):
    beta, _ = lesson["newton"](lesson["X"], lesson["y"])
    error = np.sqrt(np.diag(np.linalg.inv(lesson["hessian"](beta, lesson["X"], lesson["y"]))))
    assert (np.abs(beta - lesson["true"]) < 4 * error).all()
    assert error.max() < 0.02


def test_newton_finds_the_minimum_that_scipy_finds(lesson):
    X, y = lesson["X"][:500], lesson["y"][:500]
    penalised = lambda b: lesson["loss"](b, X, y) + 4.0 * b[1:] @ b[1:]  # noqa: E731
    theirs = optimize.minimize(penalised, np.zeros(5), method="BFGS", options={"gtol": 1e-6}).x
    np.testing.assert_allclose(lesson["newton"](X, y, ridge=8.0)[0], theirs, atol=1e-5)


def test_the_ridge_shrinks_the_weights_and_leaves_the_mean_probability_right(lesson):
    free, _ = lesson["newton"](lesson["X"], lesson["y"])
    tight, _ = lesson["newton"](lesson["X"], lesson["y"], ridge=1e4)
    assert np.linalg.norm(tight[1:]) < 0.6 * np.linalg.norm(free[1:])
    assert np.isclose(lesson["sigmoid"](lesson["X"] @ tight).mean(), lesson["y"].mean(), atol=1e-9)


def test_only_the_weighted_least_squares_step_is_newtons(lesson):
    X, y = lesson["X"], lesson["y"]
    at = np.array([0.3, 1.0, -1.0, 0.5, 0.2])
    newton = at - np.linalg.solve(lesson["hessian"](at, X, y), lesson["gradient"](at, X, y))
    np.testing.assert_allclose(lesson["least_squares_step"](at, True), newton, atol=1e-9)
    assert np.abs(lesson["least_squares_step"](at, False) - newton).max() > 0.01


def test_counting_defaults_c_times_moves_the_intercept_by_log_c(lesson):
    X, y = lesson["X"], lesson["y"]
    repeated = np.concatenate([np.arange(len(y)), *[np.flatnonzero(y == 1)] * 2])
    plain, _ = lesson["newton"](X, y)
    tripled, _ = lesson["newton"](X[repeated], y[repeated])
    np.testing.assert_allclose(tripled - plain, [np.log(3), 0, 0, 0, 0], atol=0.03)


def test_the_corrected_test_keeps_its_level_where_the_naive_one_does_not(lesson):
    """Differences over ten folds, three times, with the correlation 1/10 that the correction assumes."""
    rng, draws = np.random.default_rng(1), 4000
    shared = np.sqrt(0.1) * rng.normal(size=(draws, 1)) + np.sqrt(0.9) * rng.normal(size=(draws, 30))
    rejected = np.mean([lesson["corrected"](row)[2] < 0.05 for row in shared])
    naive = np.mean(stats.ttest_1samp(shared, 0, axis=1).pvalue < 0.05)
    assert 0.035 < rejected < 0.065 and naive > 0.25


def test_the_cost_of_a_cut_off_counts_both_errors(lesson):
    actual, p = np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.1, 0.6])
    assert [lesson["cost"](cut)(actual, p) for cut in (2.0, 0.5, 0.0)] == [2.5, 1.5, 0.5]


def test_every_exercise_has_a_solution_and_then_a_check_that_refuses_two_answers():
    tags = [tag for cell in CODE for tag in cell["metadata"].get("tags", []) if tag in ("solution", "check")]
    assert tags == ["solution", "check"] * 3
    checks = [cell for cell in CODE if "check" in cell["metadata"].get("tags", [])]
    assert all(len(cell["metadata"]["course"]["wrong"]) >= 2 for cell in checks)
