import json
import shutil
import subprocess
from pathlib import Path

import pytest

from helpers.course import proofs, seeds
from helpers.errors import CourseError
from helpers.notebooks import Notebook

CODE = "from helpers import evidence, training\nfrom helpers.metrics import forecast"


def notebook(*sources, **course):
    cells = [{"cell_type": "code", "metadata": {}, "source": source, "outputs": []} for source in sources]
    raw = {"cells": cells, "metadata": {"course": course}, "nbformat": 4}
    return Notebook(Path("10_toy.ipynb"), raw)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A small house: evidence imports record late, metrics.forecast imports a neighbour, plots is by itself."""
    files = {
        "requirements.txt": "numpy==2\n",
        "helpers/__init__.py": "",
        "helpers/evidence.py": "def claim():\n    from helpers import record\n",
        "helpers/record.py": "",
        "helpers/plots.py": "",
        "helpers/training.py": "import numpy",
        "helpers/metrics/__init__.py": "",
        "helpers/metrics/forecast.py": "from . import shared\nfrom .deep import bottom",
        "helpers/metrics/shared.py": "",
        "helpers/metrics/deep/__init__.py": "",
        "helpers/metrics/deep/bottom.py": "import importlib\nimportlib.import_module(f'helpers.readers.{1}')",
        "helpers/readers/__init__.py": "",
        "helpers/readers/tables.py": "",
        "helpers/course/controls.py": "",
        "helpers/worlds/__init__.py": '"""A window."""\nfrom helpers.worlds.payments import payments\n'
        'from helpers.worlds.prices import garch11\n__all__ = ["garch11", "payments"]\n',
        "helpers/worlds/payments.py": "def payments(): ...\n",
        "helpers/worlds/prices.py": "def garch11(): ...\n",
        "data/sets/banknote.toml": "rows = 1\n",
        "data/sets/vix.toml": "rows = 1\n",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.setenv("COURSE_ROOT", str(tmp_path))
    return tmp_path


REACHED = [
    "evidence.py",
    "record.py",
    "training.py",
    "metrics/__init__.py",
    "metrics/shared.py",
    "metrics/deep/bottom.py",
    "readers/tables.py",
]


@pytest.mark.parametrize("name", REACHED)
def test_a_changed_room_that_is_reached_changes_the_key(home, name):
    proofs._imports.cache_clear()
    before = proofs.key(notebook(CODE), "seed", home)
    file = home / "helpers" / name
    file.write_text(file.read_text() + "\nCHANGED = 1\n")
    assert proofs.key(notebook(CODE), "seed", home) != before


def test_words_about_a_room_leave_the_key_alone_and_every_other_line_changes_it(home):
    file = home / "helpers" / "training.py"
    plain = (
        'def fit(x):\n    """Fit it."""\n    # carefully\n    y = x + 1  # one more\n    return f"""# {y}\n# all"""\n'
    )

    def key(source):
        file.write_text(source)
        proofs._imports.cache_clear()
        return proofs.key(notebook(CODE), "seed", home)

    before = key(plain)
    assert (
        key('"""A room."""\n\n# New.\n' + plain.replace("Fit it.", "Fit\n\n    y to x.").replace("carefully", "so"))
        == before
    )
    for old, new in (("+ 1", "+ 2"), ("# all", "# none"), ("# {y}", "{y}"), ("return", "yield")):
        assert key(plain.replace(old, new)) != before, old
    with_string = plain.replace("    y =", '    "kept"\n    y =')
    assert key(with_string) != before  # the second string of a body is no docstring
    assert key("def fit(x:\n") != before  # what cannot be parsed counts as it stands


FIGURE = """fig, ax = plt.subplots()
ax.plot(loss, label="loss")
ax.set(title="Loss falls", xlabel="step", ylim=(0, 1))
fig.suptitle("Both fall")
plots.show(fig, alt="A falling line.")
claim("it falls", loss[-1] < 1)"""


def test_a_figures_words_leave_the_key_alone_however_the_call_is_broken(home):
    before = proofs.key(notebook(FIGURE), "seed", home)
    for old, new in (
        ('"Loss falls"', '"The loss falls steeply – and stays é"'),
        ('"Both fall"', '"Neither rises"'),
        ('fig, alt="A falling line."', '\n    fig,\n    alt="A line that falls "\n    "and stays low.",\n'),
        ("ax.plot", "# The left curve.\nax.plot"),
    ):
        assert FIGURE.count(old) == 1
        assert proofs.key(notebook(FIGURE.replace(old, new)), "seed", home) == before, old
    for old, new in (
        ("(0, 1)", "(0, 2)"),
        ('"loss"', '"gain"'),
        ('"it falls"', '"it sinks"'),
        ('"Loss falls"', 'f"{loss[0]} falls"'),
        ('"Loss falls"', "name"),
        ("show(fig", "show(other"),
        ("ax.set(", "dict("),
        ("loss[-1] < 1", "loss[-1] < 2"),
    ):
        assert proofs.key(notebook(FIGURE.replace(old, new)), "seed", home) != before, new
    inner = 'fig.suptitle(\n        "Both fall",\n    ).set(title="x")'
    nested = f'plots.show(\n    {inner},\n    alt="A line.",\n)\nclaim("y", 1)'
    key = proofs.key(notebook(nested), "seed", home)
    assert proofs.key(notebook(nested.replace("A line.", "Two lines.")), "seed", home) == key
    assert proofs.key(notebook(nested.replace('"y", 1', '"y", 2')), "seed", home) != key
    other = notebook('page = dict(title="Loss falls", alt="A line")')
    assert proofs.key(other, "seed", home) != proofs.key(notebook('page = dict(title="x", alt="A line")'), "seed", home)


