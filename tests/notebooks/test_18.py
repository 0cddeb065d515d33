"""Support vector machines: the notebook's solvers and features against quadratic programming and closed forms."""

import numpy as np
import pytest
from scipy import optimize, stats
from sklearn.linear_model import Ridge
from sklearn.svm import SVR

from benchmarks.harness import defined


@pytest.fixture(scope="module")
def lesson() -> dict:
    return defined("18", {"np": np})


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 2))
    return x, np.where(x[:, 0] * x[:, 1] + 0.5 * rng.normal(size=40) > 0, 1.0, -1.0)


@pytest.mark.parametrize("price", [0.5, "by row"])
def test_smo_reaches_the_maximum_that_a_general_solver_finds(lesson, rows, price):
    x, y = rows
    C = np.random.default_rng(1).uniform(0.2, 2.0, len(y)) if price == "by row" else np.full(len(y), price)
    K = lesson["rbf"](x, x, 0.7)
    Q = K * np.outer(y, y)
    solved = optimize.minimize(
        lambda a: a @ Q @ a / 2 - a.sum(),
        np.zeros(len(y)),
        jac=lambda a: Q @ a - 1,
        bounds=list(zip(np.zeros(len(y)), C, strict=True)),
        constraints={"type": "eq", "fun": lambda a: a @ y, "jac": lambda a: y},
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-12},
    )
    alpha, b, _ = lesson["smo"](K, y, C)
    assert alpha.sum() - alpha @ Q @ alpha / 2 == pytest.approx(-solved.fun, abs=1e-6)
    assert lesson["kkt_error"](alpha, b, K, y, C) < 1e-5


def test_a_wrong_solution_fails_the_kkt_conditions(lesson, rows):
    x, y = rows
    K = lesson["rbf"](x, x, 0.7)
    alpha, b, _ = lesson["smo"](K, y, 0.5)
    assert lesson["kkt_error"](alpha * 0.9, b, K, y, 0.5) > 0.01
    assert lesson["kkt_error"](alpha, b + 0.1, K, y, 0.5) > 0.05


@pytest.mark.parametrize("width", [0.0, 0.1])
def test_the_tube_is_the_librarys_support_vector_regression(lesson, rows, width):
    x, _ = rows
    t = np.sin(x[:, 0]) + 0.1 * np.random.default_rng(2).normal(size=len(x))
    weights, b = lesson["tube"](lesson["rbf"](x, x, 0.5), t, np.full(len(t), width), 1.0)
    theirs = SVR(C=1.0, gamma=0.5, epsilon=width, tol=1e-6).fit(x, t).predict(x)
    np.testing.assert_allclose(lesson["rbf"](x, x, 0.5) @ weights + b, theirs, atol=2e-3)


def test_wider_tubes_of_single_rows_loosen_the_curve_there_only(lesson):
    x = np.linspace(0, 3, 25)[:, None]
    t = np.sin(2 * x[:, 0])
    width = np.where(np.arange(25) == 12, 0.5, 0.01)
    K = lesson["rbf"](x, x, 4.0)
    weights, b = lesson["tube"](K, t + np.where(width > 0.1, 0.4, 0.0), width, 10.0)
    assert np.abs(K @ weights + b - t).max() < 0.02  # the moved row may lie anywhere within its own tube


def test_the_ridge_is_the_librarys_with_a_centred_target(lesson, rows):
    x, _ = rows
    t = x[:, 0] + 2
    weights, b = lesson["kernel_ridge"](x @ x.T, t, None, 1.0)
    theirs = Ridge(alpha=1 / 300, fit_intercept=False).fit(x, t - t.mean())
    np.testing.assert_allclose(x.T @ weights, theirs.coef_, atol=1e-8)
    assert b == t.mean()


def test_random_features_are_unbiased_with_the_known_variance(lesson):
    """Each term is 2 cos cos: mean k, variance 1/2 + k(2 delta)/... ≤ 1, so the mean of many draws nears k."""
    x, far = np.zeros((1, 3)), np.array([[0.6, -0.3, 0.5]])
    features = lesson["random_features"](np.vstack([x, far]), *lesson["fourier"](3, 400_000, 0.8, 1))
    exact = float(lesson["rbf"](x, far, 0.8)[0, 0])
    assert features[0] @ features[1] == pytest.approx(exact, abs=4 / np.sqrt(400_000))


def test_the_subgradient_nears_the_optimum_of_the_dual(lesson, rows):
    x, y = rows
    w, b, track = lesson["subgradient_descent"](x, y, 4.0, steps=5000)
    alpha, _, _ = lesson["smo"](x @ x.T, y, 1 / 4.0)
    dual = 4.0 * (alpha.sum() - np.sum(((alpha * y) @ x) ** 2) / 2)
    assert 0 <= lesson["objective"](w, b, x, y, 4.0) - dual < 1e-3 * dual
    assert track[-1] < track[0] * 1.001


def test_platts_sigmoid_finds_known_parameters(lesson):
    rng = np.random.default_rng(3)
    z = rng.normal(size=50_000)
    default = (rng.random(len(z)) < stats.logistic.cdf(1.7 * z - 0.6)).astype(int)
    np.testing.assert_allclose(lesson["platt"](z, default), [1.7, -0.6], atol=0.06)
