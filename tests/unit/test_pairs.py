"""The world of planted pairs: its spreads, its walks, and the ratio that its best rule reaches."""

import numpy as np
import pytest

from helpers import worlds
from helpers.errors import CourseError


def test_planted_spreads_are_ar1_and_all_else_wanders():
    world = worlds.planted_pairs(50, 1500, stocks=8, pairs=2, half_life=12, noise=0.01, seed=3)
    x = world.spread
    assert np.allclose(world.log_price[..., 0] - world.log_price[..., 1], x[..., 0])
    assert np.allclose(world.log_price[..., 2] - world.log_price[..., 3], x[..., 1])
    assert world.phi == pytest.approx(0.5 ** (1 / 12))
    assert x.std() == pytest.approx(0.01 / np.sqrt(1 - world.phi**2), rel=0.03)
    assert (x[:, 1:] * x[:, :-1]).mean() / (x**2).mean() == pytest.approx(world.phi, abs=0.005)
    steps = np.diff(world.log_price, axis=1)
    echo = (steps[:, 1:, 4:] * steps[:, :-1, 4:]).mean() / (steps[..., 4:] ** 2).mean()
    assert echo == pytest.approx(0, abs=0.01)
    assert steps[..., 4:].var() == pytest.approx(0.015**2 + 0.01**2 * (1 + 0.6**2 / 12), rel=0.03)
    assert world.planted.sum() == 4 and world.planted[0, 1] and world.planted[3, 2] and not world.planted[1, 2]


def test_the_best_ratio_is_that_of_the_best_rule():
    world = worlds.planted_pairs(400, 1000, stocks=10, pairs=3, half_life=10, seed=5)
    forecast = (world.phi - 1) * world.spread[:, :-1]
    q = (forecast**2).sum(axis=2, keepdims=True) / 0.01**2
    gain = (forecast / 0.01**2 / (1 + q) * np.diff(world.spread, axis=1)).sum(axis=2)
    assert np.sqrt(252) * gain.mean() / gain.std() == pytest.approx(world.best_sharpe, rel=0.02)


def test_without_pairs_nothing_can_be_earned_and_the_seed_decides():
    world = worlds.planted_pairs(2, 30, pairs=0, seed=1)
    assert world.best_sharpe == 0 and not world.planted.any() and world.spread.shape == (2, 30, 0)
    assert np.array_equal(world.log_price, worlds.planted_pairs(2, 30, pairs=0, seed=1).log_price)
    assert not np.array_equal(world.log_price, worlds.planted_pairs(2, 30, pairs=0, seed=2).log_price)


@pytest.mark.parametrize("wrong", [{"pairs": 11}, {"pairs": -1}, {"half_life": 0}, {"noise": 0}, {"stocks": 1}])
def test_impossible_markets_are_refused(wrong):
    with pytest.raises(CourseError, match="planted_pairs needs"):
        worlds.planted_pairs(1, 10, **wrong)
    with pytest.raises(CourseError):
        worlds.planted_pairs(0, 10)
