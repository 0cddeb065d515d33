import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    r2_score,
    roc_auc_score,
    roc_curve,
)

from helpers.errors import CourseError
from helpers.metrics import classifier, fairness, forecast, trading

rng = np.random.default_rng(0)
LABELS = (rng.random(500) < 0.3).astype(int)
SCORE = LABELS + rng.standard_normal(500)
TIED = np.round(SCORE)  # many ties


def test_r2_out_of_sample_against_sklearn_and_zero():
    y, f = rng.standard_normal(100), rng.standard_normal(100)
    assert forecast.r2_out_of_sample(y, f, y.mean()) == pytest.approx(r2_score(y, f))
    assert forecast.r2_out_of_sample(y, np.zeros(100)) == 0
    assert forecast.r2_out_of_sample(y, y) == 1


def test_qlike_is_zero_at_the_truth_and_least_there_in_expectation():
    assert forecast.qlike(np.array([1.0, 2.0]), np.array([1.0, 2.0])) == pytest.approx(0)
    noisy = 0.04 * np.random.default_rng(1).chisquare(1, 100_000)
    losses = [forecast.qlike(noisy, np.full(len(noisy), v)).mean() for v in (0.03, 0.04, 0.05)]
    assert losses[1] == min(losses)
    with pytest.raises(CourseError, match="positive variances"):
        forecast.qlike(np.array([0.0]), np.array([1.0]))


def test_diebold_mariano_equals_the_newey_west_t_test_of_statsmodels():
    import statsmodels.api as sm

    a, b = rng.standard_normal(400) ** 2, rng.standard_normal(400) ** 2 * 1.2
    result = forecast.diebold_mariano(a, b, lags=5)
    hac = sm.OLS(a - b, np.ones(400)).fit(cov_type="HAC", cov_kwds={"maxlags": 5})
    correction = np.sqrt((400 + 1 - 2) / 400)
    assert result.statistic == pytest.approx(hac.tvalues[0] * correction, rel=1e-9)
    assert result.difference == pytest.approx((a - b).mean())
    assert result.pvalue == pytest.approx(2 * stats.t.sf(abs(result.statistic), 399))
    mirrored = forecast.diebold_mariano(b, a, lags=5)
    assert mirrored.statistic == pytest.approx(-result.statistic) and mirrored.pvalue == pytest.approx(result.pvalue)


def test_diebold_mariano_has_the_right_size():
    draws = np.random.default_rng(2).standard_normal((400, 2, 200)) ** 2
    rejected = np.mean([forecast.diebold_mariano(a, b).pvalue < 0.05 for a, b in draws])
    assert 0.02 < rejected < 0.10


def test_diebold_mariano_with_rectangular_weights_is_the_uniform_kernel_of_statsmodels():
    import statsmodels.api as sm

    d = np.convolve(np.random.default_rng(5).standard_normal(205), np.ones(6), "valid")  # overlaps by five
    result = forecast.diebold_mariano(d, np.zeros(200), horizon=6, weights="rectangular")
    options = {"maxlags": 5, "kernel": "uniform"}
    hac = sm.OLS(d, np.ones(200)).fit(cov_type="HAC", cov_kwds=options)
    correction = np.sqrt((200 + 1 - 12 + 6 * 5 / 200) / 200)
    assert result.statistic == pytest.approx(hac.tvalues[0] * correction, rel=1e-9)
    assert result.pvalue > forecast.diebold_mariano(d, np.zeros(200), horizon=6).pvalue


def test_diebold_mariano_with_rectangular_weights_keeps_its_size_where_forecasts_overlap():
    noise = np.random.default_rng(6).standard_normal((1000, 277))
    overlapping = noise.cumsum(axis=1)[:, 6:] - noise.cumsum(axis=1)[:, :-6]
    zero = np.zeros(overlapping.shape[1])
    size = {
        weights: np.mean(
            [forecast.diebold_mariano(d, zero, horizon=6, weights=weights).pvalue < 0.05 for d in overlapping]
        )
        for weights in ("bartlett", "rectangular")
    }
    assert size["rectangular"] < 0.08 < size["bartlett"]


