import numpy as np
import pandas as pd
import pytest
from scipy import stats

from helpers import worlds
from helpers.errors import CourseError


def r2(target, forecast):
    return 1 - np.mean((target - forecast) ** 2) / np.var(target)


def test_gbm_has_the_lognormal_law():
    prices = worlds.gbm(40_000, 4, mu=0.08, sigma=0.3, years=2.0, start=50.0, seed=1)
    assert prices.shape == (40_000, 5) and (prices[:, 0] == 50).all()
    terminal = np.log(prices[:, -1] / 50)
    expected = stats.norm((0.08 - 0.3**2 / 2) * 2, 0.3 * np.sqrt(2))
    assert stats.kstest(terminal, expected.cdf).pvalue > 0.001
    assert prices[:, -1].mean() == pytest.approx(50 * np.exp(0.16), rel=0.01)


@pytest.mark.parametrize("phi", [-0.5, 0.1, 0.6])
def test_ar1_best_r2_is_what_the_best_forecast_gets(phi):
    world = worlds.ar1(200_000, phi=phi, sigma=0.02, seed=3)
    assert world.best_r2 == pytest.approx(phi**2)
    assert r2(world.target, world.best) == pytest.approx(phi**2, abs=0.01)
    assert world.values.std() == pytest.approx(0.02 / np.sqrt(1 - phi**2), rel=0.02)
    np.testing.assert_allclose(world.best[1:], phi * world.values[:-1], atol=1e-15)


def test_garch_best_r2_is_what_the_true_variance_gets():
    world = worlds.garch11(1_000_000, omega=1e-5, alpha=0.10, beta=0.80, seed=5)
    closed_form = 0.1**2 / (1 - 2 * 0.1 * 0.8 - 0.8**2)
    assert world.best_r2 == pytest.approx(closed_form)
    assert r2(world.target, world.best) == pytest.approx(closed_form, abs=0.01)
    assert world.target.mean() == pytest.approx(1e-5 / (1 - 0.9), rel=0.03)
    recursion = 1e-5 + 0.1 * world.values[:-1] ** 2 + 0.8 * world.best[:-1]
    np.testing.assert_allclose(world.best[1:], recursion, rtol=1e-12)


def test_garch_parameters_are_found_again_by_an_independent_library():
    from arch import arch_model

    world = worlds.garch11(20_000, omega=2e-6, alpha=0.08, beta=0.90, seed=7)
    fitted = arch_model(100 * world.values, mean="Zero", vol="GARCH", p=1, q=1).fit(disp="off").params
    assert fitted["alpha[1]"] == pytest.approx(0.08, abs=0.015)
    assert fitted["beta[1]"] == pytest.approx(0.90, abs=0.02)


def test_ohlc_is_consistent_and_its_range_measures_the_variance():
    world = worlds.garch11(5_000, seed=11)
    frame = worlds.ohlc(world, intraday=390)
    assert (frame["high"] >= frame[["open", "close"]].max(axis=1)).all()
    assert (frame["low"] <= frame[["open", "close"]].min(axis=1)).all()
    np.testing.assert_allclose(np.log(frame["close"] / frame["open"]), world.values, atol=1e-12)
    parkinson = np.log(frame["high"] / frame["low"]) ** 2 / (4 * np.log(2))
    # a range over discrete steps misses the extremes between them, so the ratio lies a little below 1
    assert 0.90 < parkinson.mean() / (world.best.mean() + 0.0) < 1.02


@pytest.mark.parametrize(
    "make",
    [
        lambda s: worlds.gbm(2, 9, seed=s),
        lambda s: worlds.ar1(9, seed=s).values,
        lambda s: worlds.garch11(9, seed=s).values,
        lambda s: worlds.vasicek(9, maturities=np.array([1.0]), seed=s).yields,
    ],
)
def test_the_seed_decides(make):
    assert np.array_equal(make(1), make(1)) and not np.array_equal(make(1), make(2))


