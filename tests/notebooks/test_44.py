"""Recommendation: the notebook's own functions against independent solutions, and no look into the future."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import Ridge

from benchmarks import harness


@pytest.fixture(scope="module")
def lesson() -> dict:
    """The functions of the cells with the tag `functions`."""
    space = {"np": np, "pd": pd}
    return harness.lesson("44", space)


@pytest.fixture
def taken() -> sparse.csr_matrix:
    rng = np.random.default_rng(1)
    return sparse.csr_matrix((rng.random((60, 25)) < 0.2).astype(float))


def test_ease_is_a_ridge_regression_for_each_product(lesson, taken):
    B, X = lesson["ease"](taken, 3.0), taken.toarray()
    assert (np.diag(B) == 0).all()
    for j in range(X.shape[1]):
        others = np.delete(X, j, axis=1)
        alone = Ridge(alpha=3.0, fit_intercept=False).fit(others, X[:, j]).coef_
        np.testing.assert_allclose(np.delete(B[:, j], j), alone, atol=1e-5)


def test_ials_solves_each_customer_and_falls(lesson, taken):
    X, alpha, strength = taken.toarray(), 2.0, 5.0

    def cost(people, items):
        square = (1 + alpha * X) * (X - people @ items.T) ** 2
        return square.sum() + strength * ((people**2).sum() + (items**2).sum())

    costs = [cost(*lesson["ials"](taken, 4, alpha, strength, sweeps)) for sweeps in (1, 2, 5)]
    assert costs[0] > costs[1] > costs[2]
    _, items = lesson["ials"](taken, 4, alpha, strength, 3)
    people = lesson["solve"](taken, items, alpha, strength)
    for x, p in zip(X, people, strict=True):
        weight = np.sqrt(1 + alpha * x)
        alone = Ridge(alpha=strength, fit_intercept=False).fit(weight[:, None] * items, weight * x).coef_
        np.testing.assert_allclose(p, alone, atol=1e-8)


def line(quantity, time, customer=1.0, code="10001", price=2.0):
    return {
        "invoice": "1", "stock_code": code, "description": "CUP", "quantity": quantity, "time": pd.Timestamp(time),
        "unit_price": price, "customer_id": customer, "country": "France",
    }  # fmt: skip


def test_purchases_are_net_of_the_same_day(lesson):
    frame = pd.DataFrame(
        [
            line(5, "2011-01-03 10:00"),
            line(-5, "2011-01-03 12:00"),  # undone on the day: nothing is left
            line(4, "2011-01-04 10:00"),
            line(-1, "2011-01-04 12:00"),
            line(-3, "2011-01-20 12:00"),  # a later return
            line(2, "2011-01-04 10:00", customer=np.nan),
            line(2, "2011-01-04 10:00", code="POST"),
            line(2, "2011-12-05 10:00"),  # after the last whole week
        ]
    )
    days = lesson["purchases"](frame)
    assert days["value"].tolist() == [6.0] and days["week"].tolist() == [4]


def test_the_past_does_not_hang_on_the_future(lesson):
    rng = np.random.default_rng(2)
    stamps = pd.Timestamp("2010-12-06") + pd.to_timedelta(rng.integers(0, 300, 500), "D")
    frame = pd.DataFrame(
        [line(q, t, c) for q, t, c in zip(rng.integers(-2, 9, 500), stamps, rng.integers(0, 9, 500), strict=True)]
    )
    whole = lesson["purchases"](frame)
    early = lesson["purchases"](frame[frame["time"] < pd.Timestamp("2011-03-07")])
    key = ["customer_id", "stock_code", "day"]
    pd.testing.assert_frame_equal(
        early.sort_values(key, ignore_index=True), whole[whole["week"] < 13].sort_values(key, ignore_index=True)
    )