def test_diebold_mariano_falls_back_to_bartlett_weights_and_refuses_others():
    d = 0.1 + np.tile([1.0, -1.0], 50)  # its first autocovariance makes the rectangular variance negative
    fallen = forecast.diebold_mariano(d, np.zeros(100), horizon=2, weights="rectangular")
    assert fallen == forecast.diebold_mariano(d, np.zeros(100), horizon=2)
    with pytest.raises(CourseError, match="rectangular"):
        forecast.diebold_mariano(d, np.zeros(100), weights="flat")


def test_pesaran_timmermann_by_hand_size_and_power():
    generator = np.random.default_rng(3)
    blind = [forecast.pesaran_timmermann(*generator.standard_normal((2, 300))).pvalue < 0.05 for _ in range(400)]
    assert 0.02 < np.mean(blind) < 0.09
    y = generator.standard_normal(300)
    assert forecast.pesaran_timmermann(y, y + generator.standard_normal(300)).pvalue < 1e-6
    assert forecast.pesaran_timmermann(y, np.ones(300)).pvalue == 1.0


@pytest.mark.parametrize("score", [SCORE, TIED])
def test_auc_family_against_sklearn_and_scipy(score):
    auc = roc_auc_score(LABELS, score)
    assert classifier.gini(LABELS, score) == pytest.approx(2 * auc - 1)
    fpr, tpr, _ = roc_curve(LABELS, score)
    assert classifier.ks(LABELS, score) == pytest.approx(np.max(tpr - fpr))
    middle, low, high = classifier.auc_interval(LABELS, score)
    assert middle == pytest.approx(auc) and low < auc < high


def test_delong_agrees_with_the_bootstrap():
    other = LABELS + 1.5 * np.random.default_rng(4).standard_normal(500)
    result = classifier.delong(LABELS, SCORE, other)
    generator = np.random.default_rng(5)
    draws = []
    for _ in range(400):
        rows = generator.integers(0, 500, 500)
        draws.append(roc_auc_score(LABELS[rows], SCORE[rows]) - roc_auc_score(LABELS[rows], other[rows]))
    assert result.difference / result.statistic == pytest.approx(np.std(draws), rel=0.15)
    assert classifier.delong(LABELS, SCORE, 2 * SCORE + 1).pvalue == 1.0


def test_calibration_of_true_and_false_probabilities():
    p = np.random.default_rng(6).uniform(0, 1, 50_000)
    y = (np.random.default_rng(7).random(50_000) < p).astype(int)
    assert classifier.expected_calibration_error(y, p) < 0.015
    assert classifier.expected_calibration_error(y, np.sqrt(p)) == pytest.approx(2 / 3 - 1 / 2, abs=0.02)
    table = classifier.calibration_table(y, p, 7)
    assert table.shape == (7, 3) and table[:, 2].sum() == 50_000 and (np.diff(table[:, 0]) > 0).all()


def test_expected_cost_counts_each_error_once():
    actual, decision = np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0])
    assert classifier.expected_cost(actual, decision, false_positive=1, false_negative=5) == pytest.approx(1.5)


@pytest.mark.parametrize(
    "bad,words",
    [
        (np.ones(500), "both must occur"),
        (np.r_[2, LABELS[1:]], "must be 0 and 1"),
        (LABELS[:-1], "of one length"),
    ],
)
def test_bad_labels_are_refused(bad, words):
    with pytest.raises(CourseError, match=words):
        classifier.gini(bad, SCORE)


def test_net_returns_by_hand():
    position, market = np.array([1.0, 1.0, 0.0, -1.0]), np.array([0.01, -0.02, 0.03, 0.04])
    expected = [0.01 - 0.001, -0.02, -0.001, -0.04 - 0.001]
    np.testing.assert_allclose(trading.net_returns(position, market, cost=0.001), expected)
    assert trading.turnover(position, periods=4) == pytest.approx(3.0)


def test_sharpe_and_drawdown_by_hand():
    returns = np.array([0.1, -0.5, 0.2, 0.3])
    assert trading.max_drawdown(returns) == pytest.approx(0.5)
    assert trading.sharpe(returns, 4) == pytest.approx(returns.mean() / returns.std(ddof=1) * 2)
    assert trading.max_drawdown(np.array([-0.2, 0.1])) == pytest.approx(0.2), "the start counts as a peak"


