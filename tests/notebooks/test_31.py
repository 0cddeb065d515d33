"""Notebook 31: its features and sequences use only labels that have arrived, and mean what their names say."""

import json
from collections import namedtuple
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from helpers import audit, windows, worlds

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "31_fraud_detection.ipynb"
DAY, DELAY = worlds.DAY, 7
LATE = {"label": "fraud", "day": "day", "label_day": "label_day"}


@pytest.fixture(scope="module")
def lesson():
    """The functions of the notebook's own cells, found by their tags."""
    names = {"np": np, "pd": pd, "windows": windows, "namedtuple": namedtuple, "DAY": DAY, "DELAY": DELAY, "norm": norm}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        source, tags = "".join(cell["source"]), cell["metadata"].get("tags", [])
        if "features" in tags:
            exec(source.partition("\nknown = ")[0], names)
        if "oracle" in tags:
            exec(source.partition("\nbest_possible, ")[0], names)
        if "folds" in tags:
            exec(source[source.index("def open_rows") : source.index("\nweeks = ")], names)
    return names


@pytest.fixture(scope="module")
def frame():
    return worlds.payments(150, 300, 60, seed=5).transactions


def flat(lesson, frame):
    parts = lesson["sequences"](lesson["Book"](frame, lesson["features"](frame)), np.arange(len(frame)))
    return np.concatenate([part.reshape(len(frame), -1) for part in parts.values()], axis=1)


def test_features_and_sequences_use_only_labels_that_have_arrived(lesson, frame):
    audit.assert_labels_arrived(lesson["features"], frame, **LATE)
    audit.assert_labels_arrived(lambda f: flat(lesson, f), frame, **LATE)


@pytest.mark.parametrize("make", ["features", "sequences"])
def test_a_delay_cut_by_a_day_would_be_caught(lesson, frame, make, monkeypatch):
    monkeypatch.setitem(lesson, "DELAY", DELAY - 1)
    shorter = {"features": lambda f: lesson["features"](f, delay=DELAY - 1), "sequences": lambda f: flat(lesson, f)}
    with pytest.raises(audit.LeakError):
        audit.assert_labels_arrived(shorter[make], frame, **LATE)


def test_the_equal_inputs_hold_what_they_say_and_see_no_future(lesson, frame):
    def columns(values):
        part = frame.iloc[: len(values)].assign(**values)
        return lesson["with_equal_inputs"](part, lesson["features"](part))

    equal = columns(frame[["amount", "fraud"]])
    audit.assert_no_lookahead(columns, frame[["amount", "fraud"]])
    busy = int(equal["card_count_hour"].to_numpy().argmax())
    now = frame.iloc[busy]
    own = frame.iloc[: busy + 1].query("customer == @now.customer")
    assert equal["card_count_hour"].iloc[busy] == (own["time"] > now["time"] - 3600).sum() > 1
    month = own[own["time"] > now["time"] - 30 * DAY]
    assert equal["ratio"].iloc[busy] == pytest.approx(now["amount"] / month["amount"].mean(), rel=1e-4)


def test_a_sequence_holds_what_it_says(lesson, frame):
    known = lesson["features"](frame)
    row = int(np.flatnonzero((frame["day"] > 50) & (known["terminal_risk_30"] > 0))[0])
    parts = lesson["sequences"](lesson["Book"](frame, known), np.array([row]))
    now = frame.iloc[row]
    own = frame.iloc[: row + 1].query("customer == @now.customer").tail(lesson["CARD"])
    there = frame.query("terminal == @now.terminal and time <= @now.time - 7 * 86400").tail(lesson["TERMINAL"])
    n, m = len(own), len(there)
    ratio = np.log(np.maximum(own["amount"], 0.01) / known["card_mean_30"].iloc[row])
    np.testing.assert_allclose(parts["card"][0, -n:, 0], ratio, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(parts["terminal"][0, -m:, 0], there["fraud"])
    np.testing.assert_allclose(parts["terminal"][0, -m:, 1] * 30, (now["time"] - there["time"]) / DAY, rtol=1e-5)
    assert not parts["card"][0, :-n].any() and not parts["terminal"][0, :-m].any()
    assert parts["card"][0, -n:, 3].all() and parts["terminal"][0, -m:, 2].all()


def test_open_rows_drop_cards_with_a_reported_fraud_and_no_others(lesson, frame):
    fold = namedtuple("Fold", "test")(np.flatnonzero(frame["day"].between(45, 51)))
    kept = set(lesson["open_rows"](frame, fold))
    for row in fold.test:
        customer, day = frame["customer"].iloc[row], frame["day"].iloc[row]
        reported = (frame["customer"] == customer) & (frame["fraud"] == 1) & frame["day"].between(45 - 14, day - 8)
        assert (row in kept) == (not reported.any())


def test_the_oracle_s_probabilities_are_true_and_its_certainties_certain(lesson):
    world = worlds.payments(3_000, 6_000, 60, seed=6)
    probability, visible = lesson["oracle"](world)
    fraud = world.transactions["fraud"].to_numpy()
    assert fraud[probability == 1].all() and visible[probability == 1].all()
    for low, high in ((0.001, 0.2), (0.2, 0.8), (0.8, 0.9999)):
        part = (probability > low) & (probability < high)
        spread = np.sqrt(np.sum(probability[part] * (1 - probability[part])))
        assert abs(fraud[part].sum() - probability[part].sum()) < 4 * spread, (low, part.sum())
    assert not fraud[(probability == 0) & visible].any()
