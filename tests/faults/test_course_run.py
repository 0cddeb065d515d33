import importlib.util
import json
import os
import re
import signal
import subprocess
import sys

import psutil
import pytest

from helpers.notebooks import Notebook
from tests.faults.toys import (
    COURSE,
    FIGURE,
    GATE,
    RECORD,
    add,
    course,
    gated,
    posix,
    report,
    start,
    until_running,
)


def test_a_run_goes_on_and_says_what_failed(tree, monkeypatch):
    (tree / "html.py").write_text("raise RuntimeError('not the library')")
    monkeypatch.chdir(tree)
    add(tree, "00", "print(PROFILE, SEED)", FIGURE, RECORD)
    add(tree, "10", "x = 1", "y = x  # the line of the cell\nraise ValueError('first line\\nsecond line')", "never = 1")
    add(tree, "11", "import os, signal", "print(1)\nos.kill(os.getpid(), signal.SIGKILL)")
    add(tree, "12", "1 + 1")
    done = course("run", "--jobs", "2", "--profile", "full")
    assert done.returncode == 1
    assert done.stderr == ""
    last = done.stdout.rstrip().splitlines()
    assert last[-6:] == [
        "✗ 10_toy.ipynb, cell 4: y = x  # the line of the cell",
        "  ValueError: first line",
        "  the copy as it stopped: build/run/10_toy.ipynb",
        "✗ 11_toy.ipynb, cell 4: print(1)",
        "  Kernel died: killed by signal 9; most often the memory ran out: close other programs or use --jobs 1",
        "  the copy as it stopped: build/run/11_toy.ipynb",
    ]
    assert "2 of 4 notebooks passed" in last[-7]
    assert re.search(r"00 · Toy 00 +✓ ok +[\d.]+ +\d+ +1/2 \(1 not checked\)", done.stdout)

    made = report(tree)
    assert {n: r["status"] for n, r in made["by"].items()} == {"00": "ok", "10": "failed", "11": "killed", "12": "ok"}
    first = made["by"]["00"]
    assert 20 < first["peak_mb"] < 1000
    assert 0 < first["first_output_seconds"] < first["seconds"]
    assert "full 7" in (tree / "build/run/00_toy.ipynb").read_text()
    assert "ValueError" in (tree / "build/run/10_toy.ipynb").read_text()
    assert not list((tree / "build/run").glob("*.records"))

    page = (tree / "build/run/report.html").read_text()
    assert re.search(r'<img alt="A line that rises &lt;by &quot;half&quot;&gt;" src="data:image/png;base64,iVBOR', page)
    assert "two is two" in page
    assert "ValueError: first line" in page
    assert not re.search(r"https?://|<script|<link|@import|url\(", page)

    # The card: only from a clean full run, so none for the failed ones and none from a quick run.
    assert [path.name for path in sorted((tree / "results").iterdir())] == ["00.json", "12.json"]
    card = json.loads((tree / "results/00.json").read_text())
    assert card["metrics"][0]["mean"] == 0.75
    assert (card["code_sha256"], card["work_sha256"]) == (first["code_sha256"], first["work_sha256"])
    assert card["data"] == {"toy_set": {"a.csv": "a" * 64}}


def test_no_card_from_quick_or_stand_in(tree):
    add(tree, "00", RECORD)
    add(tree, "10", RECORD.replace('"real"', '"simulated"'))
    assert course("run", "0").returncode == 0
    full = course("run", "10", "--profile", "full")
    assert full.returncode == 0
    assert full.stdout.splitlines()[-1] == "! 10_toy.ipynb ran on stand-in data for toy_set"
    assert not (tree / "results").exists()