def test_what_is_not_reached_leaves_the_key_alone(home):
    before = proofs.key(notebook(CODE), "seed", home)
    for name in ("plots.py", "course/controls.py", "unheard_of.py"):
        (home / "helpers" / name).write_text("CHANGED = 1\n")
    assert proofs.key(notebook(CODE), "seed", home) == before
    assert proofs.key(notebook(CODE, "import helpers.plots"), "seed", home) != before


def test_a_world_that_is_imported_in_one_cell_and_named_in_another(home):
    made = notebook("from helpers import worlds", "worlds.garch11()")
    before = proofs.key(made, "seed", home)
    (home / "helpers/worlds/payments.py").write_text("CHANGED = 1\n")
    assert proofs.key(made, "seed", home) == before, "a world that no cell names"
    (home / "helpers/worlds/prices.py").write_text("CHANGED = 1\n")
    proofs._imports.cache_clear()
    assert proofs.key(made, "seed", home) != before


def test_rooms_of_code_that_cannot_be_read_are_all(home):
    every = {path for path in (home / "helpers").rglob("*.py")}
    assert set(proofs.rooms(["%matplotlib inline\nfrom helpers import plots"], home)) < every
    assert set(proofs.rooms(["x = !ls"], home)) == every


def test_controls_wrong_answers_sets_and_lock_change_the_key(home):
    made = notebook(CODE, 'load("banknote")', controls={"dead": "controls.dead_networks()"})
    keys = [proofs.key(made, "seed", home)]

    def changed():
        keys.append(proofs.key(made, "seed", home))
        return keys[-1] not in keys[:-1]

    made.raw["metadata"]["course"]["controls"]["dead"] = "pass"
    assert changed()
    made.cells[0]["metadata"] = {"course": {"wrong": ["x = 1"]}}
    assert changed()
    (home / "data/sets/vix.toml").write_text("rows = 2\n")
    assert not changed(), "a set that the notebook does not name"
    (home / "data/sets/banknote.toml").write_text("rows = 2\n")
    assert changed()
    (home / "requirements.txt").write_text("numpy==3\n")
    assert changed()
    (home / "requirements.txt").write_text("numpy==3\nuvicorn==1\n")
    assert not changed(), "a package that no result rests on"
    made.raw["metadata"]["course"]["stamp"] = {"seconds": 3}
    assert not changed()
    assert proofs.key(made, "controls", home) != keys[-1]
    (home / "helpers/course/controls.py").write_text("CHANGED = 1\n")
    assert not changed()


def proof(number, seconds, date=""):
    return proofs.Proof(notebook(), f"k{number}", "", seconds, date)


def test_the_budget_takes_what_fits_in_order():
    four = [proof(1, 100), proof(2, 300), proof(3, 100), proof(4, 30)]
    chosen = lambda *of: [one.kind for one in proofs.affordable(four, *of)]  # noqa: E731
    assert chosen(0, 2) == []
    assert chosen(4, 1) == ["k1", "k3", "k4"]
    assert chosen(4, 2) == ["k1", "k2", "k4"]
    assert chosen(60, 1) == ["k1", "k2", "k3", "k4"]


def test_never_proven_comes_first_then_the_oldest(home):
    (home / "notebooks").mkdir()
    made = notebook(CODE, controls={"dead": "pass"}, stamp={"seconds": 20})
    today = {kind: proofs.key(made, kind) for kind in ("stand-ins", "controls", "seed")}
    write = lambda kind, key, date: proofs.write({f"10 {kind}": {"key": key, "date": date, "seconds": 5}})  # noqa: E731
    write("stand-ins", "older", "2026-11-02")
    write("controls", "older", "2026-11-01")
    found = [(one.kind, one.stands, one.seconds) for one in proofs.everything([made], list(today))]
    assert found == [("seed", False, 20), ("controls", False, 5), ("stand-ins", False, 5)]
    write("stand-ins", today["stand-ins"], "2026-11-02")
    assert [one.kind for one in proofs.everything([made], list(today)) if one.stands] == ["stand-ins"]


