"""Notebook 26: tests of cointegration against statsmodels, rules against loops over days, no look at the future."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy import stats

from benchmarks import harness
from helpers import worlds
from helpers.metrics import trading


@pytest.fixture(scope="module")
def lesson():
    """The functions of the notebook's own cells, found by their tag."""
    names = {"np": np, "pd": pd, "trading": trading, "sliding_window_view": sliding_window_view}
    names |= {"YEAR": 252, "LOOK": 60}
    return harness.lesson("26", names, "features")


@pytest.fixture
def walks():
    return np.random.default_rng(3).normal(0, 0.015, (500, 6)).cumsum(axis=0)


@pytest.fixture
def prices(walks):
    return pd.DataFrame(np.exp(walks + 0.5 * walks[:, :1]))


def test_statistics_equal_statsmodels(lesson, walks):
    tools = pytest.importorskip("statsmodels.api")
    t, beta = lesson["engle_granger"](np.stack([walks, walks[::-1]]))
    for i, j in ((0, 1), (1, 0), (2, 5)):
        first = tools.OLS(walks[:, i], tools.add_constant(walks[:, j])).fit()
        u = first.resid
        both = np.column_stack([u[1:-1], np.diff(u)[:-1]])
        second = tools.OLS(np.diff(u)[1:], both).fit()
        assert beta[0, i, j] == pytest.approx(first.params[1], rel=1e-9)
        assert t[0, i, j] == pytest.approx(second.tvalues[0], abs=1e-8)
    assert t[1] == pytest.approx(lesson["engle_granger"](walks[::-1])[0])


def test_simulated_law_agrees_with_mackinnon(lesson):
    values = pytest.importorskip("statsmodels.tsa.adfvalues")
    law = lesson["null_law"](504, 10_000, np.random.default_rng(5))
    published = values.mackinnoncrit(N=2, regression="c", nobs=504)
    assert np.quantile(law, [0.01, 0.05, 0.10]) == pytest.approx(published, abs=0.09)
    assert lesson["p_value"](law[499], law) == pytest.approx(0.05, abs=1e-3)
    assert 0 < lesson["p_value"](-99.0, law) < 1e-3


def test_benjamini_hochberg_equals_statsmodels(lesson):
    multiple = pytest.importorskip("statsmodels.stats.multitest")
    rng = np.random.default_rng(7)
    for share in (0.0, 0.1, 0.5):
        p = np.where(rng.random(190) < share, rng.uniform(0, 1e-3, 190), rng.random(190))
        ours = lesson["benjamini_hochberg"](p[None], 0.1)[0]
        assert np.array_equal(ours, multiple.multipletests(p, 0.1, method="fdr_bh")[0])


def test_positions_equal_a_loop_over_days(lesson):
    score = np.random.default_rng(9).normal(0, 1.5, (400, 3)).round(1)
    wanted, state = np.zeros_like(score), np.zeros(3)
    for day, row in enumerate(score):
        for k, z in enumerate(row):
            if (state[k] > 0 and z > -0.5) or (state[k] < 0 and z < 0.5):
                state[k] = 0
            if z < -2:
                state[k] = 1
            elif z > 2:
                state[k] = -1
        wanted[day] = state
    assert np.array_equal(lesson["positions"](score, 2.0, 0.5), wanted)


def test_closest_pairs_are_the_nearest_scaled_prices(lesson, prices):
    starts, window = lesson["formations"](prices.to_numpy(), 21)
    pairs = lesson["closest"](window, 3)
    scaled = window[2] / window[2][0]
    distance = {p: ((scaled[:, p[0]] - scaled[:, p[1]]) ** 2).sum() for p in combinations(range(6), 2)}
    assert [tuple(p) for p in pairs[2].T] == sorted(distance, key=distance.get)[:3]
    assert np.array_equal(window[2], prices.to_numpy()[starts[2] - 252 : starts[2]])


def test_a_trade_earns_what_its_two_legs_earn(lesson, prices):
    values = prices.to_numpy()
    starts, window = lesson["formations"](values, 21)
    pairs = lesson["closest"](window, 2)
    gain, traded, held = lesson["trade_pairs"](values, starts, window, pairs)
    book, pair = np.argwhere(held.any(axis=0))[0]
    days = np.flatnonzero(held[:, book, pair])
    end = days[np.flatnonzero(np.diff(days, append=999) > 1)[0]]
    path = values[starts[book] + np.arange(-1, 126)]
    one, two = (path[:, pairs[book, k, pair]] for k in (0, 1))
    first, last = days[0], end + 1  # closes at which the trade is opened and closed
    earned = one[last] / one[first] - two[last] / two[first]
    assert abs(gain[days[0] : end + 1, book, pair].sum()) == pytest.approx(abs(earned))
    worth = one[last] / one[first] + two[last] / two[first]
    assert traded[first, book, pair] == pytest.approx(2)
    assert traded[min(last, 125), book, pair] == pytest.approx(worth + 2 * (traded[min(last, 125), book, pair] > 3))


