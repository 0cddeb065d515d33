"""Shuffle the outcomes, and the findings must go: a claim that still holds would have held for any labels.

Each notebook runs in the quick profile on data whose outcome columns are permuted where they are loaded or simulated.
Every claim must then fail, but for those that do not speak of the outcome: they are listed, and must hold.
"""

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"

DEALT = """
whole = datasets.load

def dealt(name, *arguments, **options):
    frame = whole(name, *arguments, **options)
    if name == "online_retail":  # each invoice goes to a customer drawn at random
        invoice, known = frame["invoice"].factorize()[0], frame["customer_id"].notna()
        drawn = np.random.default_rng(0).choice(frame["customer_id"].dropna().unique(), invoice.max() + 1)[invoice]
        frame["customer_id"] = np.where(known, drawn, np.nan)
    return frame

datasets.load = dealt
"""

OUTCOMES = {
    "40": [{"bank_churners": ["churned"], "cc_general": "all"}, DEALT],
    "30": [{"german_credit": ["default"], "taiwan_default": ["default"]}],
    "31": [
        {"ulb_creditcard": ["fraud"]},
        """
make_payments = worlds.payments

def shuffled_payments(*arguments, **options):
    world = make_payments(*arguments, **options)
    rows = np.random.default_rng(0).permutation(len(world.transactions))
    for column in ("fraud", "kind"):
        world.transactions[column] = world.transactions[column].to_numpy()[rows]
    return world

worlds.payments = shuffled_payments
""",
    ],
}
"""Notebook → the columns to permute by set (or "all", each by itself), and code for worlds."""

LABEL_FREE = {
    "40": (
        "World with two traits",
        "PCA of the same width",
        "BG/NBD fit finds CDNOW's",
        "and the mean drop-out probability",
        "Purchases expected over purchases simulated",
        "No table shows a cell",
        "Agreement of the segments with two questions",
        "Segments differ in their calendar",
        "Visits dealt out at random make the same segments",
        "but their regulars do not stay",
        "Exercise 2",
    ),
    "30": (
        "The Basel formula reproduces",
        "Two hundred thousand simulated years agree",
        "Selection on recorded fields",
        "Selection on an impression",
        "Fuzzy changes nothing",
        "The same hunch loses",
        "AUC of guessing sex from the other columns",
    ),
    "31": ("Exercise 3: every kernel has size 1", "Exercise 4: no reported fraud"),
}
"""Notebook → how the claims begin that do not speak of the outcome."""

SHUFFLE = """
import numpy as np
from helpers import datasets, evidence, worlds
from helpers.errors import ClaimError

COLUMNS = {columns!r}

def shuffled(frame, columns):
    rng = np.random.default_rng(0)
    attrs = frame.attrs
    for column in columns:
        frame[column] = frame[column].to_numpy()[rng.permutation(len(frame))]
    frame.attrs = attrs
    return frame

def loader(load):
    def shuffled_load(name, *arguments, **options):
        frame = load(name, *arguments, **options)
        columns = COLUMNS.get(name, [])
        return shuffled(frame, frame.columns if columns == "all" else columns)
    return shuffled_load

def lenient(claim):
    def record(*arguments, **options):
        try:
            claim(*arguments, **options)
        except ClaimError:
            pass
    return record

datasets.load = loader(datasets.load)
evidence.claim = lenient(evidence.claim)
{more}
"""


def claims(number, folder, monkeypatch, columns, more=""):
    """Texts of the claims by status, after a run on shuffled outcomes."""
    [path] = NOTEBOOKS.glob(f"{number}_*.ipynb")
    notebook = nbformat.read(path, as_version=4)
    first = next(i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code")
    notebook.cells.insert(first + 1, nbformat.v4.new_code_cell(SHUFFLE.format(columns=columns, more=more)))
    monkeypatch.setenv("COURSE_RECORD", str(folder / "records"))
    monkeypatch.setenv("COURSE_PROGRESS", "off")
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()
    lines = [json.loads(line) for line in (folder / "records").read_text(encoding="utf-8").splitlines()]
    if any(line["kind"] == "data" and line["origin"] == "simulated" for line in lines):
        pytest.skip("no network and no mirror: claims about real data are not checked")
    found = {status: [] for status in ("held", "failed", "skipped")}
    for line in lines:
        if line["kind"] == "claim":
            found[line["status"]].append(line["text"])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("number", list(LABEL_FREE))
def test_no_finding_survives_shuffled_outcomes(number, tmp_path, monkeypatch):
    found = claims(number, tmp_path, monkeypatch, *OUTCOMES[number])
    free = LABEL_FREE[number]
    survived = [text for text in found["held"] if not text.startswith(free)]
    assert not survived, "these would hold for any labels: " + "; ".join(survived)
    unused = [start for start in free if not any(text.startswith(start) for text in found["held"])]
    assert not unused, "not label-free, or not claimed: " + "; ".join(unused)
    assert len(found["failed"]) >= 5
