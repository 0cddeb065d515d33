"""Workflow and pitfalls: the notebook's own functions against brute force and an independent root finder."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize
from scipy.stats import rankdata

from benchmarks import harness


@pytest.fixture(scope="module")
def lesson() -> dict:
    names = "by_day of_day days_drawn moved_by log_odds thinned"
    return harness.defined("04", {"np": np, "rankdata": rankdata, "SEED": 7}, names)


def test_the_auc_of_the_day_counts_pairs_of_one_day_only(lesson):
    rng = np.random.default_rng(0)
    day, bought, score = np.repeat(np.arange(20), 9), rng.integers(0, 2, 180), rng.integers(0, 6, 180)
    right = pairs = 0
    for i in np.flatnonzero(bought == 1):
        for j in np.flatnonzero((bought == 0) & (day == day[i])):
            pairs, right = pairs + 1, right + (score[i] > score[j]) + 0.5 * (score[i] == score[j])
    table = lesson["by_day"](bought, score, day)
    assert table[:, 0].sum() == pairs
    assert lesson["of_day"](table) == pytest.approx(right / pairs)
    shifted = lesson["by_day"](bought, score + 100 * day, day)
    assert np.array_equal(shifted, table), "what all clients of a day share must not count"


def test_drawn_days_have_the_spread_of_new_days(lesson):
    rng = np.random.default_rng(1)

    def draw():
        bought = rng.integers(0, 2, 600)
        return lesson["by_day"](bought, bought + 2 * rng.normal(size=600), np.repeat(np.arange(60), 10))

    truth = np.std([lesson["of_day"](draw()) for _ in range(300)])
    claimed = np.mean([lesson["days_drawn"](draw()).std() for _ in range(20)])
    assert claimed == pytest.approx(truth, rel=0.2)


@pytest.mark.parametrize("level", [0.02, 0.3, 0.9])
def test_the_constant_is_the_root_that_scipy_finds(lesson, level):
    rng = np.random.default_rng(2)
    z, outcome = rng.normal(-2, 1, 500), (rng.random(500) < level).astype(float)
    gap = lambda c: np.mean(1 / (1 + np.exp(-z - c))) - outcome.mean()  # noqa: E731
    assert lesson["moved_by"](z, outcome) == pytest.approx(optimize.brentq(gap, -20, 20), abs=1e-8)


def test_thinned_windows_have_equal_counts_and_their_own_rows(lesson):
    rng = np.random.default_rng(3)
    windows = [np.arange(start, start + 400) for start in (0, 400, 800)]
    lesson["y"] = (rng.random(1200) < np.repeat([0.05, 0.2, 0.4], 400)).astype(int)
    thin = lesson["thinned"](windows, rng)
    counts = [np.bincount(lesson["y"][rows], minlength=2).tolist() for rows in thin]
    assert counts[0] == counts[1] == counts[2]
    assert all(set(a) <= set(b) and len(set(a)) == len(a) for a, b in zip(thin, windows, strict=True))
