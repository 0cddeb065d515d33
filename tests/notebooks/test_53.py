"""Uncertainty and drift: the notebook's own functions against closed forms, libraries and brute force."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.signal import lfilter
from scipy.special import expit, ndtr
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import PolynomialFeatures

from helpers import worlds

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "53_uncertainty_and_drift.ipynb"
WANTED = (
    "judged interval_score polynomial_intervals mixture_interval conformal_factor coverage_of adaptive adaptive_last",
    "filtered psi ks_distance excess promise_test score_psi run_length terms fit_logistic follow part_of hindsight",
    "interval flipped window_rows",
)
CONSTANTS = ("ALPHA =", "FIELDS =", "Z =", "INVOICES, AMOUNT", "FIRST, LATE", "LOOK =", "SETTINGS =", "I, J =")


@pytest.fixture(scope="module")
def lesson() -> dict:
    space = {"np": np, "pd": pd, "stats": stats, "expit": expit, "lfilter": lfilter, "BATCH": 3, "QUARTERS": 4}
    space["ndtr"] = ndtr
    space |= {"PolynomialFeatures": PolynomialFeatures, "LinearRegression": LinearRegression}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code" or "solution" in cell["metadata"].get("tags", []):
            continue
        for part in "".join(cell["source"]).split("\n\n\n"):
            if part.startswith(tuple(f"def {name}(" for line in WANTED for name in line.split())):
                exec(part, space)
            else:
                lines = part.split("\n")
                for k, text in enumerate(lines):
                    if text.startswith(CONSTANTS):
                        end = next((j for j in range(k, len(lines)) if lines[j].startswith("}")), k)
                        exec("\n".join(lines[k : (end if text.endswith("{") else k) + 1]), space)
    return space


def test_exact_coverage_and_score_are_those_of_draws(lesson):
    rng = np.random.default_rng(0)
    for low, high, mean, sd in ((-1.0, 1.0, 0.2, 0.7), (0.5, 0.6, 0.0, 2.0), (-3.0, 0.0, 0.5, 0.1)):
        y = mean + sd * rng.standard_normal(400_000)
        coverage, width, score = lesson["judged"](low, high, mean, sd)
        assert coverage == pytest.approx(np.mean((y >= low) & (y <= high)), abs=0.004) and width == high - low
        assert score == pytest.approx(lesson["interval_score"](low, high, y).mean(), rel=0.02)


def test_the_true_quantiles_have_the_least_score(lesson):
    best = lesson["judged"](-lesson["Z"], lesson["Z"], 0.0, 1.0)
    assert best[0] == pytest.approx(0.9)
    for a, b in ((0.1, 0), (0, 0.1), (-0.1, -0.1), (0.2, -0.2)):
        assert lesson["judged"](-lesson["Z"] + a, lesson["Z"] + b, 0.0, 1.0)[2] > best[2]


def test_polynomial_intervals_find_a_law_that_is_quadratic(lesson):
    train, new = worlds.house_prices(20_000, seed=1), worlds.house_prices(2_000, seed=2)
    constant, varied = lesson["polynomial_intervals"](train, new, 4)
    sd = (varied[1] - varied[0]) / 2 / lesson["Z"]
    assert np.corrcoef(np.log(sd), np.log(new["sd"]))[0, 1] > 0.98 and np.mean(sd / new["sd"]) == pytest.approx(1, 0.1)
    assert np.ptp(constant[1] - constant[0]) < 1e-9


def test_a_mixture_of_one_is_that_law_and_of_two_covers_nine_tenths(lesson):
    low, high = lesson["mixture_interval"](np.array([[1.0]]), np.array([[2.0]]))
    assert low[0] == pytest.approx(1 - 2 * lesson["Z"], abs=1e-5) and high[0] == pytest.approx(
        1 + 2 * lesson["Z"], abs=1e-5
    )
    mean, sd = np.array([[0.0, 1.0], [3.0, 1.5]]), np.array([[1.0, 0.2], [0.5, 2.0]])
    low, high = lesson["mixture_interval"](mean, sd)
    inside = (stats.norm.cdf((high - mean) / sd) - stats.norm.cdf((low - mean) / sd)).mean(axis=0)
    np.testing.assert_allclose(inside, 0.9, atol=1e-5)


def test_conformal_factor_is_the_right_order_statistic(lesson):
    scores = np.random.default_rng(1).permutation(np.arange(1.0, 100.0))  # 1 … 99
    assert lesson["conformal_factor"](scores) == 90 and lesson["conformal_factor"](scores, 0.5) == 50
    assert lesson["conformal_factor"](scores[:8]) == np.inf  # 8 rows cannot promise 90 %
    draws = np.random.default_rng(2).random((4_000, 50))
    got = lesson["conformal_factor"](draws)
    assert stats.kstest(got, stats.beta(46, 5).cdf).pvalue > 0.001


def test_conformal_factor_agrees_with_mapie_where_it_is_installed(lesson):
    pytest.importorskip("mapie")
    from mapie.regression import SplitConformalRegressor

    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((300, 1)), rng.standard_normal(300)
    line = LinearRegression().fit(x[:100], y[:100])
    theirs = SplitConformalRegressor(line, confidence_level=0.9, prefit=True).conformalize(x[100:], y[100:])
    _, ends = theirs.predict_interval(x[:5])
    ours = lesson["conformal_factor"](np.abs(y[100:] - line.predict(x[100:])))
    np.testing.assert_allclose(np.squeeze(ends[:, 1] - ends[:, 0]), 2 * ours, rtol=1e-6)


def test_aci_keeps_its_bound_on_a_hostile_sequence(lesson):
    rng = np.random.default_rng(4)
    scores = np.concatenate([rng.random(300), 5 + rng.random(300), rng.random(300) / 10])
    for gamma in (0.005, 0.05, 0.2):
        q = lesson["adaptive"](rng.random(99), scores, gamma)
        miss = np.mean(scores > q)
        assert abs(miss - 0.1) <= (0.9 + gamma) / (gamma * len(scores))
    assert np.isinf(lesson["adaptive"](rng.random(99), scores, 0.05)).any()
    fixed = lesson["adaptive"](np.arange(1.0, 100.0), np.ones(5), 0.0)
    np.testing.assert_array_equal(fixed, 90)


def test_aci_looks_at_the_past_only(lesson):
    scores = np.random.default_rng(5).random(700)
    other = scores.copy()
    other[650:] = 9
    for name, arguments in (("adaptive", (scores[:100],)), ("adaptive_last", ())):
        run = lambda s: lesson[name](*arguments, s, *((550,) if name == "adaptive_last" else ()), 0.05)  # noqa: B023, E731
        start = 550 if name == "adaptive_last" else 0
        np.testing.assert_array_equal(run(scores)[: 651 - start], run(other)[: 651 - start])


def test_volatility_is_known_the_evening_before(lesson):
    r = np.random.default_rng(6).standard_normal(50)
    got, v = lesson["filtered"](0.1, 0.05, 0.1, 0.8, r, 2.0), 2.0
    for t in range(50):
        assert got[t] == pytest.approx(np.sqrt(v if t else 2.0))
        v = 0.1 + (0.05 + 0.1 * (r[t] < 0)) * r[t] ** 2 + 0.8 * v


def test_psi_and_ks_are_those_of_a_library(lesson):
    rng = np.random.default_rng(7)
    a, b = rng.random((3, 200)), rng.random((3, 200)) ** 1.3
    for k in range(3):
        assert lesson["ks_distance"](a, b)[k] == pytest.approx(stats.ks_2samp(a[k], b[k]).statistic)
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.4, 0.2])
    assert lesson["psi"](p, q) == pytest.approx(stats.entropy(p, q) + stats.entropy(q, p))
    known = rng.random((2, 1_000))
    assert lesson["score_psi"](known, known[:, None])[:, 0] == pytest.approx(0, abs=1e-6)
    assert (lesson["score_psi"](known, known[:, None] ** 3)[:, 0] > 0.25).all()


def test_the_promise_test_is_standard_for_a_right_model_and_positive_for_a_proud_one(lesson):
    rng = np.random.default_rng(8)
    z = rng.normal(-2, 1, (4_000, 500))
    y = (rng.random(z.shape) < expit(z)).astype(float)
    t = lesson["promise_test"](expit(z), y)
    assert abs(t.mean()) < 0.06 and t.std() == pytest.approx(1, abs=0.04)
    assert lesson["promise_test"](expit(-2 + 2 * (z + 2)), y).mean() > 1


def test_money_lost_is_nothing_for_who_knows_and_positive_for_others(lesson):
    chance = np.random.default_rng(9).random((2, 1_000)) * 0.4
    assert lesson["excess"](chance, chance) == pytest.approx([0, 0])
    flipped = lesson["excess"](0.24 - chance, chance)
    by_hand = np.abs(chance - 0.12).mean(axis=1) * 1_000 * 20_000
    np.testing.assert_allclose(flipped, by_hand)


@pytest.mark.parametrize(("h", "shift", "known"), [(4, 0.0, 336), (5, 0.0, 930), (4, 1.0, 8.38), (5, 1.0, 10.4)])
def test_run_lengths_are_the_published_ones(lesson, h, shift, known):
    assert lesson["run_length"](h, shift) == pytest.approx(known, rel=0.01)


def test_newton_in_batches_finds_the_weights_of_scikit_learn(lesson):
    made = worlds.drifting_invoices(3, 8, 1_000, seed=10)
    log_odds = lesson["fit_logistic"](made)
    new = made.x[:, 7]
    for w in range(3):
        train, _ = lesson["window_rows"](0)
        rows = lesson["terms"](made.x[w, 1:5].reshape(-1, 5))[train, 1:]
        theirs = LogisticRegression(C=1 / 5.0, tol=1e-8, max_iter=2_000).fit(rows, made.default[w, 1:5].ravel()[train])
        np.testing.assert_allclose(
            log_odds(1, new)[w], theirs.decision_function(lesson["terms"](new[w])[:, 1:]), atol=0.01
        )


def _book(seed: int) -> dict:
    rng = np.random.default_rng(seed)
    lost = 50_000 * rng.random((3, 4, 10))
    return {
        "lost": lost,
        "T": rng.normal(1, 1, lost.shape),
        "PSI": 0.2 * rng.random(lost.shape),
        "changed": rng.random((3, 10)) < 0.2,
    }


def test_hindsight_is_the_best_of_all_schedules(lesson):
    book, price = _book(11), 20_000
    best = np.full(3, np.inf)
    for code in range(8):
        s, cost = 0, np.zeros(3)
        for q in range(4):
            if q and code >> (q - 1) & 1:
                s, cost = q, cost + price
            cost = cost + book["lost"][:, s, q + 6]
        best = np.minimum(best, cost / 4)
    np.testing.assert_allclose(lesson["hindsight"](book, price), best)


def test_rules_pay_what_they_ask_for_and_are_never_better_than_hindsight(lesson):
    book, price = _book(12), 20_000
    bound = lesson["hindsight"](book, price)
    for rule, settings in lesson["SETTINGS"].items():
        for setting in settings:
            cost, models, false = lesson["follow"](book, rule, setting, price)
            assert (cost >= bound - 1e-6).all() and (false <= models + 1e-9).all()
            more = lesson["follow"](book, rule, setting, price + 4_000)[0]
            np.testing.assert_allclose(more - cost, models / 4 * 4_000)
    assert (lesson["follow"](book, "calendar", 1, price)[1] == 3).all()
    assert (lesson["follow"](book, "never", 0, price)[1] == 0).all()


def test_monitors_use_only_what_is_known_by_then(lesson):
    """Outcomes of the last LATE + 1 quarters and inputs of the quarter itself do not move a decision."""
    book = _book(13)
    for rule, field, first in (("outcomes", "T", 3 + 4), ("inputs", "PSI", 3 + 6)):
        other = {name: values.copy() for name, values in book.items()}
        other[field][:, :, first:] = 99
        for setting in lesson["SETTINGS"][rule]:
            a, b = (lesson["follow"](some, rule, setting, 1e5)[1] for some in (book, other))
            np.testing.assert_array_equal(a, b)


def test_flips_are_counted_by_pairs(lesson):
    scores = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 5.0], [4.0, 3.5], [5.0, 4.0]])
    assert lesson["flipped"](scores) == pytest.approx(2 / 5)
    assert lesson["flipped"](np.tile(np.arange(10.0)[:, None], 3)) == 0
