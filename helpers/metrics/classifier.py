"""Scores and tests of classifiers with two classes; `actual` is 0 or 1, `score` rises with the chance of a 1."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from helpers.errors import CourseError
from helpers.metrics.forecast import TestResult


def gini(actual: np.ndarray, score: np.ndarray) -> float:
    """Gini coefficient (accuracy ratio) 2 AUC - 1, in [-1, 1] (Engelmann, Hayden and Tasche 2003, Deutsche
    Bundesbank DP 01/2003).
    """
    actual, score = _check(actual, score)
    return 2 * _auc(actual, score) - 1


def ks(actual: np.ndarray, score: np.ndarray) -> float:
    """Kolmogorov–Smirnov distance between the scores of the two classes, max |TPR - FPR|, in [0, 1]."""
    actual, score = _check(actual, score)
    return float(stats.ks_2samp(score[actual == 1], score[actual == 0], method="asymp").statistic)


def calibration_table(actual: np.ndarray, probability: np.ndarray, bins: int = 10) -> np.ndarray:
    """Rows (mean probability, observed share, count) over `bins` groups of equal size, by rising probability; shape
    (bins, 3).
    """
    actual, probability = _check(actual, probability)
    if not 1 <= bins <= len(actual):
        raise CourseError(f"{len(actual)} rows cannot fill {bins} bins.")
    order = np.argsort(probability, kind="stable")
    parts = np.array_split(order, bins)
    return np.array([[probability[p].mean(), actual[p].mean(), len(p)] for p in parts])


def expected_calibration_error(actual: np.ndarray, probability: np.ndarray, bins: int = 10) -> float:
    """Mean |observed share - mean probability| over equal-size bins, weighted by count, in [0, 1].

    Naeini, Cooper and Hauskrecht (2015, AAAI 29); equal-size rather than equal-width bins (Nixon et al. 2019,
    arXiv:1904.01685).
    """
    table = calibration_table(actual, probability, bins)
    return float(np.average(np.abs(table[:, 0] - table[:, 1]), weights=table[:, 2]))


def expected_cost(actual: np.ndarray, decision: np.ndarray, *, false_positive: float, false_negative: float) -> float:
    """Mean cost a row of the decisions (n,), 1 = treated as positive; costs in any unit, right decisions cost
    nothing.
    """
    actual, decision = _check(actual, decision)
    wrong_yes, wrong_no = (decision == 1) & (actual == 0), (decision == 0) & (actual == 1)
    return float(np.mean(false_positive * wrong_yes + false_negative * wrong_no))


def delong(actual: np.ndarray, score_a: np.ndarray, score_b: np.ndarray) -> TestResult:
    """Two-sided test that two scores of the same rows have the same AUC; `difference` is AUC(a) - AUC(b).

    DeLong, DeLong and Clarke-Pearson (1988, Biometrics 44), by ranks as in Sun and Xu (2014, IEEE Signal Processing
    Letters 21). The p-value is 1 where the two scores rank all pairs alike.
    """
    actual, score_a = _check(actual, score_a)
    _, score_b = _check(actual, score_b)
    v10, v01 = zip(*(_placements(actual, s) for s in (score_a, score_b)), strict=True)
    difference = float(v10[0].mean() - v10[1].mean())
    variance = np.var(v10[0] - v10[1], ddof=1) / len(v10[0]) + np.var(v01[0] - v01[1], ddof=1) / len(v01[0])
    if variance <= 1e-18:
        return TestResult(0.0, 1.0, difference)
    statistic = float(difference / np.sqrt(variance))
    return TestResult(statistic, float(2 * stats.norm.sf(abs(statistic))), difference)


def auc_interval(actual: np.ndarray, score: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """AUC and its DeLong confidence interval (auc, low, high), cut to [0, 1]."""
    actual, score = _check(actual, score)
    v10, v01 = _placements(actual, score)
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt(np.var(v10, ddof=1) / len(v10) + np.var(v01, ddof=1) / len(v01))
    auc = float(v10.mean())
    return auc, float(max(0.0, auc - half)), float(min(1.0, auc + half))


def brier(actual: np.ndarray, probability: np.ndarray) -> float:
    """Mean squared error of the probabilities, in [0, 1], 0 is best (Brier 1950, Monthly Weather Review 78)."""
    actual, probability = _check(actual, probability)
    if probability.min() < 0 or probability.max() > 1:
        raise CourseError("Brier's score is for probabilities: values between 0 and 1.")
    return float(np.mean((probability - actual) ** 2))


def average_precision(actual: np.ndarray, score: np.ndarray) -> float:
    """Precision at each threshold, weighted by the recall it adds, in [0, 1]; a random score gets the share of ones.

    No interpolation (Davis and Goadrich 2006, ICML: a straight line between points is too good); ties count as one
    threshold.
    """
    actual, score = _check(actual, score)
    order = np.argsort(-score, kind="stable")
    last_of_tie = np.append(np.diff(score[order]) != 0, True)
    found, alerts = np.cumsum(actual[order])[last_of_tie], np.flatnonzero(last_of_tie) + 1
    return float(np.sum(np.diff(found, prepend=0) * found / alerts) / actual.sum())


def card_precision_at(
    day: np.ndarray,
    card: np.ndarray,
    actual: np.ndarray,
    score: np.ndarray,
    k: int = 100,
    caught: pd.DataFrame | None = None,
) -> float:
    """Card Precision@k: of the k cards with the highest score of each day, the share with a fraud that day; day mean.

    All arrays (n,), one row a transaction. A card whose fraud is found on one day is blocked: it is not offered on
    later days, nor counted (Le Borgne et al. 2022, Reproducible Machine Learning for Credit Card Fraud Detection, ch.
    4, CP@k). `caught`, columns day and card, blocks cards from the day after on: frauds known from before the test
    part. Raises CourseError unless k is at least 1.
    """
    actual, score = _check(actual, score)
    if k < 1 or len(day) != len(actual) or len(card) != len(actual):
        raise CourseError("card_precision_at needs k of at least 1, and a day and a card for every score.")
    rows = pd.DataFrame({"day": np.asarray(day), "card": np.asarray(card), "actual": actual, "score": score})
    cards = rows.groupby(["day", "card"], as_index=False).agg(actual=("actual", "max"), score=("score", "max"))
    blocked = set() if caught is None else set(caught["card"][caught["day"] < cards["day"].min()])
    precisions = []
    for _, today in cards.groupby("day"):  # what is found today decides who is offered tomorrow
        offered = today[~today["card"].isin(blocked)].nlargest(k, "score")
        precisions.append(offered["actual"].sum() / k)
        blocked |= set(offered["card"][offered["actual"] == 1])
    return float(np.mean(precisions))


def recall_at_budget(period: np.ndarray, actual: np.ndarray, score: np.ndarray, budget: int) -> float:
    """Share of all ones among the `budget` highest scores of each period (a team's day, say), in [0, 1].

    Arrays (n,); within a period ties are broken by position. Raises CourseError unless budget is at least 1.
    """
    actual, score = _check(actual, score)
    if budget < 1 or len(period) != len(actual):
        raise CourseError("recall_at_budget needs a budget of at least 1 and a period for every score.")
    rank = pd.Series(-score).groupby(np.asarray(period)).rank(method="first").to_numpy()
    return float(actual[rank <= budget].sum() / actual.sum())


def best_threshold(actual: np.ndarray, score: np.ndarray, *, false_positive: float, false_negative: float) -> float:
    """The score from which on (>=) to decide for 1, so that `expected_cost` is least; infinite if never pays.

    Choose it on validation data: on the rows it is scored on it flatters. Ties in cost go to the highest threshold.
    For true probabilities it nears false_positive / (false_positive + false_negative) (Elkan 2001, IJCAI, eq. 2).
    """
    actual, score = _check(actual, score)
    order = np.argsort(-score, kind="stable")
    last_of_tie = np.append(np.diff(score[order]) != 0, True)
    hits = np.cumsum(actual[order])[last_of_tie]
    alarms = np.flatnonzero(last_of_tie) + 1 - hits
    cost = np.append(actual.sum() * false_negative, alarms * false_positive + (actual.sum() - hits) * false_negative)
    return float(np.append(np.inf, score[order][last_of_tie])[np.argmin(cost)])


def corrected_t_test(differences: np.ndarray, test_share: float) -> TestResult:
    """Paired t-test over the rounds of repeated cross-validation, its variance corrected for shared training rows.

    differences (k,): score of a less score of b, one a round; test_share: n_test / n_train (1/9 for ten folds).
    Variance s² (1/k + n_test/n_train) (Nadeau and Bengio 2003, Machine Learning 52; Bouckaert and Frank 2004, PAKDD).
    """
    d = np.asarray(differences, dtype=float)
    if d.ndim != 1 or len(d) < 2 or not np.isfinite(d).all() or test_share <= 0:
        raise CourseError("corrected_t_test needs at least two finite differences and a test_share above 0.")
    mean, variance = float(d.mean()), float(d.var(ddof=1) * (1 / len(d) + test_share))
    if variance <= 1e-18:
        return TestResult(0.0 if abs(mean) < 1e-9 else float(np.copysign(np.inf, mean)), float(abs(mean) < 1e-9), mean)
    statistic = mean / variance**0.5
    return TestResult(statistic, float(2 * stats.t.sf(abs(statistic), len(d) - 1)), mean)


def _placements(actual: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    positive, negative = score[actual == 1], score[actual == 0]
    m, n = len(positive), len(negative)
    all_ranks = stats.rankdata(np.concatenate([positive, negative]))
    v10 = (all_ranks[:m] - stats.rankdata(positive)) / n
    v01 = 1 - (all_ranks[m:] - stats.rankdata(negative)) / m
    return v10, v01


def _auc(actual: np.ndarray, score: np.ndarray) -> float:
    """Mann and Whitney's form: how often a one has the higher score, by the sum of the ranks of the ones."""
    ones = int(actual.sum())
    above = stats.rankdata(score)[actual == 1].sum() - ones * (ones + 1) / 2
    return float(above / (ones * (len(actual) - ones)))


def _check(actual: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    actual, score = np.asarray(actual), np.asarray(score, dtype=float)
    if actual.shape != score.shape or actual.ndim != 1:
        raise CourseError(f"Labels and scores must be of one length, not shapes {actual.shape} and {score.shape}.")
    ones = actual == 1
    if not (ones | (actual == 0)).all() or ones.all() or not ones.any():
        raise CourseError("Labels must be 0 and 1, and both must occur.")
    if not np.isfinite(score).all():
        raise CourseError("The scores hold missing or infinite values.")
    return ones.astype(int), score
