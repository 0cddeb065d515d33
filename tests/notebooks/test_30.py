"""Credit risk: the functions of the notebook on worlds with a known answer, and its race on a file of your own."""

import json
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "30_credit_risk.ipynb"
CELLS = [
    "".join(cell["source"])
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    if cell["cell_type"] == "code"
]
# Annex 5 of the Basel Committee's framework of June 2006: risk weights in percent of revolving exposures, by LGD and PD
ANNEX_5 = {
    0.45: {0.001: 2.71, 0.005: 10.04, 0.01: 17.22, 0.02: 28.92},
    0.85: {0.0003: 1.85, 0.0005: 2.86, 0.0025: 10.88, 0.0075: 26.06, 0.015: 44.19, 0.025: 64.18},
}


def source(part: str, until: str = "\0") -> str:
    """The one code cell that holds `part`, up to `until`."""
    (found,) = [text for text in CELLS if part in text]
    return found.partition(until)[0]


@pytest.fixture(scope="module")
def lesson() -> dict:
    space: dict = {}
    exec(source("from sklearn.base import"), space)
    for part, until in (
        ("def monotone_edges(", "\0"),
        ("class WeightOfEvidence(", "\0"),
        ("def chosen(", "\0"),
        ("def capital(", "\n\n\nprint("),
    ):
        exec(source(part, until), space)
    return space


def test_monotone_bins_find_the_order_of_a_known_risk_and_keep_it(lesson):
    rng = np.random.default_rng(0)
    x = rng.normal(size=5000)
    y = (rng.random(5000) < 1 / (1 + np.exp(2 + x))).astype(int)  # the risk falls with x
    edges = lesson["monotone_edges"](x, y)
    rate = pd.Series(y).groupby(np.searchsorted(edges, x, side="left")).mean()
    assert len(edges) >= 4 and (rate.diff().dropna() < 0).all()
    noise = lesson["monotone_edges"](x, rng.permutation(y))
    assert len(noise) < len(edges)
    assert len(lesson["monotone_edges"](np.full(50, np.nan), np.zeros(50))) == 0
    assert len(lesson["monotone_edges"](np.ones(50), np.arange(50) % 2)) <= 1


def test_weight_of_evidence_equals_counting_and_survives_the_unknown(lesson):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"job": rng.choice(["a", "b", "rare"], 1000, p=[0.6, 0.395, 0.005]), "x": rng.normal(size=1000)}
    )
    frame.loc[:49, "x"] = np.nan
    y = (rng.random(1000) < np.where(frame["job"] == "a", 0.2, 0.5)).astype(int)
    woe = lesson["WeightOfEvidence"]().fit(frame, y)
    values = woe.transform(frame)
    a, b = ((frame["job"] == level).to_numpy() for level in "ab")
    for level in (a, b):
        good, bad = (1 - y)[level].sum(), y[level].sum()
        expected = np.log((good + 0.5) / (bad + 0.5)) - np.log((1 - y).sum() / y.sum())
        assert np.allclose(values[level, 0], expected)
    assert values[a, 0][0] > 0 > values[b, 0][0]
    new = pd.DataFrame({"job": ["never seen"], "x": [np.nan]})
    assert np.isfinite(woe.transform(new)).all() and np.isclose(woe.transform(new)[0, 1], values[0, 1])


def test_the_best_setting_on_the_choosing_rows_is_taken_and_calibrated_there(lesson):
    rng = np.random.default_rng(0)
    z = rng.normal(size=20_000)
    y = (rng.random(20_000) < 1 / (1 + np.exp(1 - z))).astype(int)
    rows = np.arange(5000)
    p = lesson["chosen"]([rng.normal(size=20_000), 3 * z + 2, -z], y, rows)
    assert np.corrcoef(p, 1 / (1 + np.exp(1 - z)))[0, 1] > 0.999
    assert p[5000:].mean() == pytest.approx(y[5000:].mean(), abs=0.01)


@pytest.mark.parametrize("lgd", ANNEX_5, ids=str)
def test_capital_reproduces_published_risk_weights_of_revolving_credit(lesson, lgd):
    for probability, printed in ANNEX_5[lgd].items():
        assert 1250 * float(lesson["capital"](probability, lgd, 0.04)) == pytest.approx(printed, abs=0.006)
    assert lesson["capital"](1 - 1e-9, lgd, 0.04) == pytest.approx(0, abs=1e-3)
    assert lesson["capital"](0.02, lgd, 1e-12) == pytest.approx(0, abs=1e-5)  # independent clients: no bad year