@pytest.mark.parametrize(
    "call,words",
    [
        (lambda: worlds.gbm(0, 5), "at least one path"),
        (lambda: worlds.gbm(1, 5, sigma=-0.1), "sigma of at least 0"),
        (lambda: worlds.ar1(10, phi=1.0), "stationary only"),
        (lambda: worlds.garch11(10, alpha=0.2, beta=0.8), "garch11 needs"),
        (lambda: worlds.garch11(10, omega=0.0), "garch11 needs"),
        (lambda: worlds.vasicek(10, maturities=np.array([1.0]), kappa=0.0), "to be positive"),
        (lambda: worlds.vasicek(10, maturities=np.array([0.0])), "to be positive"),
        (lambda: worlds.loan_applicants(0), "at least one applicant"),
        (lambda: worlds.loan_applicants(10, hidden=-1.0), "hidden weight of at least 0"),
    ],
)
def test_impossible_worlds_are_refused(call, words):
    with pytest.raises(CourseError, match=words):
        call()


def test_loan_applicants_default_as_often_as_their_chance_says():
    world = worlds.loan_applicants(200_000, seed=3)
    tenth = pd.qcut(world["chance"], 10, labels=False)
    table = world.groupby(tenth)[["chance", "default"]].mean()
    assert (table["chance"] - table["default"]).abs().max() < 0.015
    assert world["accepted"].mean() == pytest.approx(0.5, abs=0.01)


def test_what_the_officer_saw_decides_whether_refusal_tells_something():
    for hidden, low, high in ((0.0, -0.025, 0.025), (1.0, 0.08, 0.3)):
        world = worlds.loan_applicants(200_000, hidden=hidden, seed=3)
        near = world[(0.9 * world["income"] - 0.7 * world["debt"]).abs() < 0.1]  # alike in all that is recorded
        rates = near.groupby("accepted")["default"].mean()
        assert low < rates[0] - rates[1] < high


def test_vasicek_yields_are_those_of_simulated_discounts():
    """The zero rate of five years is minus the log of the mean of exp(-integral of the rate), over five."""
    kappa, theta, sigma, steps = 0.5, 0.04, 0.02, 250
    world = worlds.vasicek(40, maturities=np.array([5.0]), kappa=kappa, theta=theta, sigma=sigma, seed=2)
    rng, dt, short = np.random.default_rng(2), 5.0 / steps, np.full(40_000, world.short[7])
    total = np.zeros(40_000)
    phi = np.exp(-kappa * dt)
    noise = sigma * np.sqrt((1 - phi**2) / (2 * kappa))
    for _ in range(steps):
        before, short = short, theta + phi * (short - theta) + noise * rng.standard_normal(40_000)
        total += (before + short) / 2 * dt
    assert world.yields[7, 0] == pytest.approx(-np.log(np.exp(-total).mean()) / 5, abs=2e-4)


def test_vasicek_premium_raises_long_yields_only():
    tau = np.array([1e-6, 10.0])
    plain, paid = (worlds.vasicek(5, maturities=tau, premium=p, seed=2).yields for p in (0.0, 0.2))
    assert plain[:, 0] == pytest.approx(paid[:, 0], abs=1e-7) and (paid[:, 1] > plain[:, 1] + 0.002).all()


@pytest.mark.parametrize("kappa,horizon", [(0.2, 6), (1.0, 12)])
def test_vasicek_best_forecast_reaches_its_r2_and_a_regression_no_more(kappa, horizon):
    world = worlds.vasicek(400_000, maturities=np.array([0.25, 10.0]), kappa=kappa, horizon=horizon, seed=4)
    now, later, best = world.yields[:-horizon], world.yields[horizon:], world.best[:-horizon]
    for k in range(2):
        still = np.mean((later[:, k] - now[:, k]) ** 2)
        assert 1 - np.mean((later[:, k] - best[:, k]) ** 2) / still == pytest.approx(world.best_r2, abs=0.006)
        slope, level = np.polyfit(now[:, k], later[:, k], 1)
        fitted = 1 - np.mean((later[:, k] - level - slope * now[:, k]) ** 2) / still
        assert fitted == pytest.approx(world.best_r2, abs=0.006)


def test_one_factor_markets_have_the_moments_and_the_best_ratio_they_claim():
    markets = worlds.one_factor_markets(3, 200_000, assets=4, static_sharpe=0.2, seed=2)
    np.testing.assert_allclose(markets.best_sharpe, 0.2)
    for k in range(3):
        returns, mean = markets.returns[k].astype(float), markets.expected[k, 0].astype(float)
        np.testing.assert_allclose(np.cov(returns.T), markets.covariance[k], rtol=0.03)
        np.testing.assert_allclose(returns.mean(axis=0), mean, atol=5 * 0.06 / 200_000**0.5)
        best = np.linalg.solve(markets.covariance[k], mean)
        assert mean @ best == pytest.approx(0.04, rel=1e-4)
    weights = np.stack([np.linalg.solve(c, e[0]) for c, e in zip(markets.covariance, markets.expected, strict=True)])
    np.testing.assert_allclose(markets.sharpe(weights), 0.2, rtol=1e-4)
    assert (markets.sharpe(np.ones((3, 4))) < 0.2).all()


