import json

import pandas as pd
import pytest

from helpers import evidence, record
from helpers.errors import ClaimError, CourseError


def frame(origin):
    made = pd.DataFrame({"a": [1]})
    made.attrs["origin"] = origin
    return made


@pytest.fixture
def records(tmp_path, monkeypatch):
    path = tmp_path / "record.jsonl"
    monkeypatch.setenv("COURSE_RECORD", str(path))
    return lambda: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_held_claim_prints_one_line_and_is_recorded(capsys, records):
    evidence.claim("Water is wet", True)
    assert capsys.readouterr().out == "✓ Water is wet\n"
    assert records() == [{"kind": "claim", "text": "Water is wet", "status": "held", "label_free": False}]


def test_a_claim_that_no_wrong_world_can_break_is_recorded_as_such(records):
    evidence.claim("The table has one row", True, label_free=True)
    evidence.band("Share of rows", 1.0, 0.9, 1.1, label_free=True)
    assert [line["label_free"] for line in records()] == [True, True]


def test_a_failed_claim_raises_and_is_recorded(records):
    with pytest.raises(ClaimError, match="does not bear out the claim: Two is three"):
        evidence.claim("Two is three", 2 == 3)
    assert records()[0]["status"] == "failed"


def test_a_claim_on_stand_ins_is_not_checked_and_says_so(capsys, records):
    evidence.claim("The index rose", False, on=[frame("real"), frame("simulated")])
    evidence.band("R²", float("nan"), 0, 1, on=frame("sample"))
    assert capsys.readouterr().out.count("– not checked on stand-in data: ") == 2
    assert {line["status"] for line in records()} == {"skipped"}


def test_a_frame_of_unknown_origin_is_refused():
    with pytest.raises(CourseError, match="attrs say the origin"):
        evidence.claim("…", True, on=pd.DataFrame())


@pytest.mark.parametrize("value", [0.49, 0.71, float("nan"), float("inf")])
def test_a_band_fails_outside_and_shows_the_number(value):
    with pytest.raises(ClaimError, match=f"but this run gave {value:.3f}"):
        evidence.band("AUC", value, 0.5, 0.7)


def test_a_band_prints_the_same_line_for_every_value_inside(capsys):
    evidence.band("AUC", 0.5, 0.5, 0.7)
    evidence.band("AUC", 0.699, 0.5, 0.7)
    assert capsys.readouterr().out == "✓ AUC: between 0.500 and 0.700\n" * 2


def test_a_claim_wants_a_truth_value():
    with pytest.raises(CourseError, match="True or False"):
        evidence.claim("…", 0.03)


def test_metrics_carry_mean_spread_and_number(records):
    evidence.metric("AUC", [0.7, 0.8, 0.9], unit="")
    evidence.metric("loss", 1.5, unit="EUR")
    first, second = records()
    assert (first["mean"], first["std"], first["n"]) == (pytest.approx(0.8), pytest.approx(0.1), 3)
    assert (second["mean"], second["std"], second["n"], second["unit"]) == (1.5, None, 1, "EUR")
    with pytest.raises(CourseError, match="not finite"):
        evidence.metric("AUC", [0.5, float("nan")])


def test_nothing_is_recorded_without_a_runner(monkeypatch, tmp_path):
    monkeypatch.delenv("COURSE_RECORD", raising=False)
    record.write("claim", text="x")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_card_says_how_to_make_one(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(evidence, "RESULTS", tmp_path)
    assert evidence.card(99) is None
    assert "course run 99 --profile full" in capsys.readouterr().out


def test_a_card_is_shown_with_its_origin_and_its_age(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(evidence, "RESULTS", tmp_path)
    card = {
        "date": "2026-01-02T03:04:05+00:00",
        "device": "GPU",
        "backend": "jax",
        "seconds": 61.2,
        "code_sha256": "old",
        "metrics": [{"name": "AUC", "mean": 0.8, "std": 0.01, "n": 5, "unit": ""}],
    }
    (tmp_path / "00.json").write_text(json.dumps(card), encoding="utf-8")
    shown = evidence.card(0)
    assert shown.loc["AUC", "mean"] == 0.8 and shown.loc["AUC", "n"] == 5
    out = capsys.readouterr().out
    assert "2026-01-02 on GPU with Keras on jax, 61 s." in out and "changed since" in out
