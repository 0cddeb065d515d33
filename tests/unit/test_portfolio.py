import numpy as np
import pandas as pd
import pytest

from helpers import portfolio
from helpers.errors import CourseError


def covariances(count, n, seed=1):
    rng = np.random.default_rng(seed)
    load = rng.normal(1, 0.5, (count, n, 2))
    return load @ load.transpose(0, 2, 1) + rng.uniform(0.1, 2, (count, 1, n)) * np.eye(n)


def test_rolling_moments_are_those_of_each_window():
    returns = np.random.default_rng(2).normal(0.01, 0.05, (40, 3))
    mean, covariance = portfolio.rolling_moments(returns, 12)
    assert mean.shape == (29, 3) and covariance.shape == (29, 3, 3)
    frame = pd.DataFrame(returns)
    np.testing.assert_allclose(mean, frame.rolling(12).mean().dropna(), atol=1e-15)
    for i in (0, 13, 28):
        np.testing.assert_allclose(covariance[i], np.cov(returns[i : i + 12].T), atol=1e-16)


def test_rolling_moments_see_no_future():
    returns = np.random.default_rng(3).normal(size=(50, 4))
    changed = returns.copy()
    changed[30:] += 1
    for before, after in zip(
        portfolio.rolling_moments(returns, 10), portfolio.rolling_moments(changed, 10), strict=True
    ):
        assert np.array_equal(before[:21], after[:21]) and not np.allclose(before[21], after[21])


@pytest.mark.parametrize("length", [1, 51])
def test_windows_that_do_not_fit_are_refused(length):
    with pytest.raises(CourseError, match="do not fit"):
        portfolio.rolling_moments(np.zeros((50, 2)), length)
    with pytest.raises(CourseError, match="without gaps"):
        portfolio.rolling_moments(np.full((50, 2), np.nan), 10)


def test_risk_parity_of_equal_correlations_is_inverse_volatility():
    volatility = np.array([0.1, 0.2, 0.3, 0.4])
    for rho in (-0.2, 0.0, 0.5, 0.9):
        C = np.outer(volatility, volatility) * (rho + (1 - rho) * np.eye(4))
        np.testing.assert_allclose(portfolio.risk_parity(C), [0.48, 0.24, 0.16, 0.12], atol=1e-9)


def test_every_asset_adds_the_same_risk():
    C = covariances(200, 7)
    w = portfolio.risk_parity(C)
    share = w * np.einsum("kij,kj->ki", C, w)
    np.testing.assert_allclose(share / share.sum(axis=1, keepdims=True), 1 / 7, atol=1e-9)
    assert (w > 0).all()
    np.testing.assert_allclose(w.sum(axis=1), 1)
    np.testing.assert_allclose(portfolio.risk_parity(C[3]), w[3], atol=1e-9)


def test_risk_parity_equals_skfolio():
    skfolio = pytest.importorskip("skfolio", reason="the extra `markets` is not installed")
    from skfolio.optimization import RiskBudgeting

    returns = np.random.default_rng(5).multivariate_normal(np.zeros(5), covariances(1, 5)[0] / 1e4, 300)
    theirs = RiskBudgeting(risk_measure=skfolio.RiskMeasure.VARIANCE).fit(pd.DataFrame(returns)).weights_
    np.testing.assert_allclose(portfolio.risk_parity(np.cov(returns.T)), theirs, atol=1e-4)