def test_one_factor_markets_with_memory_can_be_forecast_as_far_as_they_say():
    markets = worlds.one_factor_markets(1, 100_000, assets=6, memory=0.2, seed=4)
    missed = (markets.returns - markets.expected)[0].astype(float)
    np.testing.assert_allclose(np.cov(missed.T), markets.covariance[0], rtol=0.05)
    known = markets.expected[0].astype(float)
    x = np.linalg.solve(markets.covariance[0], known.T).T
    w = x / (1 + (known * x).sum(axis=1, keepdims=True))
    assert markets.sharpe(w[None])[0] == pytest.approx(markets.best_sharpe[0], rel=1e-4)
    realised = (w * markets.returns[0]).sum(axis=1)
    assert realised.mean() / realised.std() == pytest.approx(markets.best_sharpe[0], rel=0.05)
    assert markets.sharpe(x[None])[0] < markets.best_sharpe[0]
    assert markets.best_sharpe[0] > 0.3 > 0.15


def test_one_factor_markets_refuse_nonsense():
    for wrong in ({"memory": 1.0}, {"static_sharpe": 0.0}, {"assets": 0}):
        with pytest.raises(CourseError, match="one_factor_markets"):
            worlds.one_factor_markets(1, 10, **wrong)


def test_households_differ_between_implicates_only_in_what_was_filled_in():
    survey = worlds.households(20_000, implicates=2, explained=0.3, seed=3)
    frame = survey.frame
    assert (
        len(frame) == 40_000
        and (frame.groupby("household")[["age", "education", "children"]].nunique() == 1).to_numpy().all()
    )
    assert frame["risky_share"].std() == pytest.approx(1, abs=0.02)
    twins = frame["risky_share"].to_numpy().reshape(-1, 2)
    assert np.corrcoef(twins.T)[0, 1] == pytest.approx(1 / 1.01, abs=0.001)
    assert survey.best_r2 == pytest.approx(0.3 / 1.01)


def test_no_model_of_a_new_household_exceeds_the_best_r2_and_the_truth_comes_near():
    from sklearn.ensemble import HistGradientBoostingRegressor

    survey = worlds.households(30_000, implicates=1, explained=0.4, seed=4)
    X, y = survey.frame.drop(columns=["household", "risky_share"]), survey.frame["risky_share"]
    model = HistGradientBoostingRegressor(max_leaf_nodes=15).fit(X[:20_000], y[:20_000])
    r2 = model.score(X[20_000:], y[20_000:])
    assert survey.best_r2 - 0.05 < r2 < survey.best_r2 + 0.01


def test_account_histories_hold_the_habits_they_are_given():
    account = worlds.account_history(20_000, habit=0.7, disposition=0.2, fell=0.25, funds=4, seed=5)
    down, calm = account[account["fell"] == 1], account[account["fell"] == 0]
    assert len(down) / len(account) == pytest.approx(0.25, abs=0.01)
    usual = np.array([0.1, 0.3])
    assert down.groupby("gain")["sold"].mean().to_numpy() == pytest.approx(usual + (1 - usual) * 0.7, abs=0.02)
    assert calm.groupby("gain")["sold"].mean().to_numpy() == pytest.approx(usual, abs=0.01)


@pytest.mark.parametrize("wrong", [{"n": 0}, {"n": 5, "explained": 1.5}, {"n": 5, "implicates": 0}])
def test_households_refuse_what_cannot_be(wrong):
    with pytest.raises(CourseError):
        worlds.households(**wrong)


@pytest.mark.parametrize("wrong", [{"habit": 1.2}, {"habit": 0.5, "disposition": 0.95}, {"habit": 0.5, "funds": 0}])
def test_account_histories_refuse_what_cannot_be(wrong):
    with pytest.raises(CourseError):
        worlds.account_history(5, **wrong)
