"""Personalised pricing: the notebook's own functions against closed forms and independent fits."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize
from scipy.special import expit, lambertw
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import PolynomialFeatures

from helpers import worlds
from helpers.worlds.pricing import FIELDS

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "45_personalised_pricing.ipynb"
CELLS = [
    "".join(c["source"]) for c in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"
]


def source(part: str, until: str = "\0") -> str:
    """The one code cell that holds `part`, up to `until`."""
    (found,) = [text for text in CELLS if part in text]
    return found.partition(until)[0]


@pytest.fixture(scope="module")
def lesson() -> dict:
    space: dict = {"np": np, "pd": pd, "expit": expit, "lambertw": lambertw, "FIELDS": FIELDS}
    space |= {"PolynomialFeatures": PolynomialFeatures, "LinearRegression": LinearRegression}
    for part, until in (
        ("def best_price(", "\n\n\nprice, profit"),
        ("def inputs(", "\n\n\nolder_loans"),
        ("def residual(", "\0"),
        ("def newton(", "\0"),
        ("def fit_quadratic(", "\0"),
        ("def regime(", "\0"),
    ):
        exec(source(part, until), space)
    space["GRID"] = np.linspace(0.25, 10, 40)
    return space


@pytest.mark.parametrize(("a", "b", "c"), [(3.0, 1.5, 0.5), (0.2, 0.4, 0.0), (-2.0, 2.0, 1.0), (8.0, 0.3, 7.0)])
def test_the_best_price_is_the_one_that_a_search_finds(lesson, a, b, c):
    price, profit = lesson["best_price"](a, b, c)
    found = optimize.minimize_scalar(lambda p: -(p - c) * expit(a - b * p), bounds=(c, c + 40), method="bounded")
    assert price == pytest.approx(found.x, abs=1e-3) and profit == pytest.approx(-found.fun, rel=1e-8)


def test_newton_finds_the_weights_of_scikit_learn(lesson):
    rng = np.random.default_rng(0)
    X = np.column_stack([np.ones(3_000), rng.standard_normal((3_000, 3))])
    y = (rng.random(3_000) < expit(X @ [0.3, 1.0, -0.5, 0.0])).astype(float)
    ours = lesson["newton"](X, y, 5.0, np.zeros(4), [0])
    theirs = LogisticRegression(C=1 / 5.0, tol=1e-8, max_iter=500).fit(X[:, 1:], y)
    np.testing.assert_allclose(ours, np.r_[theirs.intercept_, theirs.coef_[0]], atol=1e-3)


def test_random_offers_teach_the_classic_model_demand_and_margins(lesson):
    world = worlds.loan_offers(40_000, trial=1.0, hidden=0.0, seed=2)
    x, margin = lesson["inputs"](world.frame), (world.frame["rate"] - world.break_even).to_numpy()
    choose = np.random.default_rng(0).random(40_000) < 0.2
    y = world.frame["accepted"].to_numpy(float)
    demand = lesson["fit_quadratic"](x, margin, np.zeros(40_000), y, choose)
    b = demand[0](x)[1]
    assert np.corrcoef(b, world.sensitivity)[0, 1] > 0.85 and b.mean() == pytest.approx(
        world.sensitivity.mean(), rel=0.1
    )
    m = lesson["best_margins"](demand, x)
    a, b = demand[0](x)
    exact = lesson["best_price"](a, np.maximum(b, 0.02), 0)[0]
    inside = exact < 9.8
    assert np.abs(m - exact)[inside].max() < 0.25  # the grid's step


def test_the_control_of_a_regime_is_what_its_variables_leave(lesson):
    world = worlds.loan_offers(5_000, trial=0.2, seed=3)
    known = {"x": lesson["inputs"](world.frame), "cost": world.frame["cost"].to_numpy()}
    known |= {
        "trial": world.frame["trial"].to_numpy(bool),
        "margin": (world.frame["rate"] - world.break_even).to_numpy(),
    }
    rows, v = lesson["regime"](known, "instrument")
    assert (rows == ~known["trial"]).all() and abs(np.corrcoef(v[rows], known["cost"][rows])[0, 1]) < 1e-4
    rows, v = lesson["regime"](known, "both")
    assert rows.all() and (v[known["trial"]] == 0).all() and abs(np.corrcoef(v, known["x"][:, 0])[0, 1]) < 1e-4
    assert np.corrcoef(v[~known["trial"]], known["cost"][~known["trial"]])[0, 1] > 0.3
    assert not lesson["regime"](known, "historic")[1].any()
