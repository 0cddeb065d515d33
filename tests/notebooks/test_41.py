"""Customer management: the notebook's own functions against closed forms and independent libraries."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "41_customer_management.ipynb"


@pytest.fixture(scope="module")
def lesson() -> dict:
    """The functions of the cells with the tag `functions` that need no Keras."""
    space = {"np": np, "pd": pd, "stats": stats, "expit": expit, "SEED": 7, "CALL": 3.0, "BONUS": 10.0}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if "functions" in cell["metadata"].get("tags", []) and "keras" not in source and "run." not in source:
            exec(source, space)
    return space


def test_newton_finds_the_weights_of_scikit_learn(lesson):
    rng = np.random.default_rng(1)
    x, t = rng.normal(size=(4_000, 3)), rng.integers(0, 2, 4_000).astype(float)
    y = (rng.random(4_000) < expit(-1 + x @ [0.5, -0.2, 0] + t * (0.3 - 0.6 * x[:, 0]))).astype(float)
    main, shift = lesson["logistic"](x, x, t, y, 3.0)
    theirs = LogisticRegression(C=1 / 3, tol=1e-8, max_iter=1_000)
    columns = np.column_stack([x, 1e4 * t, x * t[:, None]])  # a large column escapes the penalty, as t does in ours
    theirs.fit(columns, y)
    np.testing.assert_allclose(main, np.r_[theirs.intercept_, theirs.coef_[0, :3]], atol=1e-3)
    np.testing.assert_allclose(shift, np.r_[1e4 * theirs.coef_[0, 3], theirs.coef_[0, 4:]], atol=1e-3)


def test_the_qini_curve_by_a_plain_loop_and_by_causalml(lesson):
    rng = np.random.default_rng(2)
    t, y, score = rng.integers(0, 2, 300), rng.integers(0, 2, 300), rng.normal(size=300)
    curve, order = lesson["qini"](score, t, y), np.argsort(-score)
    for k in (50, 120, 300):
        first = order[:k]
        alone, contacted = first[t[first] == 0], first[t[first] == 1]
        kept = y[alone].sum() * len(contacted) / len(alone) - y[contacted].sum()
        assert curve[k - 1] == pytest.approx(100 * kept / t.sum())
    metrics = pytest.importorskip("causalml.metrics")
    frame = pd.DataFrame({"y": 1 - y, "w": t, "ours": score})  # theirs counts what a contact brings: who stayed
    theirs = metrics.get_qini(frame)["ours"].to_numpy()
    np.testing.assert_allclose(100 * theirs[50:] / t.sum(), curve[49:], atol=1e-9)


def test_the_true_qini_is_the_mean_of_many(lesson):
    rng = np.random.default_rng(3)
    u = rng.normal(0.05, 0.1, 4_000)
    p0 = 0.4 + u / 2
    curves = []
    for _ in range(60):
        t = rng.integers(0, 2, len(u))
        curves.append(lesson["qini"](u, t, (rng.random(len(u)) < p0 - t * u).astype(int)))
    expected = lesson["true_qini"](u, u)
    error = np.std(curves, axis=0) / 60**0.5
    assert (np.abs(np.mean(curves, axis=0) - expected) < 4 * error + 0.05)[200:].all()
    assert lesson["above_line"](expected) > 1 and abs(lesson["above_line"](np.arange(1, 101) / 100)) < 1e-12


def test_a_list_stays_in_its_budget_and_stops_where_a_euro_brings_less(lesson):
    rank, cost = np.array([3.0, 1.0, 2.0, 0.5]), np.array([4.0, 4.0, 5.0, 1.0])
    assert lesson["shortlist"](rank, cost, 9.5).tolist() == [True, False, True, False]
    assert lesson["shortlist"](rank, cost, 99.0, last=1).tolist() == [True, False, False, False]
    u, p0, value = np.array([0.1, 0.0, 0.05, 0.1]), np.full(4, 0.2), np.array([1000.0, 1000.0, 50.0, 300.0])
    assert lesson["by_return"](u, p0, value, 1e9).tolist() == [True, False, False, True]


def test_the_size_of_a_trial_is_that_of_statsmodels(lesson):
    power = pytest.importorskip("statsmodels.stats.power").NormalIndPower()
    for p, delta in ((0.14, 0.015), (0.4, 0.05)):
        one_arm = power.solve_power(delta / np.sqrt(p * (1 - p)), alpha=0.05, power=0.8)
        assert lesson["trial_size"](p, delta) == pytest.approx(2 * one_arm, rel=1e-3)
    assert lesson["found_share"](lesson["trial_size"](0.2, 0.03), [0.215], [0.185]) == pytest.approx(0.8, abs=0.03)


def test_the_loss_of_the_unseen_prefers_the_truth(lesson):
    rng = np.random.default_rng(4)
    u, p0, t = rng.normal(0, 0.2, 400_000).clip(-0.3, 0.3), 0.5, rng.integers(0, 2, 400_000)
    y = rng.random(len(u)) < p0 - t * u
    loss = lambda guess: lesson["r_loss"](y, t, p0 - u / 2, guess)  # noqa: E731
    assert loss(0 * u) - loss(u) == pytest.approx(np.mean(u**2) / 4, rel=0.05)
