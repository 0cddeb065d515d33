"""Logistic regression: what the notebook cannot assert of itself."""

import json
from pathlib import Path

import numpy as np
import pytest

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "11_logistic_regression.ipynb"
CELLS = [
    (cell["metadata"].get("tags", []), "".join(cell["source"]))
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    if cell["cell_type"] == "code"
]


def source(start: str) -> str:
    """The one code cell that holds a line beginning with `start`, up to its first use of the data."""
    (found,) = [text for _, text in CELLS if any(line.startswith(start) for line in text.splitlines())]
    return found


@pytest.fixture
def lesson() -> dict:
    """The notebook's functions on a world whose weights are known: 40,000 rows, b = -1, w = (0.8, -0.4, 0, 0)."""
    space: dict = {"np": np}
    exec(source("def sigmoid(").split("\nprint(")[0], space)
    exec(source("def gradient("), space)
    exec(source("def by_differences(").split("\nsomewhere")[0], space)
    exec(source("def newton(").split("\nbeta, path")[0], space)
    rng = np.random.default_rng(0)
    X = np.column_stack([np.ones(40_000), rng.normal(size=(40_000, 4))])
    true = np.array([-1.0, 0.8, -0.4, 0.0, 0.0])
    y = (rng.random(len(X)) < 1 / (1 + np.exp(-X @ true))).astype(float)
    somewhere = rng.normal(size=5)
    return space | {"X": X, "y": y, "n": len(X), "true": true, "somewhere": somewhere, "z_card": X[:50] @ true}


def test_newton_finds_the_weights_of_a_known_world(lesson):
    beta, _ = lesson["newton"](lesson["X"], lesson["y"])
    error = np.sqrt(np.diag(np.linalg.inv(lesson["hessian"](beta, lesson["X"], lesson["y"]))))
    assert (np.abs(beta - lesson["true"]) < 4 * error).all()
    assert error.max() < 0.02


def test_the_ridge_shrinks_the_weights_and_leaves_the_mean_probability_right(lesson):
    free, _ = lesson["newton"](lesson["X"], lesson["y"])
    tight, _ = lesson["newton"](lesson["X"], lesson["y"], ridge=1e4)
    assert np.linalg.norm(tight[1:]) < 0.6 * np.linalg.norm(free[1:])
    assert np.isclose(lesson["sigmoid"](lesson["X"] @ tight).mean(), lesson["y"].mean(), atol=1e-9)


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        ("assert np.isclose(to_points", "def to_points(z, pdo): return 600 - pdo * (z + np.log(50))"),
        ("weighted_loss", "def weighted_gradient(beta, X, y, v): return v.mean() * gradient(beta, X, y)"),
        ("weighted_loss", "def weighted_gradient(beta, X, y, v): return X.T @ (v * (y - sigmoid(X @ beta)))"),
        ("start = np.array", "def careful_newton(X, y, start): return start"),
    ],
)
def test_checks_refuse_a_wrong_answer(lesson, check, wrong):
    lesson["beta"], _ = lesson["newton"](lesson["X"], lesson["y"])
    exec(wrong, lesson)
    (cell,) = [text for tags, text in CELLS if "check" in tags and check in text]
    with pytest.raises(AssertionError):
        exec(cell, lesson)


def test_every_exercise_has_a_solution_and_then_a_check():
    order = [tag for tags, _ in CELLS for tag in tags if tag in ("solution", "check")]
    assert order == ["solution", "check"] * 4
