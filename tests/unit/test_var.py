import numpy as np
import pytest
from scipy import optimize, stats

from helpers.errors import CourseError
from helpers.metrics import var

ALPHA = 0.025
Z = stats.norm.ppf(1 - ALPHA)
ES = stats.norm.pdf(Z) / ALPHA


def test_kupiec_by_the_binomial_law_and_by_published_regions():
    hits = np.zeros((251, 250))
    for x in range(251):
        hits[x, :x] = 1
    found = var.kupiec(hits, 0.01)
    x = np.arange(251)
    byhand = 2 * (stats.binom.logpmf(x, 250, x / 250) - stats.binom.logpmf(x, 250, 0.01))
    np.testing.assert_allclose(found.statistic, byhand, atol=1e-8)
    np.testing.assert_allclose(found.statistic[[0, 5, 7]], [5.025, 1.957, 5.497], atol=5e-4)
    np.testing.assert_allclose(found.pvalue, stats.chi2.sf(byhand, 1), atol=1e-8)
    for n, first, last in ((255, 1, 6), (510, 2, 10), (1000, 5, 16)):  # 5 % non-rejection regions at 1 %
        many = (np.arange(n) < np.arange(40)[:, None]).astype(float)
        passed = np.flatnonzero(var.kupiec(many, 0.01).pvalue >= 0.05)
        assert (passed[0], passed[-1]) == (first, last)


def test_christoffersen_equals_the_likelihood_ratio_of_a_logit():
    import statsmodels.api as sm

    rng = np.random.default_rng(3)
    for _ in range(5):
        hits = (rng.random(600) < 0.1).astype(int)
        hits[1:][hits[:-1] == 1] |= (rng.random(599) < 0.2)[hits[:-1] == 1]
        after = hits[1:]
        chain = sm.Logit(after, sm.add_constant(hits[:-1])).fit(disp=0)
        alone = sm.Logit(after, np.ones(599)).fit(disp=0)
        found = var.christoffersen(hits)
        assert found.statistic == pytest.approx(2 * (chain.llf - alone.llf), abs=1e-6)
        assert found.pvalue == pytest.approx(stats.chi2.sf(2 * (chain.llf - alone.llf), 1), abs=1e-8)


def test_christoffersen_without_exceedances_says_nothing():
    found = var.christoffersen(np.zeros((3, 50)))
    assert (found.statistic == 0).all() and (found.pvalue == 1).all()
    alone = np.zeros(50)
    alone[10] = 1
    assert 0 < var.christoffersen(alone).statistic < 0.1


def test_tests_of_coverage_have_about_the_right_size():
    hits = np.random.default_rng(4).random((1000, 5000)) < 0.05
    assert 0.03 < (var.kupiec(hits, 0.05).pvalue < 0.05).mean() < 0.07
    assert 0.03 < (var.christoffersen(hits).pvalue < 0.05).mean() < 0.07


def test_acerbi_szekely_has_mean_zero_and_the_published_quantile():
    loss = np.random.default_rng(5).standard_normal((40_000, 250))
    z = var.acerbi_szekely(loss, Z, ES, ALPHA)
    assert z.shape == (40_000,) and abs(z.mean()) < 0.01
    assert np.quantile(z, 0.05) == pytest.approx(-0.70, abs=0.02)
    low = var.acerbi_szekely(loss, 0.8 * Z, 0.8 * ES, ALPHA)
    assert low.mean() < -0.5
    loss, v, e = [1.0, 3.0, 4.0], [2.0, 2.0, 2.0], [4.0, 3.0, 5.0]
    assert var.acerbi_szekely(loss, v, e, 0.5) == pytest.approx(1 - (3 / 3 + 4 / 5) / (3 * 0.5))


def test_fz0_is_least_at_the_normal_pair():
    grid = stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    best = optimize.minimize(
        lambda p: var.fz0(grid, p[0], np.exp(p[1]), ALPHA).mean(), [1.0, 1.0], method="Nelder-Mead",
        options={"xatol": 1e-7, "fatol": 1e-12, "maxiter": 2000},
    )  # fmt: skip
    assert best.x[0] == pytest.approx(Z, abs=2e-3) and np.exp(best.x[1]) == pytest.approx(ES, abs=2e-3)
    assert best.fun == pytest.approx(np.log(ES), abs=1e-4)  # the least value is the logarithm of ES


def test_fz0_equals_the_formula_of_patton_ziegel_and_chen_in_returns():
    rng = np.random.default_rng(6)
    r, v, e = rng.standard_normal(100), -rng.uniform(1, 2, 100), -rng.uniform(2, 3, 100)
    theirs = -(r <= v).astype(float) * (v - r) / (ALPHA * e) + v / e + np.log(-e) - 1
    np.testing.assert_allclose(var.fz0(-r, -v, -e, ALPHA), theirs)
    lift = var.fz0(-r, -v, -e, ALPHA) - var.fz0(-r, -1.1 * v, -1.1 * e, ALPHA)
    scaled = var.fz0(-7 * r, -7 * v, -7 * e, ALPHA) - var.fz0(-7 * r, -7.7 * v, -7.7 * e, ALPHA)
    np.testing.assert_allclose(lift, scaled)


def test_traffic_light_zones_of_basel():
    zones = var.traffic_light(np.arange(251))
    assert (zones[:5] == 0).all() and (zones[5:10] == 1).all() and (zones[10:] == 2).all()


def test_errors_name_the_cause():
    with pytest.raises(CourseError, match="0 or 1"):
        var.kupiec(np.array([0.0, 0.5]), 0.01)
    with pytest.raises(CourseError, match="0 or 1"):
        var.christoffersen(np.array([0.0, np.nan]))
    with pytest.raises(CourseError, match="alpha"):
        var.kupiec(np.zeros(10), 1.0)
    with pytest.raises(CourseError, match="At least 2"):
        var.christoffersen(np.zeros(1))
    with pytest.raises(CourseError, match="positive"):
        var.fz0(np.ones(3), np.ones(3), -np.ones(3), 0.025)
    with pytest.raises(CourseError, match="positive"):
        var.acerbi_szekely(np.ones(3), np.ones(3), np.zeros(3), 0.025)
