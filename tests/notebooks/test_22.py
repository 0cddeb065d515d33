"""Notebook 22: bonds and curves against QuantLib, forecasts that see no future, hedges that match what they should."""

from collections import namedtuple

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks import harness

TAU = np.array([0.25, 0.5, 1, 2, 3, 5, 7, 10])


@pytest.fixture(scope="module")
def lesson():
    """The functions of the notebook's own cells, found by their tag."""
    names = {"np": np, "namedtuple": namedtuple, "sliding_window_view": sliding_window_view, "tau": TAU, "H": 6}
    return harness.lesson("22", names, "features")


@pytest.fixture
def curves():
    steps = np.random.default_rng(3).normal(0, 0.2, (200, 8))
    return 5 + steps.cumsum(axis=0)


@pytest.mark.parametrize("coupon,y,n", [(0.08, 0.09, 16), (0.02, 0.01, 60), (0.05, 0.05, 1)])
def test_bond_equals_quantlib(lesson, coupon, y, n):
    ql = pytest.importorskip("QuantLib", reason="the extra `markets` is not installed")
    start, dc = ql.Date(1, 1, 1986), ql.Thirty360(ql.Thirty360.BondBasis)
    end, rule = start + ql.Period(6 * n, ql.Months), ql.DateGeneration.Backward
    schedule = ql.Schedule(start, end, ql.Period(6, ql.Months), ql.NullCalendar(), 4, 4, rule, False)
    theirs = ql.FixedRateBond(0, 100.0, schedule, [coupon], dc)
    rate = ql.InterestRate(y, dc, ql.Compounded, ql.Semiannual)
    ours = lesson["bond"](coupon, y, n)
    assert 100 * ours.price == pytest.approx(ql.BondFunctions.cleanPrice(theirs, rate, start), abs=1e-9)
    duration = ql.BondFunctions.duration(theirs, rate, ql.Duration.Macaulay, start)
    assert ours.duration == pytest.approx(duration, abs=1e-9)
    assert ours.convexity == pytest.approx(ql.BondFunctions.convexity(theirs, rate, start), abs=1e-8)


def test_a_flat_par_curve_has_that_rate_at_every_maturity(lesson):
    discount, bill = lesson["bootstrap"](np.full((2, 8), 0.06))
    assert discount == pytest.approx(np.tile(1.03 ** -np.arange(1, 21.0), (2, 1)), abs=1e-12)
    assert np.exp(bill / 4) == pytest.approx([1.015, 1.015])


def test_loadings_are_averages_of_the_forward_rates_shapes(lesson):
    months = np.array([3.0, 30.0, 120.0])
    grid = (np.arange(20_000) + 0.5) / 20_000
    for row, m in zip(lesson["loadings"](months), months, strict=True):
        x = lesson["LAMBDA"] * m * grid
        assert row == pytest.approx([1, np.exp(-x).mean(), (x * np.exp(-x)).mean()], abs=1e-7)


def test_direct_ar1_is_least_squares_on_the_complete_pairs(lesson, curves):
    forecasts = lesson["direct_ar1"](curves, 6)
    for t in (29, 80, 199):
        for k in (0, 7):
            slope, level = np.polyfit(curves[: t - 5, k], curves[6 : t + 1, k], 1)
            assert forecasts[t, k] == pytest.approx(level + slope * curves[t, k], abs=1e-8)
    assert np.isnan(forecasts[:29]).all()


def test_forecasts_see_no_future(lesson, curves):
    changed = curves.copy()
    changed[120:] += 3.0
    for name in ("direct_ar1", "nelson_siegel"):
        assert np.array_equal(lesson[name](curves, 6)[29:120], lesson[name](changed, 6)[29:120])


def test_windows_end_in_the_month_that_forecasts(lesson, curves):
    sample = lesson["prepare"](curves)
    assert np.array_equal(sample.window[5], curves[5:17]) and np.array_equal(sample.curve[5], curves[16])
    assert sample.change[5] == pytest.approx(curves[22] - curves[16])
    assert np.isnan(sample.change[-6:]).all() and not np.isnan(sample.change[:-6]).any()


@pytest.mark.parametrize("keys", [[5], [2, 10], [2, 5, 10]])
def test_key_rate_hedge_moves_with_the_debt(lesson, keys):
    grid, rng = lesson["GRID"], np.random.default_rng(5)
    zeros = rng.uniform(0.01, 0.06, (3, 1)) + 0.001 * grid
    today = np.exp(-zeros * grid)
    debt = rng.uniform(1, 9, (3, 20))
    flows = np.stack([np.tile(np.where(grid <= key, 0.02, 0) + (grid == key), (3, 1)) for key in keys], axis=1)
    tents = np.stack([np.interp(grid, keys, unit) for unit in np.eye(len(keys))])
    held = (lesson["match"](debt, flows, today, tents)[:, :, None] * flows).sum(axis=1) - debt
    for tent in tents:
        up, down = ((held * np.exp(-(zeros + move * tent) * grid)).sum(axis=1) for move in (1e-5, -1e-5))
        assert up - down == pytest.approx(np.zeros(3), abs=1e-8)
