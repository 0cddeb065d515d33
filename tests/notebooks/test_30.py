"""Credit risk: the functions of the notebook on worlds with a known answer, and its desk on a file of your own."""

import json
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient
from scipy import stats

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "30_credit_risk.ipynb"
CELLS = [
    (cell["metadata"].get("tags", []), "".join(cell["source"]))
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    if cell["cell_type"] == "code"
]
# Annex 5 of the Basel Committee's framework of June 2006: risk weights in percent, by asset and LGD, then by PD
ANNEX_5 = {
    ("corporate", 0.45): {0.0003: 14.44, 0.0005: 19.65, 0.0025: 49.47, 0.0075: 82.78, 0.015: 105.59, 0.025: 122.16},
    ("mortgage", 0.45): {0.0003: 4.15, 0.0005: 6.23, 0.0025: 21.30, 0.0075: 46.46, 0.015: 73.45, 0.03: 111.99},
    ("mortgage", 0.25): {0.0003: 2.30, 0.0005: 3.46, 0.0025: 11.83, 0.0075: 25.81, 0.015: 40.80, 0.03: 62.22},
    ("other retail", 0.45): {0.0003: 4.45, 0.0005: 6.63, 0.0025: 21.15, 0.0075: 40.10, 0.015: 53.37, 0.025: 60.90},
    ("revolving", 0.85): {0.0003: 1.85, 0.0005: 2.86, 0.0025: 10.88, 0.0075: 26.06, 0.015: 44.19, 0.025: 64.18},
}


def source(part: str, until: str = "\0") -> str:
    """The one code cell that holds `part`, up to `until`."""
    (found,) = [text for _, text in CELLS if part in text]
    return found.partition(until)[0]


