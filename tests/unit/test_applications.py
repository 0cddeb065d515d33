"""The world of applications: amounts of four digits, outcomes by the stated log-odds."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from helpers import worlds
from helpers.errors import CourseError


def test_amounts_have_four_digits_and_the_stated_medians():
    frame = worlds.credit_applications(40_000, seed=3)
    amounts = frame[["income", "loan", "debt"]]
    assert amounts.min().min() >= 1000 and amounts.max().max() <= 9999
    np.testing.assert_allclose(amounts.median(), [3000, 3000, 2700], rtol=0.06)  # of debt more is cut below
    assert np.abs(amounts.corr().to_numpy() - np.eye(3)).max() < 0.02


def test_log_odds_are_those_stated():
    weights = (-0.5, 0.4, 0.9)
    frame = worlds.credit_applications(60_000, weights=weights, level=-1.5, seed=4)
    z = (np.log(frame[["income", "loan", "debt"]]) - np.log([3000, 3000, 2500])) / 0.55
    odds = np.log(frame["chance"] / (1 - frame["chance"]))
    np.testing.assert_allclose(odds, -1.5 + z.to_numpy() @ weights)
    found = LogisticRegression(C=1e6).fit(z.to_numpy(), frame["default"])
    np.testing.assert_allclose(found.coef_[0], weights, atol=0.06)
    assert frame["default"].mean() == pytest.approx(frame["chance"].mean(), abs=0.01)


def test_same_seed_same_applications_and_no_empty_world():
    assert worlds.credit_applications(50, seed=5).equals(worlds.credit_applications(50, seed=5))
    with pytest.raises(CourseError, match="at least one"):
        worlds.credit_applications(0)
