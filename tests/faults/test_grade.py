"""`course grade` as a teacher uses it, on the copies of honest readers and of others."""

import csv
import json
import os
import socket

import pytest

from helpers.course import confine, grade
from helpers.notebooks import Notebook
from tests.faults.toys import add, cell, course

confined = pytest.mark.skipif(confine.version() < confine.NEEDED, reason="this system cannot confine a program")

FIRST = {"solution": "def double(x):\n    return 2 * x", "check": "assert double(3) == 6 and double(-1) == -2"}
SECOND = {"solution": "mean = np.mean([1, 2, 3])", "check": "assert np.allclose(mean, 2.0)"}
RIGHT = [FIRST["solution"], "mean = 2.0"]
DELETES = """
import os, pathlib, shutil
for place in {places!r}:
    shutil.rmtree(place, ignore_errors=True)
    for path in [place, *map(str, pathlib.Path(place).glob("**/*"))]:
        for act in (os.unlink, lambda p: open(p, "w"), lambda p: os.truncate(p, 0), lambda p: os.rename(p, p + "x")):
            try:
                act(path)
            except OSError:
                pass
""".strip()
SEES = """
import json, os, pathlib, socket
seen = []
for path in {paths!r}:
    try:
        seen.append(pathlib.Path(path).read_bytes())
    except OSError:
        pass
try:
    socket.create_connection(("127.0.0.1", {port}), 2).sendall(b"secret")
    seen.append("network")
except OSError:
    pass
seen += [value for value in os.environ.values() if "hunter2" in value]
assert not seen, "saw too much"
def double(x):
    return 2 * x
""".strip()


@pytest.fixture
def taught(tree):
    """A course of one notebook with two exercises, and a folder for the copies."""
    add(
        tree, "11", "import numpy as np",
        cell(FIRST["solution"], "solution"),
        cell(FIRST["check"], "check") | {"metadata": {"tags": ["check"], "course": {"wrong": ["double = abs"]}}},
        cell(SECOND["solution"], "solution"),
        cell(SECOND["check"], "check"),
    )  # fmt: skip
    assert course("student").returncode == 0
    (tree / "handed_in").mkdir()
    return tree


def hand_in(tree, name, *typed, change=None):
    """One copy, with these answers."""
    raw = json.loads((tree / "my_notebooks/11_toy.ipynb").read_text())
    places = [place for place, cell in enumerate(raw["cells"]) if "answer" in cell["metadata"].get("tags", [])]
    for place, source in zip(places, typed, strict=False):
        raw["cells"][place]["source"] = source
    if change:
        change(raw)
    path = tree / "handed_in" / f"{name}.ipynb"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(raw))


def table(done, tree):
    (page,) = tree.glob("marks-*.csv")
    return {row["copy"]: row for row in csv.DictReader(page.read_text().splitlines())}


def marks(row):
    return row["exercise 1"] + row["exercise 2"]


