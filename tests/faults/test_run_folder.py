"""No command replaces or removes a file that the course did not write; no two write to one folder at a time."""

import json
import os
import subprocess
import sys

import pytest

from tests.faults.toys import add, course, gated, posix, report, start, until_running


def refused(done, words):
    assert done.returncode == 1, done.stdout
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@posix
@pytest.mark.parametrize("way", ["dot", "symlinked out", "symlinked notebooks", "symlinked copy"])
def test_the_source_is_never_the_copy(tree, monkeypatch, way):
    source = add(tree, "10", "1 + 1")
    before, out, words = source.read_bytes(), ".", "folder of the notebooks themselves; choose another --out"
    monkeypatch.chdir(tree / "notebooks")
    if way == "symlinked out":
        (tree / "elsewhere").symlink_to(tree / "notebooks")
        out = str(tree / "elsewhere")
    elif way == "symlinked notebooks":
        (tree / "notebooks").rename(tree / "real")
        (tree / "notebooks").symlink_to(tree / "real")
        out = str(tree / "real")
    elif way == "symlinked copy":
        (tree / "out").mkdir()
        (tree / "out/10_toy.ipynb").symlink_to(source)
        out, words = str(tree / "out"), "10_toy.ipynb is not a file that `course run` wrote"
    refused(course("run", "10", "--out", out), words)
    assert source.read_bytes() == before
    assert [path.name for path in source.resolve().parent.iterdir()] == ["10_toy.ipynb"]


@pytest.mark.parametrize("name", ["10_toy.ipynb", "report.json", "report.html", ".course/README", ".course"])
def test_a_file_of_somebody_else_stays(tree, name):
    source = add(tree, "10", "1 + 1")
    foreign = tree / "out" / name
    foreign.parent.mkdir(parents=True)
    foreign.write_text(source.read_text() if name.endswith("ipynb") else '{"of": "somebody else"}')
    before = foreign.read_bytes()
    refused(course("run", "10", "--out", str(tree / "out")), "not")
    assert foreign.read_bytes() == before


def test_a_copy_in_which_a_reader_typed_stays(tree):
    add(tree, "10", "1 + 1")
    assert course("run").returncode == 0
    assert course("run").returncode == 0  # its own copy it may replace
    copy = tree / "build/run/10_toy.ipynb"
    raw = json.loads(copy.read_text())
    raw["cells"][-1]["source"] = ["1 + 1  # my answer"]
    copy.write_text(json.dumps(raw))
    refused(course("run"), "10_toy.ipynb is not a file that `course run` wrote, or it was changed since")
    assert "# my answer" in copy.read_text()
    assert course("run", "--out", str(tree / "other")).returncode == 0


@posix
def test_one_run_at_a_time_in_a_folder_and_a_killed_one_leaves_no_lock(tree):
    gated(tree)
    first = start("run", "--jobs", "1")
    until_running(tree, first)
    (tree / "same").symlink_to(tree / "build/run")
    refused(course("run", "11"), f"Another run (process {first.pid}) is writing to")
    refused(course("run", "11", "--out", str(tree / "same")), f"Another run (process {first.pid})")
    assert course("run", "11", "--out", str(tree / "other")).returncode == 0
    first.kill()
    first.communicate()
    assert course("run", "11").returncode == 0


@posix
def test_one_refresh_at_a_time(tree):
    gated(tree)
    first = start("refresh", "10")
    until_running(tree, first)
    refused(course("refresh", "11"), f"Another run (process {first.pid}) is writing to")
    (tree / "go").touch()
    first.kill()
    first.communicate()
    assert course("refresh", "11").returncode == 0


def test_make_clean_spares_what_a_reader_typed(tree):
    source = add(tree, "10", "1 + 1")
    add(tree, "11", "2 + 2")
    assert course("run").returncode == 0
    typed, changed = tree / "build/student/10_toy.ipynb", tree / "build/run/11_toy.ipynb"
    typed.parent.mkdir()
    typed.write_text(source.read_text())
    changed.write_text(changed.read_text().replace("2 + 2", "2 + 3"))
    (tree / "build/venv/share").mkdir(parents=True)
    (tree / "build/venv/pyvenv.cfg").touch()
    (tree / "build/venv/share/example.ipynb").write_text("{}")
    command = [sys.executable, "-m", "helpers.course.folder"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    why = "no run of the course wrote it, or it was changed since"
    assert done.stdout.splitlines() == [f"kept {changed}: {why}", f"kept {typed}: {why}"]
    assert sorted(path for path in (tree / "build").rglob("*") if path.is_file()) == [changed, typed]
    changed.unlink()
    typed.unlink()
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""
    assert not (tree / "build").exists()
    assert source.exists()


def test_an_odd_report_ends_no_run(tree):
    add(tree, "10", "1 + 1")
    add(tree, "11", "2 + 2")
    assert course("run").returncode == 0
    path = tree / "build/run/report.json"
    made = json.loads(path.read_text())
    unknown = made["results"][0] | {"status": "perhaps"}
    path.write_text(json.dumps(made | {"results": [unknown, {"number": "12"}, 7, None, made["results"][1]]}))
    done = course("run", "--resume")
    assert done.returncode == 0
    assert "4 results in report.json cannot be read and are left out" in done.stdout
    assert "already passed: 11\n" in done.stdout
    assert [result["status"] for result in report(tree)["results"]] == ["ok", "ok"]
    path.write_bytes(b'{"results": "\xff"}')
    refused(course("run"), "report.json is not a file that `course run` wrote")


@pytest.mark.parametrize("command", [["run"], ["run", "11"], ["refresh"], ["check", "11"], ["student"], ["list"]])
def test_two_notebooks_of_one_number_are_an_error(tree, command):
    add(tree, "10", "1")
    (tree / "notebooks/10_other.ipynb").write_text(add(tree, "11", "1").read_text())
    refused(course(*command), "10_other.ipynb and 10_toy.ipynb have the same number: renumber one of them")
    assert not os.path.exists(tree / "build")
