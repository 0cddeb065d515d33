"""Bankruptcy and transfer: the notebook's own functions against an independent library and closed forms."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import QuantileTransformer, StandardScaler

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "35_bankruptcy_and_transfer.ipynb"


@pytest.fixture(scope="module")
def lesson() -> dict:
    """The functions of the cells with the tag `functions`, and two that stand among other code."""
    space = {"np": np, "stats": stats, "expit": expit, "NearestNeighbors": NearestNeighbors, "KEPT": 5}
    space["StandardScaler"] = StandardScaler
    wanted = ("normal_ranks", "hot_deck", "fit_around", "terms", "mean_placements", "smote", "upper_bound")
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        for part in "".join(cell["source"]).split("\n\n\n") if cell["cell_type"] == "code" else []:
            if part.startswith(tuple(f"def {name}" for name in wanted)) or part.startswith("TAUS"):
                exec(part, space)
    return space


def test_ranks_are_those_of_a_library_and_survive_any_increasing_map(lesson):
    rng = np.random.default_rng(1)
    known, new = rng.lognormal(size=(400, 3)), rng.lognormal(size=(50, 3))
    new[3, 1] = np.nan
    ours = lesson["normal_ranks"](known, new)
    np.testing.assert_array_equal(ours, lesson["normal_ranks"](np.log(known), np.log(new)))
    assert ours[3, 1] == 0 and np.isfinite(lesson["normal_ranks"](known, 1e9 * new)).all()
    theirs = QuantileTransformer(n_quantiles=400, output_distribution="normal").fit(known).transform(new)
    inner = np.abs(ours) < 2
    assert np.abs(ours - theirs)[inner & np.isfinite(theirs)].max() < 0.1


def test_the_fit_is_ridge_around_a_centre(lesson):
    rng, tau = np.random.default_rng(2), 0.3
    x, y = rng.standard_normal((2, 300, 4)), (np.arange(300) < 50).astype(float)
    x[:, :50] += 0.5
    ridge = lesson["fit_around"](x, y, np.zeros(4), tau)
    for draw in range(2):
        model = LogisticRegression(C=tau**2, tol=1e-10, max_iter=1000).fit(x[draw], y)
        np.testing.assert_allclose(ridge[draw], np.r_[model.intercept_, model.coef_[0]], atol=1e-4)
    centre = np.array([0.5, -1.0, 0.2, 0.0])
    found = lesson["fit_around"](x, y, centre, np.array([tau, tau]))[1]

    def loss(b):
        z = b[0] + x[1] @ b[1:]
        return np.sum(np.logaddexp(0, z) - y * z) + np.sum((b[1:] - centre) ** 2) / (2 * tau**2)

    assert loss(found) == pytest.approx(optimize.minimize(loss, np.zeros(5)).fun, abs=1e-5)
    near = lesson["fit_around"](x, y, centre, 1e-4)[0, 1:]
    np.testing.assert_allclose(near, centre, atol=1e-4)


def test_placements_average_to_the_auc(lesson):
    rng = np.random.default_rng(3)
    y, scores = (rng.random(200) < 0.2).astype(int), rng.integers(0, 30, (3, 200)).astype(float)
    up, down = lesson["mean_placements"](y, scores)
    auc = np.mean([roc_auc_score(y, s) for s in scores])
    assert up.mean() == pytest.approx(auc) == down.mean()


def test_smote_makes_points_between_neighbours(lesson):
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((120, 2)), (np.arange(120) < 20).astype(int)
    more, outcome = lesson["smote"](x, y, rng)
    assert outcome.sum() * 2 == len(outcome) and (more[:120] == x).all()
    low, high = x[:20].min(axis=0), x[:20].max(axis=0)
    assert ((more[120:] >= low) & (more[120:] <= high)).all() and (outcome[120:] == 1).all()


def test_bound_is_that_of_a_library(lesson):
    for k, n in ((0, 300), (3, 800), (30, 300)):
        theirs = stats.binomtest(k, n).proportion_ci(0.90, method="exact").high  # two-sided 90 %: one-sided 95 %
        assert lesson["upper_bound"](k, n) == pytest.approx(theirs)
    assert lesson["upper_bound"](0, 300) == pytest.approx(1 - 0.05 ** (1 / 300))


def test_hidden_gaps_take_values_of_their_column(lesson):
    table = np.array([[1.0, np.nan], [np.nan, 5.0], [3.0, 6.0]])
    out = lesson["hot_deck"](table, np.random.default_rng(5))
    assert out[1, 0] in (1.0, 3.0) and out[0, 1] in (5.0, 6.0) and np.isnan(table).sum() == 2