def git(folder, *arguments):
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@localhost"]
    return subprocess.run(["git", "-C", folder, *who, *arguments], check=True, capture_output=True, text=True).stdout


def test_two_branches_unite_into_valid_json(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_ROOT", str(tmp_path))
    (tmp_path / "results").mkdir()
    shutil.copy(Path(__file__).parents[2] / "results/.gitattributes", tmp_path / "results")
    git(tmp_path, "init", "-q", "-b", "main")

    def commit(**entries):
        proofs.write({f"{name[1:]} seed": {"key": key, "date": date} for name, (key, date) in entries.items()})
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-qm", "Proofs")

    commit(n11=("a", "2026-11-01"), n31=("a", "2026-11-01"))
    git(tmp_path, "checkout", "-qb", "other")
    commit(n11=("b", "2026-11-03"), n10=("b", "2026-11-03"), n40=("b", "2026-11-03T09:00:00+00:00"))
    git(tmp_path, "checkout", "-q", "main")
    commit(n11=("c", "2026-11-02"), n12=("c", "2026-11-02"), n40=("c", "2026-11-03T10:00:00+00:00"))
    git(tmp_path, "merge", "-q", "other", "-m", "Both")
    json.loads((tmp_path / "results/proofs.json").read_text())
    newest = {"10": "b", "11": "b", "12": "c", "31": "a", "40": "c"}
    assert {name[:2]: entry["key"] for name, entry in proofs.read().items()} == newest
    proofs.write({})
    lines = (tmp_path / "results/proofs.json").read_text().splitlines()
    assert [line[1:3] for line in lines[1:-2]] == sorted(newest), "each once, in order"


def test_a_damaged_record_is_one_clear_line(home):
    (home / "results").mkdir()
    (home / "results/proofs.json").write_text("{<<<<<<< HEAD")
    with pytest.raises(CourseError, match=r"results/proofs.json cannot be read .*; restore it with Git"):
        proofs.read()


def ran(*claims, status="ok", origins=None):
    listed = [{"text": text, "status": state, "label_free": free} for text, state, free in claims]
    error = None if status == "ok" else {"cell": 4, "line": "1 / 0", "cause": "ZeroDivisionError: division by zero"}
    return {"claim_list": listed, "status": status, "error": error, "origins": origins or {}}


def test_judgement_of_wrong_worlds():
    band = "AUC: between 0.6 and 0.7"
    good = {
        "a": ran(("one", "failed", False), (band, "held", False), ("free", "held", True), ("assert x", "held", False)),
        "b": ran((f"{band}, but this run gave 0.5", "failed", False), ("one", "held", False), ("free", "held", True)),
    }
    assert proofs.judge_controls(good) == []
    good["b"]["claim_list"] = [{"text": "free", "status": "failed", "label_free": True}]
    assert proofs.judge_controls(good) == [
        f"survives every wrong world: {band}",
        "marked label_free, but world 'b' breaks it: free",
    ]
    assert proofs.judge_controls({"a": ran(("free", "held", True), ("assert x", "failed", False))}) == [
        "world 'a' breaks no claim"
    ]
    [fault] = proofs.judge_controls({"a": ran(status="failed")})
    assert fault == "world 'a': failed at cell 4 (1 / 0): ZeroDivisionError: division by zero"
    [fault] = proofs.judge_controls({"a": ran(("one", "failed", False), origins={"vix": "simulated"})})
    assert "stand-in data for vix" in fault


@pytest.mark.parametrize(("runs", "held", "enough"), [(20, 19, True), (20, 18, False), (19, 18, False), (3, 3, True)])
def test_nineteen_of_twenty(runs, held, enough):
    record = {"runs": dict.fromkeys(range(runs)), "claims": {"c": {"held": held, "skipped": 0, "failed": []}}}
    assert seeds.count(record) == [("c", held, runs, enough)]


def test_a_run_that_could_not_check_counts_for_nothing():
    record = {"runs": dict.fromkeys(range(4)), "claims": {"c": {"held": 1, "skipped": 3, "failed": []}}}
    assert seeds.count(record) == [("c", 1, 1, True)]


def test_a_new_world_changes_the_key_of_those_alone_that_use_it(home):
    def keys():
        proofs._imports.cache_clear()
        sources = ["worlds.garch11(9)", "worlds.payments(3)", "getattr(worlds, name)(1)"]
        return [proofs.key(notebook(f"from helpers import worlds\n{use}"), "seed", home) for use in sources]

    before = keys()
    window = home / "helpers/worlds/__init__.py"
    window.write_text("from helpers.worlds.orders import orders\n" + window.read_text())
    (home / "helpers/worlds/orders.py").write_text("def orders(): ...\n")
    new = keys()
    assert new[:2] == before[:2] and new[2] != before[2]
    file = home / "helpers/worlds/payments.py"
    file.write_text(file.read_text() + "\nCHANGED = 1\n")
    assert [new == old for new, old in zip(keys(), before, strict=True)] == [True, False, False]
