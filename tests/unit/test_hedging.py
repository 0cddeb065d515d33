"""The lattice of prices against closed forms and its draws; Heston's deltas against exact prices and regressions."""

import numpy as np
import pytest

from helpers import hedging, options, worlds
from helpers.errors import CourseError

LAW = {"mean": 0.04, "speed": 1.5, "vol_of_vol": 0.5, "rho": -0.6}


@pytest.fixture(scope="module")
def lattice():
    return worlds.share_lattice(20, years=0.08)


def test_the_chain_keeps_its_mean_and_has_the_variance(lattice):
    price, chance = lattice.price, lattice.chance
    assert chance.sum(axis=1) == pytest.approx(np.ones(len(price)), abs=1e-13) and chance.min() >= 0
    inner = slice(25, -25)
    assert (chance @ price)[inner] == pytest.approx(price[inner], rel=1e-13)
    log = np.log(price / price[lattice.start])
    second = (chance @ log**2)[lattice.start]
    assert second == pytest.approx(0.04 * 0.08 / 20, rel=1e-3) and lattice.dt == pytest.approx(0.004)


def test_the_chain_gives_black_scholes_prices(lattice):
    last = np.linalg.matrix_power(lattice.chance, 20)[lattice.start]
    for strike in (90.0, 100.0, 107.0):
        exact = options.black_scholes(100.0, strike, 0.08, 0.2).price
        assert last @ np.maximum(lattice.price - strike, 0) == pytest.approx(exact, abs=0.003)


def test_draws_follow_the_chain(lattice):
    paths = lattice.draw(40_000, 20, seed=3)
    assert paths.shape == (40_000, 21) and (paths[:, 0] == lattice.price[lattice.start]).all()
    last = np.linalg.matrix_power(lattice.chance, 20)[lattice.start].cumsum()
    share = np.searchsorted(np.sort(paths[:, -1]), lattice.price * (1 + 1e-9)) / 40_000
    assert abs(share - last).max() < 0.012  # Kolmogorov's distance, far beyond its 0.1 % point
    assert np.array_equal(paths, lattice.draw(40_000, 20, seed=3))
    assert not np.array_equal(paths, lattice.draw(40_000, 20, seed=4))


def test_a_wild_chain_stays_on_its_lattice():
    small = worlds.share_lattice(4, years=1.0, reach=0.5)
    paths = small.draw(500, 4, seed=0)
    assert np.isin(paths, small.price).all() and paths.max() == small.price[-1]


@pytest.mark.parametrize("change", [{"years": 0.0}, {"volatility": 0}, {"start": -1}, {"points": 0}])
def test_impossible_lattices_are_refused(change):
    with pytest.raises(CourseError, match="share_lattice"):
        worlds.share_lattice(20, **{"years": 0.08, **change})


def test_deltas_are_those_of_exact_prices():
    left = np.array([0.08, 0.04, 0.004])
    rng = np.random.default_rng(0)
    variance = rng.uniform(0.01, 0.1, (200, 3))
    price = 100 * np.exp(np.sqrt(variance * left) * rng.uniform(-2.5, 2.5, (200, 3)))
    found = hedging.HestonDeltas(left, strike=100.0, **LAW).read(price, variance)
    for date, years in enumerate(left):
        at = price[:, date, None], 100.0, years
        v = variance[:, date, None]
        delta = options.heston(*at, v, **LAW, terms=2048)[1][:, 0]
        up, down = (options.heston(*at, v * h, **LAW, terms=2048)[0][:, 0] for h in (1.001, 0.999))
        tilt = LAW["rho"] * LAW["vol_of_vol"] * (up - down) / (0.002 * variance[:, date]) / price[:, date]
        assert found.delta[:, date] == pytest.approx(delta, abs=0.005)
        assert found.minimum_variance[:, date] == pytest.approx(delta + tilt, abs=0.01)
    assert found.expected == pytest.approx(variance * left, rel=0.4)


def test_the_minimum_variance_delta_is_a_regression_on_the_share():
    step, years = 1 / 2500, 0.08
    paths = worlds.heston_paths(4_000, 1, years=step, v0=0.04, seed=5, **LAW)
    later = options.heston(paths.price[:, 1:], 100.0, years - step, paths.variance[:, 1:], **LAW)[0][:, 0]
    slope = np.polyfit(paths.price[:, 1], later, 1)[0]
    read = hedging.HestonDeltas(np.array([years]), strike=100.0, **LAW).read(
        np.full((1, 1), 100.0), np.full((1, 1), 0.04)
    )
    assert slope == pytest.approx(read.minimum_variance[0, 0], abs=0.01)
    assert abs(slope - read.delta[0, 0]) > 0.05


def test_wrong_shapes_and_years_are_refused():
    tables = hedging.HestonDeltas(np.array([0.08]), strike=100.0, **LAW)
    with pytest.raises(CourseError, match="paths, 1"):
        tables.read(np.ones((3, 2)), np.ones((3, 2)))
    with pytest.raises(CourseError, match="above 0"):
        hedging.HestonDeltas(np.array([0.08, 0.0]), strike=100.0, **LAW)