@posix
@pytest.mark.slow
def test_kill_9_of_a_run_then_resume(tree):
    gated(tree)
    process = start("run", "--jobs", "1")
    below = until_running(tree, process)
    assert len(below) == 2  # the worker and its kernel
    process.kill()
    process.communicate()
    assert psutil.wait_procs(below, timeout=30)[1] == []  # nothing is left behind
    assert [result["number"] for result in report(tree)["results"]] == ["00"]
    (tree / "go").touch()
    done = course("run", "--resume")
    assert done.returncode == 0, done.stdout
    assert "already passed: 00" in done.stdout
    assert "running  00" not in done.stdout
    assert "3 of 3 notebooks passed" in done.stdout
    # Changed code, another profile: run again.
    add(tree, "00", RECORD, "'changed'")
    assert "already passed: 10, 11" in course("run", "--resume").stdout
    assert "already passed" not in course("run", "0", "--resume", "--profile", "full").stdout


@posix
def test_ctrl_c_keeps_what_is_finished(tree):
    gated(tree)
    process = start("run", "--jobs", "1")
    below = until_running(tree, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.splitlines() == ["Stopped. What had finished is kept; go on with: course run --resume"]
    assert "Traceback" not in out
    assert psutil.wait_procs(below, timeout=30)[1] == []
    made = report(tree)["by"]
    assert {number: result["status"] for number, result in made.items()} == {"00": "ok", "10": "interrupted"}
    assert (tree / "build/run/report.html").exists()
    (tree / "go").touch()
    assert "already passed: 00" in course("run", "--resume").stdout


@posix
def test_kill_9_of_a_worker_is_told_and_the_others_go_on(tree):
    gated(tree)
    process = start("run", "--jobs", "1")
    worker, kernel = until_running(tree, process)
    worker.kill()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "2 of 3 notebooks passed" in out
    assert "Worker died: the process that ran it ended by signal 9" in out.rstrip().splitlines()[-2]
    kernel.wait(timeout=30)


@posix
def test_a_cell_that_takes_too_long(tree):
    os.mkfifo(tree / "never")
    add(tree, "10", GATE)
    done = course("run", "--timeout", "2")
    assert done.returncode == 1
    assert "Timeout: the cell took longer than 2 s" in done.stdout.rstrip().splitlines()[-2]


def test_refresh_stamps_only_what_passed_and_is_stable(tree):
    good = add(tree, "00", "print(SEED)\nimport sys; print('', file=sys.stderr)", RECORD, "1 + 1")
    bad = add(tree, "10", "print(1)", "1 / 0")
    stand_in = add(tree, "11", RECORD.replace('"real"', '"simulated"'))
    before = {path: path.read_bytes() for path in (bad, stand_in)}
    done = course("refresh", "--jobs", "2")
    assert done.returncode == 1
    assert {path: path.read_bytes() for path in before} == before
    assert done.stderr.startswith("11 · Toy 11 not stamped: toy_set was stand-in data")
    assert "ZeroDivisionError: division by zero" in done.stdout.rstrip().splitlines()[-2]

    notebook = Notebook.read(good)
    assert notebook.stamp["code_sha256"] == notebook.code_sha256
    assert notebook.stamp["outputs_sha256"] == notebook.outputs_sha256
    assert notebook.stamp["data"] == {"toy_set": {"a.csv": "a" * 64}}
    assert notebook.stamp["claims"] == {"held": 1, "failed": 0, "skipped": 1}
    assert [c.get("execution_count") for c in notebook.cells] == [None, 1, 2, 3, 4]
    assert [c["metadata"] for c in notebook.cells] == [{"tags": ["title"]}, {"tags": ["parameters"]}, {}, {}, {}]
    assert [output["name"] for output in notebook.cells[2]["outputs"]] == ["stdout"]
    assert set(notebook.raw["metadata"]) == {"kernelspec", "language_info", "course"}

    first = good.read_text()
    assert course("refresh", "0").returncode == 0
    changing = re.compile(r'^ *"(date|seconds|peak_mb)": .*$', re.M)
    assert changing.sub("", good.read_text()) == changing.sub("", first)


def test_refresh_on_another_backend_is_refused(tree):
    path = add(tree, "00", "1")
    before = path.read_bytes()
    done = course("refresh", KERAS_BACKEND="jax")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "Stamps are made on tensorflow only" in done.stderr
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "99"], 1, "There is no notebook '99'. Close to it: 00_toy"),
        (["run", "--profile", "slow"], 2, "'slow' is not one of"),
        (["run", "--jobs", "0"], 2, "0 is not in the range"),
        (["nothing"], 2, "No such command 'nothing'"),
        (["badges", "--repository", "x"], 1, "not an address of the form OWNER/NAME"),
        (["data", "fetch", "no_such_set"], 1, "no_such_set"),
        (["run", "--out", "pyproject.toml/x"], 1, "pyproject.toml/x: Not a directory. Choose another --out."),
        (["run", "--seed", "-1"], 2, "-1 is not in the range"),
        (["run", "--jobs", "all"], 2, "'all' is not a valid integer range"),
    ],
)
def test_every_fault_is_one_line(tree, monkeypatch, arguments, code, words):
    add(tree, "00", "1")
    monkeypatch.chdir(tree)
    done = course(*arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stdout + done.stderr


def test_a_missing_backend_says_what_to_type(tree):
    missing = [name for name in ("torch", "jax") if not importlib.util.find_spec(name)]
    if not missing:
        pytest.skip("all backends are installed")
    add(tree, "00", "1")
    done = course("run", "--backend", missing[0])
    assert done.returncode == 1
    assert f"pip install -e '.[{missing[0]}]'" in done.stderr


def test_help_imports_nothing_heavy():
    heavy = "{'rich', 'papermill', 'nbformat', 'numpy', 'pandas', 'helpers.datasets', 'keras'}"
    code = f"import sys, atexit; atexit.register(lambda: print({heavy} & set(sys.modules))); {COURSE[-1]}"
    done = subprocess.run([sys.executable, "-P", "-c", code, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "course run 11 20 --jobs 2" in done.stdout
    assert done.stdout.endswith("set()\n")


@posix
def test_a_closed_pipe_is_no_error(tree):
    for number in range(10, 20):
        add(tree, str(number), "1")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*COURSE, "check"], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.stderr == ""


def test_data_goes_on_after_a_failure(tree, monkeypatch):
    monkeypatch.setenv("COURSE_DATA_DIR", str(tree / "cache"))
    monkeypatch.delenv("COURSE_DATA_MIRROR", raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there: no network
    done = course("data", "fetch", "banknote", "vix")
    assert done.returncode == 1
    told = [line.split(":")[0] for line in done.stderr.splitlines() if line.startswith("✗")]
    assert told == ["✗ banknote", "✗ vix"]
    assert done.stderr.splitlines()[-1] == "Not fetched: banknote, vix."
    assert "Traceback" not in done.stderr


def test_data_verify_names_what_is_damaged(tree, monkeypatch):
    from helpers import datasets

    monkeypatch.setenv("COURSE_DATA_DIR", str(tree / "cache"))
    assert course("data", "verify").stdout == "Nothing in the cache yet: course data fetch\n"
    file = tree / "cache" / "banknote" / datasets.info("banknote").files[0].path
    file.parent.mkdir(parents=True)
    file.write_text("junk")
    done = course("data", "verify")
    assert done.returncode == 1
    assert f"✗ banknote: {file.name} corrupt" in done.stdout
    assert done.stderr == "Mend with: course data fetch banknote\n"
    assert course("data", "list").returncode == 0


def test_the_doctor_names_what_is_missing(tree):
    missing = [name for name in ("torch", "jax") if not importlib.util.find_spec(name)]
    if not missing:
        pytest.skip("all backends are installed")
    add(tree, "00", "1")
    done = course("doctor", KERAS_BACKEND=missing[0])
    assert done.returncode == 1
    assert f"✗ {missing[0]} is not installed, and it is the backend  →  python -m pip install" in done.stdout
    assert "✓ Python 3." in done.stdout
    assert done.stderr == "1 thing to mend first: follow the arrows above.\n"
