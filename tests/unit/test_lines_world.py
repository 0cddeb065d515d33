"""The worlds of straight lines and walks: their law, and the errors of a slope that theory gives for them."""

import numpy as np
import pytest

from helpers import worlds
from helpers.errors import CourseError


def slopes(x, y):
    """Slope, classical error of it and t value for each row."""
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    sxx = (x**2).sum(axis=1)
    b = (x * y).sum(axis=1) / sxx
    error = np.sqrt(((y - b[:, None] * x) ** 2).sum(axis=1) / (x.shape[1] - 2) / sxx)
    return b, error, b / error


def test_with_one_volatility_and_one_beta_the_classical_error_is_right():
    b, error, _ = slopes(*worlds.market_line(2000, 200, seed=1))
    assert b.mean() == pytest.approx(1, abs=0.005)
    assert b.std() == pytest.approx(error.mean(), rel=0.05)


def test_shared_volatility_makes_it_too_small_by_the_factor_in_the_docstring():
    b, error, _ = slopes(*worlds.market_line(2000, 4000, volatility=0.25, seed=2))
    assert (b.std() / error.mean()) ** 2 == pytest.approx(np.exp(4 * 0.25**2), rel=0.1)


def test_the_wandering_beta_has_the_stated_deviation_and_memory():
    x, y = worlds.market_line(50, 20_000, wander=0.3, seed=3)
    plain = worlds.market_line(50, 20_000, seed=3)
    assert np.array_equal(x, plain[0])  # the same shocks, so that the difference is the beta's alone
    moved = ((y - plain[1]) / x).ravel()
    assert moved.std() == pytest.approx(0.3, rel=0.02)
    series = moved.reshape(x.shape)
    assert (series[:, 1:] * series[:, :-1]).mean() / (series**2).mean() == pytest.approx(0.95, abs=0.005)
    assert slopes(x, y)[0].mean() == pytest.approx(1, abs=0.01)


def test_t_values_of_unrelated_walks_grow_with_the_root_of_the_days():
    short, long = (np.abs(slopes(*worlds.unrelated_walks(4000, days, seed=4))[2]) for days in (100, 1600))
    assert np.median(long) / np.median(short) == pytest.approx(4, rel=0.1)
    noise = np.abs(slopes(*worlds.unrelated_walks(4000, 100, keep=0.0, seed=5))[2])
    assert np.mean(noise > 1.984) == pytest.approx(0.05, abs=0.01)
    one, two = worlds.unrelated_walks(3, 50, seed=6)
    assert abs(np.corrcoef(np.diff(one).ravel(), np.diff(two).ravel())[0, 1]) < 0.25


@pytest.mark.parametrize("wrong", [{"volatility": -0.1}, {"wander": -1}])
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(CourseError, match="market_line"):
        worlds.market_line(2, 10, **wrong)
    with pytest.raises(CourseError, match="unrelated_walks"):
        worlds.unrelated_walks(2, 10, keep=1.1)
