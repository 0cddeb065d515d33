"""Notebook 20: its features see no future, its targets are the next day's, its days known before a year end there."""

from collections import namedtuple

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks import harness
from helpers import audit, windows, worlds
from helpers.metrics import forecast


@pytest.fixture(scope="module")
def lesson():
    """The functions of the notebook's own cells, found by their tag."""
    names = {"np": np, "pd": pd, "namedtuple": namedtuple, "windows": windows, "stats": stats, "forecast": forecast}
    return harness.lesson("20", names, "features")


@pytest.fixture(scope="module")
def market():
    frame = worlds.ohlc(worlds.garch11(400, seed=3), seed=3)
    rng = np.random.default_rng(3)
    return frame.assign(vix=np.exp(3 + 0.2 * rng.standard_normal(400)))


def test_features_see_no_future(lesson, market):
    audit.assert_no_lookahead(lesson["features"], market)


def test_a_shift_of_one_day_would_be_caught(lesson, market):
    with pytest.raises(audit.LeakError):
        audit.assert_no_lookahead(lambda frame: lesson["features"](frame).shift(-1), market)


def test_targets_are_those_of_the_next_day(lesson, market):
    wanted = lesson["targets"](market).iloc[10]
    day, before = market.iloc[11], market.iloc[10]
    assert wanted["return"] == pytest.approx(np.log(day["close"] / before["close"]))
    assert wanted["up"] == float(day["close"] > before["close"])
    parkinson = (np.log(day["high"]) - np.log(day["low"])) ** 2 / (4 * np.log(2))
    assert wanted["log_variance"] == pytest.approx(np.log(parkinson))
    assert lesson["targets"](market).iloc[-1].isna().all()


def test_range_variance_measures_the_variance_of_a_simulated_day(lesson):
    world = worlds.garch11(4000, seed=3)
    measured = np.exp(lesson["features"](worlds.ohlc(world, intraday=400, seed=3).assign(vix=20.0))["variance_day"])
    assert measured.mean() / world.best.mean() == pytest.approx(1, abs=0.1)


def test_a_sample_carries_the_day_that_is_forecast(lesson, market):
    sample = lesson["prepare"](market)
    day = sample.goal.index[50]
    place = market.index.get_loc(day)
    assert sample.goal["return"].iloc[50] == pytest.approx(
        np.log(market["close"].iloc[place] / market["close"].iloc[place - 1])
    )
    known = lesson["features"](market).iloc[place - 1]
    assert np.allclose(sample.today.iloc[50], known)
    assert np.allclose(sample.window[50][-1], known, atol=1e-4)


def test_costs_are_paid_on_what_is_traded_back_after_drift_too(lesson):
    position, simple_return = np.array([0.5, 0.5]), np.array([0.10, 0.0])
    net, traded = lesson["after_costs"](position, simple_return, 0.001)
    drifted = 0.5 * 1.10 / 1.05
    assert traded == pytest.approx([0.5, drifted - 0.5])
    assert net == pytest.approx([0.05 - 0.0005, -0.001 * (drifted - 0.5)])
    hold, once = lesson["after_costs"](np.ones(3), np.array([0.1, -0.2, 0.3]), 0.01)
    assert once == pytest.approx([1, 0, 0])
    assert hold == pytest.approx([0.09, -0.2, 0.3])


def test_clark_west_is_the_profit_of_the_forecast_when_the_benchmark_is_zero(lesson):
    rng = np.random.default_rng(0)
    y, f = rng.standard_normal((2, 500))
    profit = y * f
    lags = int(4 * 5 ** (2 / 9))
    centred = profit - profit.mean()
    covariances = np.array([centred[k:] @ centred[: 500 - k] / 500 for k in range(lags + 1)])
    long_run = covariances[0] + 2 * (1 - np.arange(1, lags + 1) / (lags + 1)) @ covariances[1:]
    t = profit.mean() / np.sqrt(long_run / 500) * np.sqrt(499 / 500)
    assert lesson["clark_west"](y, np.zeros(500), f) == pytest.approx(stats.norm.sf(t))


def test_holm_multiplies_the_smallest_by_their_number(lesson):
    adjusted = lesson["holm"](pd.Series({"a": 0.04, "b": 0.01, "c": 0.03}))
    assert adjusted.to_dict() == pytest.approx({"a": 0.06, "b": 0.03, "c": 0.06})


def test_holm_never_falls_below_the_value_before(lesson):
    adjusted = lesson["holm"](pd.Series({"a": 0.020, "b": 0.021, "c": 0.9}))
    assert adjusted.to_dict() == pytest.approx({"a": 0.06, "b": 0.06, "c": 0.9})


def test_a_comparison_is_the_test_with_its_interval(lesson):
    rng = np.random.default_rng(2)
    loss, other = rng.chisquare(1, (2, 400))
    found, wanted = lesson["compare"](loss, other), forecast.diebold_mariano(loss, other)
    assert found.two_sided == wanted.pvalue
    assert found.less == pytest.approx(stats.norm.cdf(wanted.statistic))
    assert found.difference == pytest.approx((loss - other).mean())
    assert (found.low + found.high) / 2 == pytest.approx(found.difference)
    assert found.high - found.difference == pytest.approx(1.96 * abs(found.difference / wanted.statistic))


def bars():
    """Five bars: sound, a low ten times too low, a high twice too high, both, a wild but possible day."""
    columns = ["open", "high", "low", "close"]
    rows = [[100, 102, 99, 101], [100, 102, 10, 101], [79, 157, 78, 75], [100, 900, 10, 101], [10, 18, 6, 11]]
    return pd.DataFrame(rows, columns=columns, dtype=float)


def test_misprints_go_as_far_beyond_open_and_close_as_the_nearer_end(lesson):
    mended, wild = lesson["repair"](bars())
    assert wild.tolist() == [False, True, True, True, False]
    assert mended[~wild].equals(bars()[~wild])
    assert mended["low"].iloc[1] == pytest.approx(100 / (102 / 101))
    assert mended["high"].iloc[1] == pytest.approx(102)
    assert mended["high"].iloc[2] == pytest.approx(79)
    assert mended["low"].iloc[2] == pytest.approx(75)
    assert mended["high"].iloc[3] == pytest.approx(1.9 * 101)


def test_repairing_does_not_touch_open_and_close(lesson):
    mended, _ = lesson["repair"](bars())
    assert mended[["open", "close"]].equals(bars()[["open", "close"]])