@pytest.fixture(scope="module")
def lesson() -> dict:
    space: dict = {}
    exec(source("from sklearn.base import"), space)
    for part, until in (
        ("def monotone_edges(", "\0"),
        ("class WeightOfEvidence(", "\0"),
        ("def basel_capital(", "\0"),
        ("def ways_to_fit(", "\0"),
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


@pytest.mark.parametrize("case", ANNEX_5, ids=str)
def test_basel_capital_reproduces_rows_of_annex_5_that_the_notebook_does_not_use(lesson, case):
    asset, lgd = case
    for probability, printed in ANNEX_5[case].items():
        assert 1250 * float(lesson["basel_capital"](probability, lgd, asset)) == pytest.approx(printed, abs=0.006)


def test_longer_corporate_loans_need_more_capital_and_certain_default_none(lesson):
    capital = lesson["basel_capital"]
    assert (
        capital(0.01, 0.45, "corporate", 5.0) > capital(0.01, 0.45, "corporate") > capital(0.01, 0.45, "corporate", 1.0)
    )
    assert capital(1 - 1e-9, 0.45, "revolving") == pytest.approx(0, abs=1e-3)


def test_reject_inference_is_right_only_where_the_selection_is_recorded(lesson):
    from helpers import worlds

    for hidden, low, high in ((0.0, -5, 5), (1.0, 15, 40)):
        past, new = (worlds.loan_applicants(20_000, hidden=hidden, seed=s) for s in (11, 12))
        refused = new[new["accepted"] == 0]
        said = lesson["ways_to_fit"](past)["accepted only"].predict_proba(refused[lesson["FIELDS"]])[:, 1]
        assert low < 100 * (refused["default"].mean() - said.mean()) < high


@pytest.fixture
def own_file(tmp_path) -> Path:
    rng = np.random.default_rng(3)
    n = 300
    income, late = rng.lognormal(8, 0.5, n), rng.poisson(0.7, n)
    frame = pd.DataFrame({"key": [f"K{i}" for i in range(n)], "income": [f"{v:,.0f}" for v in income], "late": late})
    frame["job"] = rng.choice(["clerk", "nurse", "driver", "farmer", "one of few"], n, p=[0.4, 0.3, 0.2, 0.09, 0.01])
    frame.loc[rng.choice(n, 60, replace=False), "job"] = None
    frame.loc[rng.choice(n, 60, replace=False), "late"] = np.nan
    frame["bad"] = (rng.random(n) < 1 / (1 + np.exp(1 - 0.8 * late))).astype(int)
    frame.to_csv(tmp_path / "mine.csv", index=False)
    return tmp_path / "mine.csv"


@pytest.mark.parametrize("kinds", ["both", "words", "numbers"])
def test_every_method_of_the_desk_takes_a_file_of_ones_own(lesson, own_file, kinds):
    from helpers import datasets

    frame = datasets.read_own(own_file, "bad")
    frame = frame.drop(columns={"both": [], "words": ["income", "late"], "numbers": ["job"]}[kinds])
    space = dict(lesson) | {
        "applicants": frame,
        "TARGET": "bad",
        "SENSITIVE": ["age"],
        "outcome": frame["bad"].to_numpy(),
    }
    exec(source("def prepared(", "print("), space)
    exec("def encoding" + source("def encoding(", "\n\n\nmachine =").partition("def encoding")[2], space)
    exec(source("FAMILIES = {"), space)
    people, y, rows = space["people"], space["outcome"], np.arange(200)
    assert people.notna().to_numpy().all() == (kinds == "words")
    for name, settings in space["FAMILIES"].items():
        model = settings[1].fit(people.iloc[rows], y[rows])
        assert np.isfinite(model.decision_function(people.iloc[200:])).all(), name
    space["SIZES"] = [people[name].nunique() + 2 for name in space["WORDS"]]
    space["OFFSETS"] = np.cumsum([0, *space["SIZES"][:-1]])
    exec(source("def network_inputs(", "\n\n\nnetwork ="), space)
    codes, numbers = space["network_inputs"](rows)
    assert codes.shape == (300, len(space["WORDS"])) and np.isfinite(numbers).all()
    assert codes.min() >= 0 and codes.max() < sum(space["SIZES"])


@pytest.mark.slow
def test_the_desk_of_the_notebook_runs_on_a_file_of_ones_own(own_file, monkeypatch):
    """From the first cell to the race and its verdict; the race of the card clients is cut."""
    monkeypatch.setenv("COURSE_PROGRESS", "off")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    (end,) = [i for i, cell in enumerate(code) if cell.source.startswith("held = {")]
    verdict = [cell for cell in code if cell.source.startswith(("def by_fold(", "pairs = [", "def desk_cost("))]
    claims = [cell for cell in code if cell.source.startswith("german, taiwan = ")]
    assert len(verdict) == 3 and len(claims) == 1
    claims[0].source = claims[0].source.partition("top = ")[0]
    notebook.cells = [*code[: end + 1], *verdict, *claims]
    (settings,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    settings.source += f"\nOWN_DATA, OWN_TARGET = {str(own_file)!r}, 'bad'"
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    text = nbformat.writes(notebook)
    assert "300 applicants, 3 fields" in text and "key: left out" in text
    assert text.count("not checked on data of your own") == 7


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        ("refused_share", "def refused_share(p, cost): return np.mean(np.asarray(p) > cost / (1 + cost))"),
        ("first_gamma", "def first_gamma(A): return 1 / A.shape[1]"),
        ("sme_risk_weight", "def sme_risk_weight(p, sales): return 1250 * basel_capital(p, 0.45, 'corporate')"),
        ("left_over", "equal = lent"),
    ],
)
def test_checks_refuse_a_wrong_answer(lesson, check, wrong):
    from helpers.metrics import classifier

    rng = np.random.default_rng(0)
    group = np.array(["men", "women"])[rng.integers(0, 2, 2000)]
    p = rng.random(2000) * np.where(group == "men", 1.0, 0.8)
    space = dict(lesson) | {"classifier": classifier, "stats": stats, "held": {"scorecard": p}, "sex": group}
    space |= {"repays": (rng.random(2000) > p).astype(int), "lent": (p < 0.3).astype(int)}
    exec(wrong, space)
    (cell,) = [text for tags, text in CELLS if "check" in tags and check in text]
    with pytest.raises(AssertionError):
        exec(cell, space)
