"""Clinic of leaks: the notebook's own audits raise on a leak, and pass where there is none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from benchmarks import harness
from helpers import audit, windows
from helpers.metrics import forecast


@pytest.fixture(scope="module")
def lesson() -> dict:
    space = {"np": np, "pd": pd, "audit": audit, "windows": windows, "rankdata": rankdata, "LENGTH": 22}
    space["forecast"] = forecast
    space["calls"] = space["prices"] = pd.DataFrame()
    space["calls"].attrs["origin"] = "real"  # of made-up data `examine` asks nothing
    return harness.defined(
        "05", space, "apart no_giveaway looks_back careless careful ragged gives_back aucs examine beats_yesterday"
    )


def test_auc_by_ranks_equals_scikit_learn_with_ties(lesson):
    rng = np.random.default_rng(0)
    outcome, scores = rng.integers(0, 2, 200), rng.integers(0, 9, (5, 200)).astype(float)
    expected = [roc_auc_score(outcome, row) for row in scores]
    np.testing.assert_allclose(lesson["aucs"](outcome, scores), expected)


def test_audits_raise_on_the_leak_alone(lesson):
    rows = np.arange(100)
    with pytest.raises(audit.LeakError, match="5 of 25"):
        lesson["apart"](rows[:80], rows[75:])
    lesson["apart"](rows[:75], rows[75:])
    rng = np.random.default_rng(1)
    target = rng.normal(size=300)
    X = pd.DataFrame({"noise": rng.normal(size=300), "copy": 2 * target})
    with pytest.raises(audit.LeakError, match="copy"):
        lesson["no_giveaway"](X, target)
    lesson["no_giveaway"](X[["noise"]], target)
    with pytest.raises(audit.LeakError):
        lesson["gives_back"](X, X[["copy"]])
    lesson["gives_back"](X, X)


def test_the_window_audit_knows_the_two_faults_apart(lesson):
    lesson["looks_back"](lesson["careful"])

    def short(values, length):
        return lesson["careful"](values, length - 1)

    def holds_target(values, length):
        X, _ = lesson["careful"](values, length)
        return X, X[:, -1]

    for fault, message in (
        (short, "windows of 21"),
        (holds_target, "hold their own target"),
        (lesson["careless"], "hold their own target"),
        (lesson["ragged"], "hold their own target"),
    ):
        with pytest.raises(audit.LeakError, match=message):
            lesson["looks_back"](fault)


def test_a_skill_that_yesterday_has_too_is_found(lesson):
    price = 100 + np.random.default_rng(2).normal(size=400).cumsum()
    actual, naive = price[1:], price[:-1]
    guess = naive + np.random.default_rng(3).normal(size=399)
    with pytest.raises(audit.LeakError, match="against yesterday's price"):
        lesson["beats_yesterday"](actual, guess, naive, 0.99)
    lesson["beats_yesterday"](actual, guess, naive, -0.5)
    lesson["beats_yesterday"](actual, (actual + naive) / 2, naive, 0.99)


def test_examine_refuses_an_audit_that_never_raises_or_never_passes(lesson):
    def silent(x):
        """Finds nothing, whatever it is given."""

    def loud(x):
        raise audit.LeakError("always")

    with pytest.raises(AssertionError, match="let the mistake pass"):
        lesson["examine"](silent, (1,), (2,))
    with pytest.raises(AssertionError, match="raises on the mend"):
        lesson["examine"](loud, (1,), (2,))
