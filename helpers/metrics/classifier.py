"""Scores and tests of classifiers with two classes; `actual` is 0 or 1, `score` rises with the chance of a 1."""

from __future__ import annotations

import numpy as np
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


def _placements(actual: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    positive, negative = score[actual == 1], score[actual == 0]
    m, n = len(positive), len(negative)
    all_ranks = stats.rankdata(np.concatenate([positive, negative]))
    v10 = (all_ranks[:m] - stats.rankdata(positive)) / n
    v01 = 1 - (all_ranks[m:] - stats.rankdata(negative)) / m
    return v10, v01


def _auc(actual: np.ndarray, score: np.ndarray) -> float:
    return float(_placements(actual, score)[0].mean())


def _check(actual: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    actual, score = np.asarray(actual), np.asarray(score, dtype=float)
    if actual.shape != score.shape or actual.ndim != 1:
        raise CourseError(f"Labels and scores must be of one length, not shapes {actual.shape} and {score.shape}.")
    if not np.isin(actual, (0, 1)).all() or len(np.unique(actual)) < 2:
        raise CourseError("Labels must be 0 and 1, and both must occur.")
    if not np.isfinite(score).all():
        raise CourseError("The scores hold missing or infinite values.")
    return actual.astype(int), score