def test_books_see_no_future(lesson, prices):
    before = lesson["pairs_book"](prices, lesson["closest"], top=3)
    changed = prices.copy()
    changed.iloc[420:] *= 1.5
    after = lesson["pairs_book"](changed, lesson["closest"], top=3)
    assert np.allclose(before.iloc[:420], after.iloc[:420])
    later = prices.copy()
    later.iloc[419:, 0] *= 1.4  # a signal of one close is traded a day later and earns from then on
    held = lesson["pairs_book"](later, lesson["closest"], top=3)["traded"]
    assert np.allclose(held.iloc[:421], before["traded"].iloc[:421])


def test_without_a_wait_trades_come_one_day_earlier(lesson, prices):
    values = prices.to_numpy()
    starts, window = lesson["formations"](values, 21)
    pairs = lesson["closest"](window, 2)
    at_once, later = (lesson["trade_pairs"](values, starts, window, pairs, wait=w)[2] for w in (0, 1))
    assert np.array_equal(later[1:], at_once[:-1])
    assert at_once.any()


def test_pairs_are_chosen_on_the_fitted_days_alone_and_earn_what_a_loop_says(lesson, walks):
    fit, traded = slice(0, 300), slice(300, None)
    t, beta = lesson["engle_granger"](walks[fit])
    wanted = sorted(combinations(range(6), 2), key=lambda pair: t[pair])[:4]
    gains = np.zeros(len(walks) - 302)
    for i, j in wanted:
        u = walks[:, i] - beta[i, j] * walks[:, j]
        mean, width, held, state = u[fit].mean(), u[fit].std(), [], 0
        for z in (u[traded] - mean) / width:
            state = 0 if state * z > 0 else state  # crossed its mean
            state = 1 if z < -2 else -1 if z > 2 else state
            held.append(state / width)
        gains += np.array(held)[:-2] * np.diff(u[traded])[1:]
    assert gains.any()
    assert lesson["chosen_on"](walks, fit, traded, top=4) == pytest.approx(trading.sharpe(gains))


def test_s_scores_equal_least_squares_window_by_window(lesson):
    residual = np.random.default_rng(11).normal(0, 1, (90, 2))
    s, half = lesson["s_scores"](residual)
    for row, k in ((0, 0), (30, 1)):
        path = residual[row : row + 60, k].cumsum()
        slope, level = np.polyfit(path[:-1], path[1:], 1)
        noise = ((path[1:] - level - slope * path[:-1]) ** 2).sum() / 57
        deviation = np.sqrt(noise / (1 - slope**2))
        assert s[row, k] == pytest.approx((path[-1] - level / (1 - slope)) / deviation, rel=1e-4)
        assert half[row, k] == pytest.approx(np.log(2) / -np.log(slope), rel=1e-4)
    assert s.shape == (31, 2)


def test_planted_pairs_return_and_others_wander(lesson):
    world = worlds.planted_pairs(60, 1000, half_life=8, seed=4)
    t = lesson["upper"](lesson["engle_granger"](world.log_price)[0])
    planted = lesson["upper"](world.planted)
    assert planted.sum() == 5
    assert (t[:, planted] < -3.9).mean() > 0.95
    assert (t[:, ~planted] < -3.35).mean() == pytest.approx(0.05, abs=0.025)


def test_expected_best_of_many_by_simulation():
    best = np.random.default_rng(13).standard_normal((20_000, 28)).max(axis=1).mean()
    trials = stats.norm.ppf((np.arange(28) + 0.5) / 28)
    trials /= trials.std(ddof=1)
    assert trading.expected_max_sharpe(trials) == pytest.approx(best, rel=0.03)


def test_spreads_of_the_world_are_traded_at_their_tested_slope_and_past_deviation(lesson):
    lesson["world"] = world = worlds.planted_pairs(2, 756, stocks=4, pairs=1, half_life=10, seed=3)
    lesson["i"], lesson["j"], lesson["COST"] = *np.triu_indices(4, 1), 0.001
    slope = lesson["upper"](lesson["engle_granger"](world.log_price[:, :504])[1])
    spread = lesson["traded_spread"](slope)
    one, two = world.log_price[1, :, 0], world.log_price[1, :, 1]  # the planted pair, first in the order of `upper`
    u = one - np.polyfit(two[:504], one[:504], 1)[0] * two
    state = lesson["positions"](((u[504:] - u[:504].mean()) / u[:504].std())[:, None], 2.0, 0.0)[:-2, 0]
    assert state.any()
    chosen = np.zeros((2, 6), dtype=bool)
    chosen[1, 0] = True
    held = state / u[:504].std()
    cost = 0.001 * (1 + abs(slope[1, 0])) * np.abs(np.diff(held, prepend=0))
    wanted = np.concatenate([np.zeros_like(held), held * np.diff(u[505:]) - cost])  # the other market trades nothing
    ours = lesson["book_in_world"](chosen, spread, wait=1, paid=True)
    assert ours == pytest.approx(trading.sharpe(wanted))
