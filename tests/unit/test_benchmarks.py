"""What the benchmarks report is right; how fast anything is, no test asks."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import harness, training

ROOT = Path(__file__).resolve().parents[2]


def test_ways_take_turns_and_the_first_is_ours():
    calls = []

    def way(name):
        def run():
            calls.append(name)
            sum(range(400_000))  # some milliseconds, so that a turn is a few runs

        return run

    result = harness.compare("x", {"ours": way("a"), "theirs": way("b")}, repeats=3)
    turns = [name for i, name in enumerate(calls) if i == 0 or calls[i - 1] != name]
    assert turns == ["a", "b"] * (len(turns) // 2) and len(turns) >= 2 * 3
    assert [len(s) for s in result.seconds.values()] == [3, 3] and min(map(min, result.seconds.values())) > 0
    with pytest.raises(ValueError, match="ours"):
        harness.compare("x", {"theirs": way("b"), "ours": way("a")})


def test_ratios_are_medians_over_the_rounds():
    result = harness.Result("x", {"ours": [1.0, 2.0, 10.0], "theirs": [3.0, 4.0, 10.0], "bare": [0.5, 1.0, 2.0]})
    assert result.faster_than("theirs") == 2.0  # the ratios are 3, 2 and 1
    assert result.slower_by("bare") == 1.0  # 0.5, 1 and 8
    result.at_least(2, "theirs")
    result.at_least(2.1, "theirs")
    result.limit(2, "bare")
    result.at_most(1, "not measured")
    assert [goal["met"] for goal in result.goals] == [True, False, True] and result.limits == ["bare"]
    assert result.to_dict()["summary"]["ours"] == {"median": 2.0, "min": 1.0, "max": 10.0}


def test_the_slope_tells_flat_time_per_row_from_a_square(monkeypatch):
    for power in (1, 2):
        monkeypatch.setattr(harness, "once", lambda way, power=power: 1e-6 * way() ** power)
        result = harness.slope("x", lambda scale: (lambda: scale * 10, scale * 10))
        assert result.goals[0]["value"] == pytest.approx(power) and result.goals[0]["met"] == (power == 1)
        assert len(result.notes) == 3 and "peak" in result.notes[0]


def test_what_is_not_installed_is_skipped_by_name(capsys, monkeypatch):
    assert harness.installed("numpy") and capsys.readouterr().out == ""
    assert not harness.installed("numpy", "no_such_backtester")
    assert capsys.readouterr().out == "  skipped: no_such_backtester not installed\n"
    monkeypatch.setattr(training, "installed", lambda *_: False)
    assert training.run() == []


def test_report_and_figure(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "OUT", tmp_path / "bench")
    result = harness.Result("x", {"ours": [1.0], "a loop": [300.0], "the limit": [0.5]})
    result.limit(3, "the limit")
    report = {"machine": "this one", "benchmarks": {"some": {"date": "2026-01-01", "results": [result.to_dict()]}}}
    command._write(report)
    assert json.loads((tmp_path / "bench/report.json").read_text(encoding="utf-8")) == report
    assert (tmp_path / "bench/figure.png").read_bytes().startswith(b"\x89PNG")
    text = command._lines(result.to_dict())
    assert "a loop" in text and "✓ ≤ 3 × the time of the limit: 2" in text


def test_a_broken_benchmark_is_named_and_fails(monkeypatch, capsys):
    monkeypatch.setattr(command, "NAMES", ("no_such_benchmark",))
    monkeypatch.setattr(sys, "argv", ["benchmarks"])
    monkeypatch.setattr(command, "_old", lambda: {"benchmarks": {}})
    assert command.main() == 1
    assert "These broke: no_such_benchmark" in capsys.readouterr().out
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "speed"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "unknown: speed" in done.stderr and "fraud_features" in done.stderr
