"""Houses and drifting invoices: the stated laws, seeds, and errors."""

import numpy as np
import pytest
from scipy import stats

from helpers import worlds
from helpers.errors import CourseError


def test_house_prices_follow_the_law_that_they_state():
    houses = worlds.house_prices(50_000, seed=1)
    z = (houses["log_price"] - houses["mean"]) / houses["sd"]
    assert stats.kstest(z, "norm").pvalue > 0.01
    assert houses["size"].max() < 1.3 and houses["sd"].min() > 0
    for column in ("size", "age", "distance", "sales"):
        assert abs(np.corrcoef(z, houses[column])[0, 1]) < 0.02


def test_noise_keeps_its_mean_square_and_can_be_the_same_for_all():
    for noise in (0.5, 1.0):
        sd = worlds.house_prices(100_000, noise=noise, seed=2)["sd"]
        assert np.sqrt(np.mean(sd**2)) == pytest.approx(0.2, rel=0.02) and sd.std() > 0.02
    assert worlds.house_prices(100, noise=0.0)["sd"].to_numpy() == pytest.approx(0.2)


def test_large_houses_are_those_that_no_sample_holds():
    assert worlds.house_prices(500, large=True)["size"].between(1.3, 2.3).all()
    assert len(worlds.house_prices(1)) == 1


def test_defaults_come_with_the_stated_chance():
    made = worlds.drifting_invoices(20, 6, 2_000, seed=3)
    assert made.x.shape == (20, 6, 2_000, 5) and made.chance.shape == made.default.shape == (20, 6, 2_000)
    spread = np.sqrt((made.chance * (1 - made.chance)).sum())
    assert abs((made.default - made.chance).sum()) < 4 * spread
    assert 0.05 < made.default.mean() < 0.25


def test_the_relation_moves_where_and_only_where_it_is_said_to():
    made = worlds.drifting_invoices(50, 12, 10, changes=0.3, seed=4)
    moved = (np.abs(np.diff(made.weights, axis=1)) > 0).any(axis=2)
    np.testing.assert_array_equal(moved, made.changed[:, 1:])
    assert not made.changed[:, 0].any() and 0.2 < made.changed[:, 1:].mean() < 0.4
    once = worlds.drifting_invoices(5, 8, 10, changes=0.5, at=3, seed=4).changed
    assert (once.sum(axis=1) == 1).all() and once[:, 3].all()
    still = worlds.drifting_invoices(5, 8, 10, changes=1.0, strength=0.0, seed=4).weights
    np.testing.assert_allclose(still, np.broadcast_to(still[:, :1], still.shape))


def test_chance_by_a_quarter_is_that_of_its_relation():
    made = worlds.drifting_invoices(4, 6, 50, at=3, seed=5)
    np.testing.assert_allclose(made.chance_by(0)[:, :3], made.chance[:, :3], rtol=1e-5)
    np.testing.assert_allclose(made.chance_by(5)[:, 3:], made.chance[:, 3:], rtol=1e-5)
    assert np.abs(made.chance_by(0)[:, 3:] - made.chance[:, 3:]).mean() > 0.01


def test_inputs_wander_as_asked_and_leave_the_relation_alone():
    made = worlds.drifting_invoices(300, 10, 200, changes=0.0, wander=0.5, seed=6)
    means = made.x.mean(axis=2)
    assert means[:, 9].std() == pytest.approx(np.sqrt(0.25 + 1 / 200), rel=0.1)
    assert np.corrcoef(means[:, 8].ravel(), means[:, 9].ravel())[0, 1] == pytest.approx(0.8, abs=0.05)
    assert not made.changed.any()
    assert worlds.drifting_invoices(30, 3, 500, wander=0.0).x.mean(axis=2).std() < 0.06


def test_same_seed_same_world_and_errors_say_what_is_wrong():
    a, b = (worlds.drifting_invoices(3, 4, 20, seed=8) for _ in range(2))
    np.testing.assert_array_equal(a.default, b.default)
    assert worlds.house_prices(20, seed=8).equals(worlds.house_prices(20, seed=8))
    with pytest.raises(CourseError, match="house_prices"):
        worlds.house_prices(0)
    with pytest.raises(CourseError, match="house_prices"):
        worlds.house_prices(5, noise=-1.0)
    with pytest.raises(CourseError, match="drifting_invoices"):
        worlds.drifting_invoices(1, 1, 10, changes=2.0)