def test_minimum_variance_and_shrinkage_equal_skfolio():
    pytest.importorskip("skfolio", reason="the extra `markets` is not installed")
    from skfolio.moments import LedoitWolf
    from skfolio.optimization import MeanRisk
    from skfolio.prior import EmpiricalPrior

    returns = np.random.default_rng(6).multivariate_normal(np.zeros(5), covariances(1, 5)[0] / 1e4, 300)
    C = np.cov(returns.T)
    w = np.linalg.solve(C, np.ones(5))
    theirs = MeanRisk(min_weights=-5.0, max_weights=5.0).fit(returns).weights_
    np.testing.assert_allclose(w / w.sum(), theirs, atol=1e-3)
    from sklearn.covariance import LedoitWolf as Original

    w = np.linalg.solve(Original().fit(returns).covariance_, np.ones(5))
    prior = EmpiricalPrior(covariance_estimator=LedoitWolf())
    theirs = MeanRisk(min_weights=-5.0, max_weights=5.0, prior_estimator=prior).fit(returns).weights_
    np.testing.assert_allclose(w / w.sum(), theirs, atol=1e-3)


def test_risk_parity_refuses_what_has_no_answer():
    with pytest.raises(CourseError, match="positive variances"):
        portfolio.risk_parity(np.zeros((2, 2)))
    with pytest.raises(CourseError, match="did not settle"):
        portfolio.risk_parity(covariances(1, 6), sweeps=1)


def test_hold_pays_for_the_trades_that_undo_the_drift():
    excess, cash = np.array([[0.10, 0.0], [0.0, 0.0]]), 0.0
    held = portfolio.hold(np.full((2, 2), 0.5), excess, cash, cost=0.01)
    np.testing.assert_allclose(held.traded, [1.0, 2 * (0.55 / 1.05 - 0.5)])
    np.testing.assert_allclose(held.net, [0.05 - 0.01, -0.01 * held.traded[1]])


def test_hold_follows_an_account_share_by_share():
    rng = np.random.default_rng(8)
    excess, cash, w = rng.normal(0.01, 0.05, (24, 3)), rng.uniform(0, 0.01, 24), rng.normal(0.3, 0.5, (24, 3))
    held = portfolio.hold(w, excess, cash, cost=0.0)
    wealth, amounts = 1.0, np.zeros(3)
    for t in range(24):
        assert held.traded[t] == pytest.approx(np.abs(w[t] * wealth - amounts).sum() / wealth)
        amounts = w[t] * wealth
        deposit = wealth - amounts.sum()
        amounts = amounts * (1 + cash[t] + excess[t])
        before, wealth = wealth, amounts.sum() + deposit * (1 + cash[t])
        assert held.net[t] == pytest.approx(wealth / before - 1 - cash[t])


def test_assets_that_are_never_traded_cost_nothing_after_the_first_day():
    excess = np.random.default_rng(9).normal(0, 0.05, (30, 3))
    value = np.cumprod(1 + excess, axis=0)
    before = np.vstack([np.ones(3), value[:-1]])
    held = portfolio.hold(before / before.sum(axis=1, keepdims=True), excess)
    np.testing.assert_allclose(held.traded[1:], 0, atol=1e-12)


def test_hold_refuses_ruin_and_gaps():
    with pytest.raises(CourseError, match="Wealth falls to zero in period 1"):
        portfolio.hold(np.ones((2, 1)), np.array([[0.1], [-1.0]]))
    with pytest.raises(CourseError, match="one shape"):
        portfolio.hold(np.ones((2, 1)), np.zeros((3, 1)))
    with pytest.raises(CourseError, match="missing"):
        portfolio.hold(np.ones((2, 1)), np.full((2, 1), np.nan))


def test_an_account_held_to_its_ruin_ends_there():
    excess = np.array([[0.1], [-0.6], [0.2], [0.3]])
    held = portfolio.hold(np.full((4, 1), 2.0), excess, 0.01, cost=0.001, to_ruin=True)
    assert held.ruined == 1
    assert held.net[1] == pytest.approx(-1.01)  # with the bills' 1 % all wealth is gone
    assert np.isnan(held.net[2:]).all() and np.isnan(held.traded[2:]).all()
    alive = portfolio.hold(np.full((4, 1), 1.0), excess, 0.01, cost=0.001, to_ruin=True)
    assert alive.ruined is None and np.isfinite(alive.net).all()