def test_sharpe_difference_equals_memmels_formula_for_normal_returns():
    shocks = np.random.default_rng(21).multivariate_normal([0.01, 0.006], [[0.0025, 0.0012], [0.0012, 0.0016]], 200_000)
    a, b = shocks.T
    found = trading.sharpe_difference(a, b, periods=1, lags=0)
    one, two, rho = a.mean() / a.std(), b.mean() / b.std(), np.corrcoef(a, b)[0, 1]
    variance = (2 - 2 * rho + (one**2 + two**2 - 2 * one * two * rho**2) / 2) / len(a)  # Memmel (2003), eq. 4
    assert found.difference == pytest.approx(one - two, rel=1e-3)
    assert found.difference / found.statistic == pytest.approx(variance**0.5, rel=0.01)
    yearly = trading.sharpe_difference(a, b, periods=12, lags=0)
    assert yearly.pvalue == pytest.approx(found.pvalue)
    assert yearly.difference == pytest.approx(12**0.5 * found.difference)


def test_sharpe_difference_rejects_as_often_as_its_level_says():
    draws = np.random.default_rng(22).multivariate_normal([0.02, 0.01], [[0.04, 0.012], [0.012, 0.01]], (400, 240))
    p = [trading.sharpe_difference(a, b, periods=12).pvalue for a, b in draws.transpose(0, 2, 1)]  # both ratios 0.1
    assert 0.03 < np.mean(np.array(p) < 0.05) < 0.09


def test_sharpe_difference_of_a_scaled_rule_is_nothing():
    r = np.random.default_rng(23).normal(0.01, 0.05, 60)
    assert trading.sharpe_difference(r, 3 * r).pvalue == 1
    with pytest.raises(CourseError, match="same periods"):
        trading.sharpe_difference(r, r[1:])


def test_probabilistic_sharpe_matches_the_papers_worked_example():
    # Bailey and López de Prado (2012), §4: two years of monthly returns with a yearly Sharpe ratio of 1.585, skewness
    # -2.448 and kurtosis 10.164 exceed 0 with probability 0.913 only.
    def monthly(crash, second):
        shape = np.append(np.linspace(-1, 1, 22), [-crash, second])
        return 0.01 * ((shape - shape.mean()) / shape.std(ddof=1) + 1.585 / np.sqrt(12))

    def misses(sizes):
        returns = monthly(*sizes)
        return stats.skew(returns) + 2.448, stats.kurtosis(returns, fisher=False) - 10.164

    returns = monthly(*optimize.root(misses, [6, 0]).x)  # a series of the example's length and moments
    assert misses(optimize.root(misses, [6, 0]).x) == pytest.approx([0, 0], abs=1e-9)
    assert trading.sharpe(returns, 12) == pytest.approx(1.585)
    assert trading.probabilistic_sharpe(returns, periods=12) == pytest.approx(0.913, abs=0.001)
    generator = np.random.default_rng(8)
    normal = generator.standard_normal(5000) * 0.01 + 0.0005
    ratio = normal.mean() / normal.std(ddof=1)
    plain = stats.norm.cdf(ratio * np.sqrt(4999) / np.sqrt(1 + ratio**2 / 2))
    assert trading.probabilistic_sharpe(normal) == pytest.approx(plain, abs=0.01)


def test_expected_max_sharpe_is_luck_s_best():
    draws = np.random.default_rng(9).standard_normal((20_000, 50)) * 0.3
    assert trading.expected_max_sharpe(draws[0]) == pytest.approx(
        draws.max(axis=1).mean() * draws[0].std(ddof=1) / 0.3, rel=0.02
    )
    luck = np.random.default_rng(10).standard_normal((50, 1000)) * 0.01
    sharpes = np.array([trading.sharpe(r) for r in luck])
    best = luck[sharpes.argmax()]
    assert trading.probabilistic_sharpe(best) > 0.95 > trading.deflated_sharpe(best, sharpes)


@pytest.mark.parametrize("score", [SCORE, TIED, np.zeros(500)])
def test_average_precision_equals_sklearn_ties_included(score):
    assert classifier.average_precision(LABELS, score) == pytest.approx(average_precision_score(LABELS, score))


def test_brier_equals_sklearn_and_refuses_scores_that_are_no_probabilities():
    p = 1 / (1 + np.exp(-SCORE))
    assert classifier.brier(LABELS, p) == pytest.approx(brier_score_loss(LABELS, p))
    with pytest.raises(CourseError, match="between 0 and 1"):
        classifier.brier(LABELS, SCORE)