@confined
def test_marks_are_right_whatever_the_copies_do(taught, tmp_path):
    def emptied(raw):
        for c in raw["cells"]:
            if "check" in c["metadata"].get("tags", []):
                c["source"] = "pass"

    def scattered(raw):  # the answer in a cell of the reader's own, below the one that was given
        place = next(i for i, c in enumerate(raw["cells"]) if "answer" in c["metadata"].get("tags", []))
        raw["cells"].insert(place + 1, cell(RIGHT[0]))

    precious = [taught / name for name in ("precious", "handed_in/ada.ipynb", "notebooks/11_toy.ipynb")]
    precious[0].write_text("years of work")
    listener = socket.create_server(("127.0.0.1", 0))
    cases = {
        "ada": (RIGHT, "11"),
        "bert": ([RIGHT[0], "mean = 3"], "10"),
        "carl": ([], "00"),
        "class b/dora": ([RIGHT[0]], "10"),
        "syntax": (["def double(x)", RIGHT[1]], "01"),
        "added": ([None, RIGHT[1]], "11"),
        "own checks": (["double = 1", "mean = 1"], "00"),
        "endless": (["while True:\n    pass", RIGHT[1]], "01"),
        "memory": (["held = [b'x' * 10**8 for _ in range(8)]\n" + RIGHT[0], RIGHT[1]], "01"),
        "prints": (["for _ in range(100):\n    print('x' * 10**7)\n" + RIGHT[0], RIGHT[1]], None),
        "exits": (["exit()", RIGHT[1]], "01"),
        "dies": (["import os; os._exit(0)", RIGHT[1]], "01"),
        "bends": ([RIGHT[0], "np.allclose = lambda *_: True\nmean = 7"], "10"),
        "deletes": ([DELETES.format(places=[str(taught)]), RIGHT[1]], "01"),
        "forges": ([
            "import os\nfor n in (1, 2):\n    open(os.environ['COURSE_RECORD'], 'a').write("
            '\'{"kind": "exercise", "cell": 5, "wrong": 1, "why": ""}\\n\')\n' + RIGHT[0],
            RIGHT[1],
        ], "01"),
        "sees": ([SEES.format(paths=[str(p) for p in precious], port=listener.getsockname()[1]), RIGHT[1]], "11"),
        "kills": (["import os, signal\nos.kill(os.getppid(), 9)\n" + RIGHT[0], RIGHT[1]], None),
    }  # fmt: skip
    honest = [(RIGHT, "11"), ([RIGHT[0], "mean = 3"], "10"), (["double = abs", RIGHT[1]], "01")]
    cases |= {f"reader {place}": honest[place % 3] for place in range(len(cases), 30)}  # a class of thirty
    for name, (typed, _) in cases.items():
        typed = [source for source in typed if source is not None]
        if name == "added":
            hand_in(taught, name, "# Your answer here.", RIGHT[1], change=scattered)
        else:
            hand_in(taught, name, *typed, change=emptied if name == "own checks" else None)
    before = {path: path.read_bytes() for path in precious}
    limits = ("--timeout", "15", "--memory", "500")
    done = course("grade", "handed_in", *limits, COURSE_PASSWORD="x", MY_TOKEN="hunter2", cwd=taught)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path: path.read_bytes() for path in precious} == before
    found = table(done, taught)
    assert {name: marks(found[name]) for name, (_, due) in cases.items() if due} == {
        name: due for name, (_, due) in cases.items() if due
    }
    assert marks(found["prints"])[1] == "1"
    assert "Timeout" in found["endless"]["remarks"]
    assert "more than 500 MB" in found["memory"]["remarks"]
    assert "nothing typed" in found["carl"]["remarks"]
    assert "it was bent" in found["bends"]["remarks"]
    assert "np.allclose =" in found["bends"]["remarks"]


@confined
def test_what_cannot_be_marked_is_named_and_the_rest_is_marked(taught):
    hand_in(taught, "ada", *RIGHT)
    folder = taught / "handed_in"
    (folder / "empty.ipynb").write_text("")
    (folder / "list.ipynb").write_text("[1]")
    (folder / "deep.ipynb").write_text("[" * 100_000)
    (folder / "other.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    (folder / "odd.ipynb").write_text('{"cells": [1, {}, {"id": 3}], "metadata": {}, "nbformat": 4}')
    hand_in(taught, "=cmd|' '!A1 <script>", *RIGHT)
    os.symlink("/etc/passwd", folder / "link.ipynb")
    done = course("grade", "handed_in", cwd=taught)
    assert done.returncode == 1
    assert "5 copies could not be marked" in done.stderr
    assert "Traceback" not in done.stderr
    page = next(taught.glob("marks-*.csv")).read_text()
    assert "'=cmd" in page
    found = table(done, taught)
    assert found["ada"]["passed"] == "2"
    assert "link" not in found
    assert "is not a copy of a notebook" in found["other"]["remarks"]
    html = next(taught.glob("marks-*.html")).read_text()
    assert "<script>" not in html


def test_tables_never_replace_a_file(tmp_path):
    first, second = (grade.write([grade.Marks("ada", "11", [True], [""])], tmp_path) for _ in range(2))
    assert not set(first) & set(second)
    assert all(path.exists() for path in (*first, *second))


def test_a_folder_without_copies_is_named(tree):
    (tree / "handed_in").mkdir()
    for what, said in (("handed_in", "No notebook lies in"), ("nowhere", "is not a folder")):
        done = course("grade", str(tree / what))
        assert done.returncode == 1
        assert said in done.stderr


def test_answers_are_found_where_readers_put_them(taught):
    notebook = Notebook.read(taught / "notebooks/11_toy.ipynb")
    raw = json.loads((taught / "my_notebooks/11_toy.ipynb").read_text())
    assert grade.answers(raw, notebook) == [[], []]
    mine = [cell(f"mine = {n}") for n in range(4)]
    places = [place for place, c in enumerate(raw["cells"]) if "answer" in c["metadata"].get("tags", [])]
    raw["cells"].insert(places[1] + 1, mine[3])
    raw["cells"].insert(places[0], mine[2])
    raw["cells"].insert(1, mine[0])
    assert grade.answers(raw, notebook) == [["mine = 2"], ["mine = 3"]]


def test_every_exercise_of_the_course_has_an_answer_that_its_check_must_reject():
    from helpers.notebooks import select

    for notebook in select():
        for exercise in grade.exercises(notebook):
            assert grade.probes(notebook, exercise), f"{notebook.number}, cell {exercise.check + 1}"
