"""Notebook 23: rules against libraries and limits, no look into the future, a loss that is what an account earns."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy import optimize
from sklearn.covariance import LedoitWolf

from benchmarks import harness
from helpers import portfolio, worlds
from helpers.metrics import trading

RULES = ["1/N", "minimum variance", "Ledoit–Wolf", "risk parity", "mean–variance", "Black–Litterman"]


@pytest.fixture(scope="module")
def lesson():
    """The functions of the notebook's own cells, found by their tag."""
    import keras
    from keras import layers, ops

    names = {"np": np, "sliding_window_view": sliding_window_view, "portfolio": portfolio, "M": 120}
    names |= {"keras": keras, "layers": layers, "ops": ops}
    return harness.lesson("23", names)


@pytest.fixture
def returns():
    rng = np.random.default_rng(3)
    return 0.005 + 0.04 * rng.standard_normal((200, 1)) + rng.uniform(0.02, 0.05, 5) * rng.standard_normal((200, 5))


def test_mean_variance_has_the_highest_ratio_and_minimum_variance_the_lowest_risk(lesson, returns):
    mean, C = returns.mean(axis=0), np.cov(returns.T)
    best = lesson["mean_variance"](mean, C)
    least = lesson["minimum_variance"](C)
    rng = np.random.default_rng(4)
    for _ in range(200):
        other = rng.standard_normal(5)
        assert mean @ other / np.sqrt(other @ C @ other) <= mean @ best / np.sqrt(best @ C @ best) + 1e-12
        other /= other.sum()
        assert other @ C @ other >= least @ C @ least - 1e-15


def test_ledoit_wolf_equals_scikit_learn_on_every_window(lesson, returns):
    shrunk, intensity = lesson["ledoit_wolf"](returns, 60)
    for i in (0, 50, 140):
        theirs = LedoitWolf().fit(returns[i : i + 60])
        np.testing.assert_allclose(shrunk[i], theirs.covariance_, rtol=1e-9)
        assert intensity[i] == pytest.approx(theirs.shrinkage_)


def test_black_litterman_goes_from_mean_variance_to_equal_weights(lesson, returns):
    mean, C = returns.mean(axis=0), np.cov(returns.T)
    none = lesson["black_litterman"](mean, C, 120, 0)
    np.testing.assert_allclose(none, lesson["mean_variance"](mean, C) / lesson["GAMMA"])
    np.testing.assert_allclose(lesson["black_litterman"](mean, C, 120, 1e12), 0.2, atol=1e-6)
    np.testing.assert_allclose(lesson["black_litterman"](mean, C, 120, np.inf), 0.2)


@pytest.mark.parametrize("length", [60, 0])
@pytest.mark.parametrize("rule", RULES)
def test_rules_see_no_future(lesson, returns, rule, length):
    if rule == "Ledoit–Wolf" and not length:
        pytest.skip("has no window of all months")
    changed = returns.copy()
    changed[150:] *= -1.5
    before, after = (lesson["rule_weights"](rule, r, length, 240) for r in (returns, changed))
    assert before.shape == (200, 5)
    assert np.isnan(before).all(axis=1).sum() == (length or 120)
    np.testing.assert_array_equal(before[:151], after[:151])  # the last of them is the decision for month 150
    assert rule == "1/N" or not np.allclose(before[151], after[151])


def test_moments_of_all_months_are_those_of_numpy(lesson, returns):
    mean, covariance, months = lesson["all_moments"](returns, 100)
    assert len(mean) == len(returns) - 100
    for i in (0, 37, 99):
        assert months[i] == 100 + i
        np.testing.assert_allclose(mean[i], returns[: 100 + i].mean(axis=0))
        np.testing.assert_allclose(covariance[i], np.cov(returns[: 100 + i].T), rtol=1e-9)


def test_scaled_rules_have_the_risk_of_equal_weights(lesson, returns):
    _, covariance = portfolio.rolling_moments(returns, 60)
    w = lesson["rule_weights"]("mean–variance", returns, 60)[60:]
    risk = np.einsum("ti,tij,tj->t", w, covariance[:-1], w)
    np.testing.assert_allclose(risk, covariance[:-1].mean(axis=(1, 2)))


def test_inputs_see_no_future_and_are_standardised(lesson, returns):
    x = lesson["inputs"](returns, 60)
    changed = returns.copy()
    changed[150:] += 0.1 * np.arange(5)
    assert x.shape == (141, 5, 7)
    assert np.array_equal(x[:91], lesson["inputs"](changed, 60)[:91])
    np.testing.assert_allclose(x.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=1), 1, atol=1e-4)
    equal = returns[20:80].mean(axis=1)
    slope = [np.polyfit(equal, r, 1)[0] for r in returns[20:80].T]
    np.testing.assert_allclose(x[20, :, 2], (slope - np.mean(slope)) / np.std(slope), atol=1e-4)
    np.testing.assert_allclose(np.argsort(x[20, :, 5]), np.argsort(returns[79]))