def test_card_precision_blocks_what_was_found():
    # Day 1: cards a, b, c; the two best are a (fraud) and b. Day 2: a is blocked although it scores highest.
    day, card = np.array([1, 1, 1, 1, 2, 2, 2, 2]), np.array(list("aabcabcd"))
    actual = np.array([0, 1, 0, 0, 1, 0, 1, 1])
    score = np.array([0.1, 0.9, 0.8, 0.2, 0.99, 0.1, 0.5, 0.7])
    assert classifier.card_precision_at(day, card, actual, score, k=2) == pytest.approx((1 / 2 + 2 / 2) / 2)
    assert classifier.card_precision_at(day, card, actual, score, k=4) == pytest.approx((1 / 4 + 2 / 4) / 2)
    known = pd.DataFrame({"day": [0], "card": ["a"]})  # a was caught before: day 1 offers b and c only
    assert classifier.card_precision_at(day, card, actual, score, k=2, caught=known) == pytest.approx((0 + 1) / 2)
    with pytest.raises(CourseError, match="k of at least 1"):
        classifier.card_precision_at(day, card, actual, score, k=0)


def test_recall_at_budget_by_hand():
    period, actual = np.array([1, 1, 1, 2, 2, 2]), np.array([1, 0, 1, 0, 1, 0])
    score = np.array([0.9, 0.8, 0.1, 0.3, 0.2, 0.1])
    found = [classifier.recall_at_budget(period, actual, score, b) for b in (1, 2, 3)]
    assert found == pytest.approx([1 / 3, 2 / 3, 1])


@pytest.mark.parametrize("score", [SCORE, TIED])
@pytest.mark.parametrize("costs", [(1, 5), (5, 1), (1, 1000), (1000, 1)])
def test_best_threshold_is_the_best_of_all(score, costs):
    costs = dict(zip(("false_positive", "false_negative"), costs, strict=True))
    best = classifier.best_threshold(LABELS, score, **costs)
    everywhere = [np.inf, *np.unique(score)]
    least = min(classifier.expected_cost(LABELS, (score >= t).astype(int), **costs) for t in everywhere)
    assert classifier.expected_cost(LABELS, (score >= best).astype(int), **costs) == pytest.approx(least)


def test_best_threshold_of_true_probabilities_nears_the_closed_form():
    p = np.random.default_rng(4).uniform(size=400_000)
    y = (np.random.default_rng(5).uniform(size=p.size) < p).astype(int)
    assert classifier.best_threshold(y, p, false_positive=1, false_negative=5) == pytest.approx(1 / 6, abs=0.02)


def test_group_rates_against_sklearn_confusion_matrices():
    group = np.where(np.arange(500) % 3 == 0, "x", "y")
    decision = (SCORE > 0.5).astype(int)
    p = 1 / (1 + np.exp(-SCORE))
    table = fairness.group_rates(LABELS, decision, group, p)
    for name in "xy":
        here = group == name
        tn, fp, fn, tp = confusion_matrix(LABELS[here], decision[here]).ravel()
        wanted = [here.sum(), (tp + fn) / here.sum(), (tp + fp) / here.sum(), tp / (tp + fn), fp / (fp + tn)]
        assert table.loc[name].tolist() == pytest.approx([*wanted, tp / (tp + fp), p[here].mean()])
    gaps = table.loc["x"] - table.loc["y"]
    assert fairness.demographic_parity_difference(decision, group) == pytest.approx(abs(gaps["selected"]))
    opportunity = fairness.equal_opportunity_difference(LABELS, decision, group)
    assert opportunity == pytest.approx(abs(gaps["true_positive_rate"]))


def test_corrected_t_test_by_hand_size_and_limit():
    d = np.random.default_rng(6).normal(0.01, 0.02, 15)
    assert classifier.corrected_t_test(d, 1e-12).pvalue == pytest.approx(stats.ttest_1samp(d, 0).pvalue)
    corrected = classifier.corrected_t_test(d, 1 / 4)
    assert corrected.statistic == pytest.approx(d.mean() / np.sqrt((1 / 15 + 1 / 4) * d.var(ddof=1)))
    assert classifier.corrected_t_test(np.zeros(5), 0.25).pvalue == 1
    with pytest.raises(CourseError, match="at least two finite differences"):
        classifier.corrected_t_test(np.array([0.1]), 0.25)