def test_the_noise_floor_equals_the_ece_of_outcomes_drawn_from_the_score():
    from helpers.metrics import classifier

    space = {"np": np, "SEED": 3}
    exec(source("def noise_floor(", "\n\n\ndef isotonic("), space)
    p = np.random.default_rng(0).beta(1, 3, 1003)
    drawn = np.random.default_rng(3).random((200, 1003)) < np.sort(p)
    eces = [classifier.expected_calibration_error(y.astype(int), np.sort(p)) for y in drawn]
    assert space["noise_floor"](p) == pytest.approx((np.mean(eces), np.quantile(eces, 0.95)), abs=1e-12)


def test_additive_boosting_adds_up_and_boosting_does_not():
    """f(a, b) + f(a', b') = f(a, b') + f(a', b) on random points, for the notebook's two kinds of boosting."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    class Run:
        pick = staticmethod(lambda quick, full: quick)

    space = {"HistGradientBoostingClassifier": HistGradientBoostingClassifier, "run": Run}
    exec(
        "def book_boosting" + source("def book_boosting(", "\n\n\ndef kernel").partition("def book_boosting")[2], space
    )
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 4))
    y = (rng.random(4000) < 1 / (1 + np.exp(-2 * X[:, 0] * X[:, 2]))).astype(int)
    a, b = rng.normal(size=(2, 200, 4))
    swap = np.array([True, True, False, False])
    for more, adds in (({"interaction_cst": "no_interactions"}, True), ({}, False)):
        f = space["book_boosting"](0.1, 8, **more).fit(X, y).decision_function
        gap = f(a) + f(b) - f(np.where(swap, a, b)) - f(np.where(swap, b, a))
        assert (np.abs(gap).max() < 1e-9) == adds


def test_a_cut_keeps_what_the_uncured_draw_and_its_interval_covers_that(lesson):
    """In a world where those who miss July draw some of their unused line unless cured, and some bills fall, a cut
    keeps LGD times the mean rise of the uncured; the interval holds it about 19 times in 20. Whoever pays July is not
    counted, and a bill that falls counts zero.
    """
    shocks = 0.2 + 0.3 * np.random.default_rng(1).normal(size=1_000_000)
    rise = np.clip(shocks, 0, 1).mean()
    text = source("def kept_by_cutting(")
    text = text[: text.index("\njune = ")].replace("unused = ", "unused_ = ")
    inside = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        n = 800
        status = np.zeros((n, 6), dtype=int)
        status[:, 3], cured = 2 * (rng.random(n) < 0.5), rng.random(n) < 0.4
        status[:, 5] = np.where(cured, 0, status[:, 3])
        limit = rng.lognormal(11, 0.7, n)
        bill = np.tile(0.3 * limit[:, None], (1, 6))
        growth = 0.2 + 0.3 * rng.normal(size=n)
        bill[:, 5] += np.where(status[:, 3] > 0, growth, 5.0) * 0.7 * limit  # payers draw far more, the cured as much
        space = dict(lesson) | {
            "status": status,
            "bill": bill,
            "limit": limit,
            "unused": 0.7 * np.tile(limit, (6, 1)).T,
        }
        exec(text, space)
        missed, share, healed, keeps, error = space["kept_by_cutting"](np.arange(n))
        assert missed == (status[:, 3] > 0).sum() and share == pytest.approx(missed / n)
        assert healed == pytest.approx(cured[status[:, 3] > 0].mean())
        inside.append(abs(keeps - 0.75 * rise * 0.6) < error)
    assert 0.85 <= np.mean(inside) <= 1


def test_the_squared_hinge_is_least_at_twice_p_less_one():
    """What p = (1 + z) / 2 rests on: LinearSVC on one constant column, no penalty to speak of."""
    from sklearn.svm import LinearSVC

    for p in (0.1, 0.3, 0.8):
        y = (np.arange(1000) < 1000 * p).astype(int)
        z = (
            LinearSVC(C=1e3, dual=False, fit_intercept=False, tol=1e-8)
            .fit(np.ones((1000, 1)), y)
            .decision_function([[1]])
        )
        assert (1 + z[0]) / 2 == pytest.approx(p, abs=1e-3)


def test_chouldechovas_identity_holds_in_the_table_of_groups(lesson):
    """F = π / (1 - π) · (1 - V) / V · (1 - M), for what the notebook prints of each group."""
    rng = np.random.default_rng(0)
    group = np.array(["men", "women"])[rng.integers(0, 2, 4000)]
    p = rng.random(4000) * np.where(group == "men", 0.9, 0.5)
    space = dict(lesson) | {"y_line": (rng.random(4000) < p).astype(int), "cut": (p > 0.3).astype(int), "p_line": p}
    exec("def by_group" + source("def by_group(", "\n\n\npd.concat").partition("def by_group")[2], space)
    table = space["by_group"](group)
    pi, missed, value = table["defaulted"], table["defaulters kept"], table["cut who default"]
    assert np.allclose(table["payers cut"], pi / (1 - pi) * (1 - value) / value * (1 - missed))


def own_frame(n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    income, late = rng.lognormal(8, 0.5, n), rng.poisson(0.7, n)
    frame = pd.DataFrame({"key": [f"K{i}" for i in range(n)], "income": [f"{v:,.0f}" for v in income], "late": late})
    frame["age"] = rng.integers(18, 80, n)
    frame["job"] = rng.choice(["clerk", "nurse", "driver", "farmer", "one of few"], n, p=[0.4, 0.3, 0.2, 0.09, 0.01])
    frame.loc[rng.choice(n, n // 5, replace=False), "job"] = None
    frame["bad"] = (rng.random(n) < 1 / (1 + np.exp(1 - 0.8 * late))).astype(int)
    frame.loc[rng.choice(n, n // 5, replace=False), "late"] = np.nan
    return frame


@pytest.fixture
def own_file(tmp_path) -> Path:
    own_frame().to_csv(tmp_path / "mine.csv", index=False)
    return tmp_path / "mine.csv"


@pytest.mark.parametrize("kinds", ["both", "words", "numbers"])
def test_every_method_takes_a_file_of_ones_own(lesson, own_file, kinds):
    from helpers import datasets

    frame = datasets.read_own(own_file, "bad")
    frame = frame.drop(columns={"both": [], "words": ["income", "late", "age"], "numbers": ["job"]}[kinds])
    space = dict(lesson) | {"applicants": frame, "target": "bad", "outside": [], "outcome": frame["bad"].to_numpy()}
    exec(source("def prepared(", "print("), space)
    exec(source("def encoding("), space)
    exec(source("FAMILIES = {"), space)
    people, y, rows = space["people"], space["outcome"], np.arange(200)
    assert ("age" in people) == ("late is missing" in people) == (kinds != "words")
    for name, settings in space["FAMILIES"].items():
        model = settings[1].fit(people.iloc[rows], y[rows])
        assert np.isfinite(model.decision_function(people.iloc[200:])).all(), name
    space["SIZES"] = [people[name].nunique() + 2 for name in space["WORDS"]]
    space["OFFSETS"] = np.cumsum([0, *space["SIZES"][:-1]])
    exec(source("def network_inputs("), space)
    codes, numbers = space["network_inputs"](rows)
    assert codes.shape == (300, len(space["WORDS"])) and np.isfinite(numbers).all()
    assert codes.min() >= 0 and codes.max() < sum(space["SIZES"])


@pytest.mark.slow
def test_the_notebook_runs_on_a_file_of_ones_own_up_to_its_verdict(own_file, monkeypatch):
    """From the first cell to the race of the applicants, its verdict, the loan decision and the postcode; a column
    named `age` stays in. The race of the card clients is cut.
    """
    monkeypatch.setenv("COURSE_PROGRESS", "off")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    (end,) = [i for i, cell in enumerate(code) if cell.source.startswith("FOLDS, REPEATS = ")]
    starts = ("def by_fold(", "rng, grown = ", "base = outcome.mean()", "places = ")
    verdict = [cell for cell in code if cell.source.startswith(starts)]
    claims = [cell for cell in code if "claims" in cell.metadata.get("tags", [])][:1]
    assert len(verdict) == len(starts)
    claims[0].source = claims[0].source.partition('evidence.band("Taiwan')[0]
    notebook.cells = [*code[: end + 1], *verdict, *claims]
    (settings,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    settings.source += f"\nOWN_DATA, OWN_TARGET = {str(own_file)!r}, 'bad'"
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    text = nbformat.writes(notebook)
    assert "300 applicants, 4 fields" in text and "key: left out" in text
    assert "kept outside the score: no column" in text
    assert text.count("not checked on data of your own") == 3
