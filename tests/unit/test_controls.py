import json

import numpy as np
import pandas as pd
import pytest

from helpers import datasets, evidence, training, worlds
from helpers.course import controls
from helpers.errors import ClaimError, CourseError


@pytest.fixture
def frame(monkeypatch):
    """`datasets.load` answers with a frame of the tests' own; what a control replaces is put back afterwards."""
    frame = pd.DataFrame({"day": pd.date_range("2020-01-01", periods=60), "key": np.repeat([0, 1], 30)})
    frame["x"] = np.arange(60)
    frame["y"] = pd.Categorical(["a", "b", "c"] * 20)
    frame["z"] = frame["x"] * 2
    frame.attrs = {"origin": "real", "name": "toy"}
    monkeypatch.setattr(datasets, "load", lambda name, table=None: frame)
    return frame


def test_shuffle_permutes_the_columns_named_and_nothing_else(frame):
    controls.shuffle({"toy": ["y", "z"]})
    found = datasets.load("toy")
    assert found.attrs == frame.attrs
    assert (found.dtypes == frame.dtypes).all()
    pd.testing.assert_frame_equal(found[["day", "key", "x"]], frame[["day", "key", "x"]])
    for name in ("y", "z"):
        assert sorted(found[name]) == sorted(frame[name])
        assert (found[name].astype(str) == frame[name].astype(str)).mean() < 0.6
    pd.testing.assert_frame_equal(datasets.load("toy"), found)
    pd.testing.assert_frame_equal(datasets.load("another"), frame)


def test_shuffle_all_leaves_nothing_that_hangs_together(frame):
    controls.shuffle({"toy": "all"})
    found = datasets.load("toy")
    assert abs(np.corrcoef(found["x"], found["z"])[0, 1]) < 0.4
    assert sorted(found["day"]) == sorted(frame["day"])


def test_shuffle_of_a_column_that_is_not_there(frame):
    controls.shuffle({"toy": ["defaults"]})
    with pytest.raises(CourseError, match="toy has no column defaults; it has day, key, x"):
        datasets.load("toy")


def test_permuted_rows_keep_their_values_and_their_group(frame):
    controls.permute_rows({"toy": ["day"]}, within="key")
    found = datasets.load("toy")
    pd.testing.assert_frame_equal(found[["day", "key"]], frame[["day", "key"]])
    assert (found["z"] == 2 * found["x"]).all()
    assert sorted(found["x"][:30]) == list(range(30)) and sorted(found["x"][30:]) == list(range(30, 60))
    assert abs(np.corrcoef(found["x"][:30], range(30))[0, 1]) < 0.5


def test_worlds_of_all_shapes(monkeypatch):
    for name in ("loan_applicants", "payments", "ar1"):
        monkeypatch.setattr(worlds, name, getattr(worlds, name))
    true = worlds.loan_applicants(500), worlds.ar1(500)
    size = {"customers": 50, "terminals": 100, "days": 60}
    paid = worlds.payments(**size).transactions
    controls.shuffle_world("loan_applicants", ["default"])
    controls.shuffle_world("ar1", ["target"])
    controls.shuffle_world("payments", ["fraud", "kind"])
    loans, series = worlds.loan_applicants(500), worlds.ar1(500)
    assert loans["default"].sum() == true[0]["default"].sum()
    assert not loans["default"].equals(true[0]["default"])
    pd.testing.assert_frame_equal(loans.drop(columns="default"), true[0].drop(columns="default"))
    assert sorted(series.target) == sorted(true[1].target) and not np.array_equal(series.target, true[1].target)
    assert np.array_equal(series.values, true[1].values)
    shuffled = worlds.payments(**size).transactions
    assert not shuffled["fraud"].equals(paid["fraud"])
    assert (shuffled.groupby("kind")["fraud"].mean() == paid.groupby("kind")["fraud"].mean()).all(), "moved together"
    controls.shuffle_world("ar1", ["nothing"])
    with pytest.raises(CourseError, match="ar1 has no nothing"):
        worlds.ar1(10)


def test_dead_networks_stay_as_they_were_initialised(monkeypatch):
    import keras

    rng = np.random.default_rng(0)
    X, w = rng.standard_normal((300, 4)), rng.standard_normal(300) ** 2
    y = X[:, 0]

    def model():
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
        model.compile("adam", "mse", metrics=["mae"])
        return model

    options = {"validation": (X[:50], y[:50]), "epochs": 9, "patience": 3, "sample_weight": w}
    alive = training.fit(model(), X, y, **options)
    monkeypatch.setattr(training, "fit", training.fit)
    controls.dead_networks()
    network = model()
    dead = training.fit(network, X, y, **options)
    keras.utils.set_random_seed(7)
    fresh = model()
    keras.utils.set_random_seed(7)
    fresh.build(X.shape)
    for one, other in zip(network.get_weights(), fresh.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert type(dead) is type(alive)
    assert list(dead.frame.columns) == list(alive.frame.columns) and dead.frame.index.name == "epoch"
    assert len(dead.frame) == 4 and dead.best_epoch == 1 and dead.frame["loss"].nunique() == 1
    assert dead.frame["val_loss"].iloc[0] == pytest.approx(
        float(np.mean((network.predict(X[:50], verbose=0)[:, 0] - y[:50]) ** 2)), rel=1e-4
    )
    assert dead.plot("nothing learnt").axes


def test_lenient_records_and_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_RECORD", str(tmp_path / "records"))
    monkeypatch.setattr(evidence, "claim", evidence.claim)
    monkeypatch.setattr(evidence, "band", evidence.band)
    with pytest.raises(ClaimError):
        evidence.claim("loud", False)
    controls.lenient()
    evidence.claim("quiet", False, label_free=True)
    evidence.band("AUC", 0.5, 0.6, 0.7)
    evidence.claim("true", True)
    with pytest.raises(CourseError, match="needs True or False"):
        evidence.claim("no truth value", 1.0)
    lines = [json.loads(line) for line in (tmp_path / "records").read_text().splitlines()]
    assert [(line["text"], line["status"], line["label_free"]) for line in lines[1:]] == [
        ("quiet", "failed", True),
        ("AUC: between 0.600 and 0.700, but this run gave 0.500", "failed", False),
        ("true", "held", False),
    ]
    assert capsys.readouterr().out.count("✗ This run does not bear out the claim") == 2
