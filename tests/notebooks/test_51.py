"""Data and model fusion: joins, stackers, weights and purchases against loops, draws and closed forms."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_predict

from benchmarks import harness
from helpers import worlds

WANTED = (
    "months_before boosted with_products stacked moments combined simulated log_odds_of two_stackers",
    "earned profit shapley best_purchase game near_equal lent",
)


@pytest.fixture(scope="module")
def lesson() -> dict:
    space = {"np": np, "pd": pd, "itertools": itertools, "expit": expit, "logit": logit, "log_loss": log_loss}
    space |= {"LogisticRegression": LogisticRegression, "cross_val_predict": cross_val_predict, "SEED": 1}
    space |= {"HistGradientBoostingClassifier": HistGradientBoostingClassifier, "CUT": 800 / 5_300}
    space |= {"MARGIN": 800, "LOSS": 4_500, "SOURCES": ["register", "history", "letter"]}
    space["PLAYERS"] = ["register", "second register", "history", "letter"]
    return harness.defined("51", space, " ".join(WANTED))


def test_an_as_of_join_stops_at_the_application_and_the_other_does_not(lesson):
    made = worlds.loan_sources(50, seed=2)
    got, latest = lesson["months_before"](made.records, made.register), lesson["months_before"](made.records)
    mixed = made.records.sample(frac=1, random_state=1)
    np.testing.assert_array_equal(lesson["months_before"](mixed, made.register), got)
    for firm in range(50):
        own = made.records[made.records["firm"] == firm].sort_values("month")
        known = own[own["month"] < made.register["applied"][firm]]["days_late"]
        np.testing.assert_allclose(got[firm], np.log1p(known[-12:]))
        np.testing.assert_allclose(latest[firm], np.log1p(own["days_late"][-12:]))


def test_boosting_keeps_its_best_round_and_obeys_the_groups(lesson):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((3_000, 2))
    y = (rng.random(3_000) < expit(3 * x[:, 0] * x[:, 1])).astype(int)
    parts = [slice(0, 1_500), slice(1_500, 2_250), slice(2_250, None)]
    fit = lambda only: lesson["boosted"](  # noqa: E731
        x[parts[0]], y[parts[0]], x[parts[1]], y[parts[1]], [x[parts[2]]], only=only
    )[0]
    assert log_loss(y[parts[2]], expit(fit(None))) < 0.6 < log_loss(y[parts[2]], expit(fit([[0], [1]])))


def test_products_are_of_all_pairs(lesson):
    z = np.array([[2.0, 3.0, 5.0], [1.0, -1.0, 4.0]])
    np.testing.assert_allclose(lesson["with_products"](z), [[2, 3, 5, 6, 10, 15], [1, -1, 4, -1, 4, -4]])
    rng = np.random.default_rng(4)
    s = rng.standard_normal((20_000, 2))
    y = (rng.random(20_000) < expit(s[:, 0] * s[:, 1])).astype(int)
    got = lesson["stacked"](s, y, s[:200], products=True)
    np.testing.assert_allclose(got, s[:200, 0] * s[:200, 1], atol=0.25)


def test_the_variance_of_a_mean_is_the_formula(lesson):
    rng = np.random.default_rng(5)
    e = rng.standard_normal((500, 6)) @ rng.standard_normal((6, 6)) + 0.3
    square, rho, of_mean = lesson["moments"](e)
    assert of_mean == pytest.approx(square * (rho + (1 - rho) / 6)) and square == pytest.approx((e**2).mean())


def test_weights_cost_what_draws_say_and_break_even_where_they_cross(lesson):
    rng = np.random.default_rng(6)
    a = rng.standard_normal((4, 12))
    sigma = a @ a.T
    for n in (8, 20, 60):
        estimated, equal, even = lesson["combined"](sigma, n)
        assert lesson["simulated"](sigma, n, 40_000, rng) == pytest.approx(estimated, rel=0.03)
        assert (estimated < equal) == (n > even)
    at_even = lesson["combined"](sigma, even)
    assert at_even[0] == pytest.approx(at_even[1])


def test_estimated_weights_are_least_squares_on_differences():
    e = np.random.default_rng(7).standard_normal((30, 3)) + 0.2
    inverse = np.linalg.inv(e.T @ e)
    w = inverse.sum(axis=1) / inverse.sum()
    slopes = np.linalg.lstsq(e[:, :1] - e[:, 1:], e[:, 0], rcond=None)[0]
    np.testing.assert_allclose(w, [1 - slopes.sum(), *slopes])


def test_out_of_fold_scores_have_not_seen_the_row(lesson):
    class Remembers(LogisticRegression):
        def fit(self, x, y):
            self.seen = {tuple(row) for row in x}
            self.classes_ = np.array([0, 1])
            return self

        def predict_proba(self, x):
            p = np.array([0.9 if tuple(row) in self.seen else 0.2 for row in x])
            return np.c_[1 - p, p]

    rng = np.random.default_rng(8)
    x, new = rng.standard_normal((40, 2)), rng.standard_normal((10, 2))
    inside, outside, fresh = lesson["two_stackers"]([Remembers()], x, np.arange(40) % 2, new)
    np.testing.assert_allclose(expit(inside), 0.9)
    np.testing.assert_allclose(expit(outside), 0.2)
    np.testing.assert_allclose(expit(fresh), 0.2)


def test_profit_lends_below_the_cut_only(lesson):
    score, truth = logit(np.array([0.1, 0.2, 0.15])), np.array([0.3, 0.0, 0.1])
    by_hand = (800 * 0.7 - 4_500 * 0.3 + 800 * 0.9 - 4_500 * 0.1) / 3
    assert lesson["profit"](score, truth) == pytest.approx(by_hand)
    best = lesson["profit"](logit(np.clip(truth, 1e-9, 1)), truth)
    assert all(lesson["profit"](s, truth) <= best for s in np.random.default_rng(9).standard_normal((50, 3)))


def test_shapley_values_add_up_and_equal_the_formula(lesson):
    rng, players = np.random.default_rng(10), ["a", "b", "c", "d"]
    sets = [frozenset(c) for k in range(5) for c in itertools.combinations(players, k)]
    values = {s: rng.random() if s else 0.0 for s in sets}
    got = lesson["shapley"](values, players)
    assert sum(got.values()) == pytest.approx(values[frozenset(players)])
    for p in players:
        weight = lambda s: math.factorial(len(s)) * math.factorial(3 - len(s)) / 24  # noqa: E731
        want = sum(weight(s) * (values[s | {p}] - values[s]) for s in sets if p not in s)
        assert got[p] == pytest.approx(want)


def test_a_copy_shares_the_value_of_the_first_and_is_never_bought(lesson):
    worth = {("register",): 10.0, ("history",): 6.0, ("letter",): 1.0, ("register", "history"): 15.0}
    worth |= {("register", "letter"): 12.0, ("history", "letter"): 9.0, ("register", "history", "letter"): 20.0}
    values = lesson["game"](lambda kind: worth[tuple(kind)])
    assert len(values) == 16 and values[frozenset(["second register"])] == 10.0
    paid = lesson["shapley"](values, lesson["PLAYERS"])
    assert paid["register"] == pytest.approx(paid["second register"]) and paid["register"] > 0
    price = dict(zip(lesson["PLAYERS"], (1.0, 1.5, 2.0, 1.0), strict=True))
    bought, net = lesson["best_purchase"](values, price)
    assert bought == frozenset(["register", "history", "letter"]) and net == pytest.approx(16.0)


def test_near_equal_weights_are_the_penalised_optimum_and_shrink_to_the_mean(lesson):
    rng = np.random.default_rng(11)
    scores = rng.standard_normal((300, 3))
    y = (rng.random(300) < expit(2 * scores[:, 0])).astype(float)
    held = lesson["near_equal"](scores, y, scores, penalty=1e9)
    np.testing.assert_allclose(held, scores.mean(axis=1), atol=1e-5)
    apart = scores - scores.mean(axis=1, keepdims=True)
    got = lesson["near_equal"](scores, y, scores, penalty=5.0)
    w = np.linalg.lstsq(apart, got - scores.mean(axis=1), rcond=None)[0]
    np.testing.assert_allclose(apart.T @ (y - expit(got)), 5.0 * w, atol=1e-6)


def test_lending_pays_margin_or_loss_where_the_score_is_below_the_cut(lesson):
    paid = lesson["lent"](logit(np.array([0.1, 0.1, 0.4])), np.array([0, 1, 0]))
    np.testing.assert_allclose(paid, [800, -4_500, 0])
