"""The world of portfolios: what it says about its log-odds, its likeness and its chances is so."""

import numpy as np
import pytest

from helpers import worlds
from helpers.errors import CourseError


def log_odds(**how):
    chance = worlds.company_portfolio(300_000, seed=3, **how)["chance"].to_numpy()
    return np.log(chance / (1 - chance))


def test_log_odds_have_the_level_and_spread_they_name():
    z = log_odds(weights=(2, 1, 1), level=-4.0)
    assert z.mean() == pytest.approx(-4.0, abs=0.015)
    assert z.std() == pytest.approx(1.5, rel=0.01)


@pytest.mark.parametrize("other", [(1, 1, 1), (0, 1, 1), (-2, 1, 1), (0, 0, 1)])
def test_the_same_companies_correlate_as_the_cosine_of_the_weights(other):
    cosine = np.dot((2, 1, 1), other) / np.linalg.norm((2, 1, 1)) / np.linalg.norm(other)
    a, b = log_odds(weights=(2, 1, 1)), log_odds(weights=other)  # one seed: the same ratios
    assert np.corrcoef(a, b)[0, 1] == pytest.approx(cosine, abs=0.01)


def test_other_causes_share_nothing_and_ratios_are_standard_normal():
    a, b = log_odds(weights=(2, 1, 1)), log_odds(weights=(2, 1, 1), causes=1)
    assert np.corrcoef(a, b)[0, 1] == pytest.approx(0, abs=0.01)
    x = worlds.company_portfolio(100_000, seed=4).filter(like="x").to_numpy()
    np.testing.assert_allclose(np.cov(x.T), np.eye(10), atol=0.02)


def test_outcomes_follow_the_chance():
    frame = worlds.company_portfolio(200_000, seed=5)
    group = (frame["chance"].rank(pct=True) * 10).clip(upper=9.99).astype(int)
    seen = frame.groupby(group)[["chance", "default"]].mean()
    np.testing.assert_allclose(seen["default"], seen["chance"], atol=0.006)
    again = worlds.company_portfolio(200_000, seed=5)
    assert again.equals(frame) and not worlds.company_portfolio(200_000, seed=6).equals(frame)


@pytest.mark.parametrize("wrong", [{"n": 0}, {"weights": (0, 0, 0)}, {"weights": (1, 1)}, {"causes": 2}])
def test_impossible_portfolios_are_refused(wrong):
    with pytest.raises(CourseError, match="company_portfolio needs"):
        worlds.company_portfolio(**{"n": 5, **wrong})