def test_the_loss_is_what_an_account_earns(lesson, returns):
    rng = np.random.default_rng(6)
    w = 0.2 + 0.05 * rng.standard_normal((2, 60, 3, 5))
    y = np.stack([returns[:60], returns[100:160]])
    costs = [0.0, 0.001, 0.02]
    found = lesson["ops"].convert_to_numpy(lesson["minus_sharpe"](costs)(y.astype("float32"), w.astype("float32")))
    for one in (0, 1):
        expected = 0.0
        for k, cost in enumerate(costs):
            net = portfolio.hold(w[one, :, k], y[one], cost=cost).net[1:]
            expected += trading.sharpe(net, 12) * np.sqrt(59 / 58)  # the loss divides by n
        assert found[one] == pytest.approx(-expected, rel=1e-4)


@pytest.mark.parametrize("units", [0, 16])
def test_policies_start_at_equal_weights_and_share_nothing(lesson, units):
    model = lesson["Policies"](3, units)
    x = np.random.default_rng(7).standard_normal((2, 4, 5, 7)).astype("float32")
    numpy = lesson["ops"].convert_to_numpy
    np.testing.assert_allclose(numpy(model(x)), 0.2, atol=1e-7)
    model.v.assign(np.random.default_rng(8).standard_normal(model.v.shape))
    together = numpy(model(x))
    assert together.shape == (2, 4, 3, 5)
    np.testing.assert_allclose(together.sum(axis=-1), 1, atol=1e-5)
    own = numpy(model(np.repeat(x[:, :, :, None], 3, axis=3)))  # one market each, here the same
    np.testing.assert_allclose(own, together, atol=1e-5)
    v = numpy(model.v).copy()
    v[0] += 1
    model.v.assign(v)
    changed = numpy(model(x))
    np.testing.assert_array_equal(changed[:, :, 1:], together[:, :, 1:])
    assert np.abs(changed[:, :, 0] - together[:, :, 0]).max() > 0.01


def test_two_steps_see_no_future_and_find_the_memory(lesson):
    market = worlds.one_factor_markets(2, 5000, memory=0.2, seed=1)
    returns = market.returns.astype(float)
    changed = returns.copy()
    changed[:, 4500:] *= -2
    w, other = (lesson["two_steps"](r, 4000) for r in (returns, changed))
    assert w.shape == (2, 1000, 10)
    np.testing.assert_array_equal(w[:, :501], other[:, :501])
    assert not np.allclose(w[:, 501], other[:, 501])
    assert (market.sharpe(w, slice(4000, None)) / market.best_sharpe > 0.97).all()


def test_the_solved_linear_policy_has_the_highest_ratio_in_sample(lesson):
    rng = np.random.default_rng(9)
    x, y = rng.standard_normal((300, 5, 7)), 0.01 + 0.05 * rng.standard_normal((300, 5))
    x -= x.mean(axis=1, keepdims=True)
    w = lesson["solved"](x, y, 200, 0.0)
    np.testing.assert_allclose(w.sum(axis=1), 1)

    def ratio(v):
        gain = ((1 + x @ v) / 5 * y).sum(axis=1)[:200]
        return gain.mean() / gain.std()

    best = optimize.minimize(lambda v: -ratio(v), np.zeros(7), options={"gtol": 1e-9}).x
    np.testing.assert_allclose(w, (1 + x @ best) / 5, atol=1e-4)
    later = y.copy()
    later[200:] = 0
    np.testing.assert_array_equal(lesson["solved"](x, later, 200, 0.0), w)


def test_minimum_variance_equals_a_numerical_optimiser(lesson, returns):
    C = np.cov(returns.T)
    full = {"type": "eq", "fun": lambda w: w.sum() - 1}
    least = optimize.minimize(lambda w: 1e4 * w @ C @ w, np.ones(5) / 5, constraints=full, options={"ftol": 1e-14})
    np.testing.assert_allclose(lesson["minimum_variance"](C), least.x, atol=1e-5)


def test_rules_equal_skfolio(lesson, returns):
    pytest.importorskip("skfolio", reason="the extra `markets` is not installed")
    from skfolio import RiskMeasure
    from skfolio.optimization import MeanRisk, ObjectiveFunction

    wide = {"min_weights": -20.0, "max_weights": 20.0}
    C = np.cov(returns.T)
    least = MeanRisk(risk_measure=RiskMeasure.VARIANCE, **wide).fit(returns).weights_
    np.testing.assert_allclose(lesson["minimum_variance"](C), least, atol=1e-3)
    ratio = MeanRisk(objective_function=ObjectiveFunction.MAXIMIZE_RATIO, **wide).fit(returns).weights_
    best = lesson["mean_variance"](returns.mean(axis=0), C)
    np.testing.assert_allclose(best / best.sum(), ratio, atol=2e-2)
