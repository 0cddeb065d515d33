"""Explainability: the notebook's own functions against definitions, closed forms and, where it is there, shap."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer
from sklearn.tree import DecisionTreeRegressor

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "50_explainability.ipynb"
WANTED = ["score_and_gradient", "integrated_gradients", "shapley_matrix", "by_orders", "game", "shapley", "sampled"]
WANTED += ["path_contributions", "spline_curves", "finite_differences", "marks", "wrong_signs", "cheapest"]


@pytest.fixture(scope="module")
def lesson() -> dict:
    space: dict = {"np": np, "math": math, "itertools": itertools, "stats": stats, "log_loss": log_loss}
    space |= {"SplineTransformer": SplineTransformer, "make_pipeline": make_pipeline}
    space |= {"LogisticRegression": LogisticRegression}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        for part in "".join(cell["source"]).split("\n\n\n") if cell["cell_type"] == "code" else []:
            if part.startswith("def ") and part[4:].split("(")[0] in WANTED:
                exec(part.split("\n\n\n")[0], space)
    assert set(WANTED) <= set(space)
    return space


def random_network(rng: np.random.Generator, columns: int) -> list:
    shapes = ((columns, 9), (9,), (9, 7), (7,), (7,), ())
    return [rng.normal(0, 0.7, shape).astype("float32") for shape in shapes]


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_the_matrix_gives_the_mean_payment_over_all_orders(lesson, d):
    v = np.random.default_rng(d).normal(size=2**d)
    masks, W = lesson["shapley_matrix"](d)
    found = lesson["by_orders"](lambda players: v[sum(2**j for j in players)], d)
    np.testing.assert_allclose(W @ v, found, atol=1e-12)
    assert (W @ v).sum() == pytest.approx(v[-1] - v[0])
    assert (masks @ 2 ** np.arange(d) == np.arange(2**d)).all()


def test_the_gradient_is_that_of_finite_differences(lesson):
    rng = np.random.default_rng(1)
    z, gradient = lesson["score_and_gradient"](random_network(rng, 5))
    x = rng.normal(size=(400, 5))
    numeric = lesson["finite_differences"](z, h=5e-3)(x)
    assert np.median(np.abs(numeric - gradient(x))) < 2e-3  # a kink between the two points spoils a few


def test_integrated_gradients_add_up(lesson):
    rng = np.random.default_rng(2)
    z, gradient = lesson["score_and_gradient"](random_network(rng, 5))
    x, reference = rng.normal(size=(30, 5)), rng.normal(size=5)
    found = lesson["integrated_gradients"](gradient, x, reference, steps=2_000)
    np.testing.assert_allclose(found.sum(axis=1), z(x) - z(reference[None]), atol=0.02)


def test_the_conditional_game_is_the_regression_of_a_linear_score(lesson):
    rng = np.random.default_rng(3)
    root = rng.normal(size=(4, 4))
    covariance, beta = root @ root.T + np.eye(4), rng.normal(size=4)
    others = rng.multivariate_normal(np.zeros(4), covariance, 50)
    others = np.vstack([others, -others])
    x = rng.normal(size=(6, 4))
    masks, _ = lesson["shapley_matrix"](4)
    v = lesson["game"](lambda rows: rows @ beta, x, others, masks, covariance=covariance)
    for mask, told in zip(masks, v, strict=True):
        expected = np.zeros_like(x)
        if mask.any():
            expected = x[:, mask] @ np.linalg.solve(covariance[np.ix_(mask, mask)], covariance[mask])
        np.testing.assert_allclose(told, expected @ beta, atol=1e-9)


def test_fields_of_several_columns_move_together(lesson):
    rng = np.random.default_rng(4)
    z, _ = lesson["score_and_gradient"](random_network(rng, 5))
    x, others, columns = rng.normal(size=(3, 5)), rng.normal(size=(11, 5)), np.array([0, 0, 1, 2, 2])
    found = lesson["shapley"](z, x, others, columns)
    for row, told in zip(x, found, strict=True):
        worth = lambda players, row=row: z(np.where(np.isin(columns, [*players]), row, others)).mean()  # noqa: E731
        np.testing.assert_allclose(told, lesson["by_orders"](worth, 3), atol=1e-5)


def test_sampled_payments_average_to_the_exact_values(lesson):
    rng = np.random.default_rng(5)
    z, _ = lesson["score_and_gradient"](random_network(rng, 4))
    x, others, columns = rng.normal(size=(1, 4)), rng.normal(size=(20, 4)), np.arange(4)
    payments = lesson["sampled"](z, x[0], others, 40_000, rng, columns)
    error = payments.std(axis=0) / np.sqrt(len(payments))
    assert (np.abs(payments.mean(axis=0) - lesson["shapley"](z, x, others)[0]) < 4.5 * error + 1e-6).all()


def test_a_path_adds_up_to_what_the_tree_says(lesson):
    rng = np.random.default_rng(6)
    x = rng.normal(size=(500, 3))
    tree = DecisionTreeRegressor(max_leaf_nodes=20, random_state=0).fit(x, x[:, 0] * x[:, 1])
    moved = lesson["path_contributions"](tree, x)
    np.testing.assert_allclose(moved.sum(axis=1), tree.predict(x) - tree.tree_.value[0, 0, 0], atol=1e-12)
    assert np.abs(moved[:, :2]).sum() > 20 * np.abs(moved[:, 2]).sum()


def test_the_splines_read_off_a_grid_are_the_fitted_model(lesson):
    rng = np.random.default_rng(7)
    x = rng.normal(size=(800, 2))
    y = (rng.random(800) < 1 / (1 + np.exp(-np.sin(x[:, 0])))).astype(int)
    z = lesson["spline_curves"](x, y, x, y)
    basis = SplineTransformer(n_knots=6, extrapolation="linear")
    fits = [make_pipeline(basis, LogisticRegression(C=C, solver="newton-cholesky")).fit(x, y) for C in (0.1, 1.0, 10.0)]
    assert min(np.abs(fit.decision_function(x) - z(x)).max() for fit in fits) < 0.01


def test_marks_of_right_wrong_and_empty_answers(lesson):
    effects = np.array([[1.0, -0.5, 0.0], [-1.0, 0.4, 0.0]])
    assert lesson["marks"](effects, effects) == pytest.approx((0.0, 1.0, 0.0))
    assert lesson["marks"](-effects, effects) == pytest.approx((1.0, -1.0, 0.0))
    wrong, rank, idle = lesson["marks"](np.array([[0, 0, 1.0], [0, 0, 1.0]]), effects)
    assert (wrong, idle) == (0.5, 1.0) and abs(rank) < 1


def test_equal_to_shap(lesson):
    shap = pytest.importorskip("shap")
    rng = np.random.default_rng(8)
    z, _ = lesson["score_and_gradient"](random_network(rng, 6))
    x, others = rng.normal(size=(8, 6)), rng.normal(size=(30, 6))
    masker = shap.maskers.Independent(others, max_samples=30)
    theirs = shap.explainers.ExactExplainer(z, masker)(x).values
    np.testing.assert_allclose(lesson["shapley"](z, x, others), theirs, atol=1e-5)
