"""Regression: the notebook's own functions against statsmodels and scikit-learn, on data that it does not show."""

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.linear_model import Lasso, Ridge

from benchmarks.harness import defined


@pytest.fixture(scope="module")
def lesson() -> dict:
    return defined("10", {"np": np}, "gram_schmidt r_squared newey_west slope_errors ridge lasso rolling_betas")


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    X = np.column_stack([np.ones(300), rng.normal(size=(300, 3)) @ rng.normal(size=(3, 3))])
    return X, X @ [0.2, 1.0, -0.5, 0.0] + rng.standard_t(4, 300) * (1 + X[:, 1] ** 2)


@pytest.mark.parametrize("lags", [0, 1, 7, 40])
def test_newey_west_equals_statsmodels(lesson, data, lags):
    X, y = data
    fit = sm.OLS(y, X).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
    assert lesson["newey_west"](X, fit.resid, lags) == pytest.approx(fit.cov_params(), rel=1e-8)


def test_slope_errors_of_many_rows_equal_one_fit_each(lesson):
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(2, 5, 120)).cumsum(axis=2)
    slope, errors = lesson["slope_errors"](x, y, lags=(2, 9))
    for row in range(5):
        model = sm.OLS(y[row], sm.add_constant(x[row]))
        assert slope[row] == pytest.approx(model.fit().params[1])
        assert errors["classical"][row] == pytest.approx(model.fit().bse[1])
        assert errors["White"][row] == pytest.approx(model.fit(cov_type="HC0").bse[1])
        for m in (2, 9):
            theirs = model.fit(cov_type="HAC", cov_kwds={"maxlags": m}).bse[1]
            assert errors[f"HAC, {m} lags"][row] == pytest.approx(theirs)


def test_gram_schmidt_is_a_qr(lesson, data):
    Q, R = lesson["gram_schmidt"](data[0])
    assert pytest.approx(np.eye(4), abs=1e-12) == Q.T @ Q
    assert pytest.approx(data[0]) == Q @ R and (np.tril(R, -1) == 0).all()


@pytest.mark.parametrize("strength", [0.02, 0.3, 2.0])
def test_penalties_equal_scikit_learn(lesson, data, strength):
    A, a = data[0][:, 1:] - data[0][:, 1:].mean(axis=0), data[1] - data[1].mean()
    G, c = A.T @ A / len(A), A.T @ a / len(A)
    theirs = Ridge(alpha=len(A) * strength, fit_intercept=False).fit(A, a).coef_
    assert lesson["ridge"](G, c, strength) == pytest.approx(theirs, abs=1e-8)
    theirs = Lasso(alpha=strength, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(A, a).coef_
    assert lesson["lasso"](G, c, strength, sweeps=3000) == pytest.approx(theirs, abs=1e-7)


def test_rolling_betas_see_their_window_alone(lesson, data):
    X, y = data
    rolled = lesson["rolling_betas"](X, y[:, None], 60)
    assert rolled.shape == (241, 4, 1)
    for first in (0, 100, 240):
        rows = slice(first, first + 60)
        assert rolled[first, :, 0] == pytest.approx(np.linalg.lstsq(X[rows], y[rows])[0], abs=1e-8)
