"""`course proof` and `course seeds` on small notebooks that run for real."""

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

COURSE = [sys.executable, "-P", "-c", "from helpers.course.cli import main; main()"]
posix = pytest.mark.skipif(os.name != "posix", reason="signals and named pipes")
IMPORTS = "import numpy as np\nfrom helpers import datasets, evidence, worlds"
RUN = "loans = worlds.loan_applicants(2000, seed=SEED)\nlink = np.corrcoef(loans['income'], loans['default'])[0, 1]"
# Tells the test that it runs, then waits to be ended, unless the file `go` lets it pass.
GATE = """
import pathlib
if not pathlib.Path("../go").exists():
    pathlib.Path("../running").write_text("now")
    open("../never").read()
""".strip()


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_ROOT", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.course]\nrepository = "ada/course"\nbranch = "main"\n')
    return tmp_path


def cell(source, *tags):
    kept = {"tags": list(tags)} if tags else {}
    return {"cell_type": "code", "id": f"c{abs(hash(source)):x}"[:12], "metadata": kept, "source": source,
            "outputs": [], "execution_count": None}  # fmt: skip


def add(tree, number, *sources, **course):
    cells = [cell(IMPORTS), cell('PROFILE = "quick"\nSEED = 7', "parameters"), *map(cell, sources)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}, "course": course}
    path = tree / "notebooks" / f"{number}_toy.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))


def course(*arguments):
    return subprocess.run([*COURSE, *arguments], capture_output=True, text=True, timeout=120)


def record(tree, name="proofs"):
    path = tree / f"results/{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


WORLDS = {"shuffled": 'controls.shuffle_world("loan_applicants", ["default"])', "idle": "pass"}


@pytest.mark.slow
def test_claims_that_survive_and_label_free_ones_that_break_are_caught(tree):
    fine = "evidence.claim('Income speaks of default', bool(link < -0.05))\nassert link < -0.05"
    free = "evidence.claim('Two thousand applicants', len(loans) == 2000{})"
    wrong = "evidence.claim('No news', bool(link < -0.05), label_free=True)"
    add(tree, "31", RUN, fine, free.format(""), wrong, controls=WORLDS)
    done = course("proof", "--kind", "controls")
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[1:5] == [
        "✗ 31_toy.ipynb in its wrong worlds:",
        "  survives every wrong world: Two thousand applicants",
        "  marked label_free, but world 'shuffled' breaks it: No news",
        "  world 'idle' breaks no claim",
    ]
    assert done.stdout.endswith("Owed: 1\n  controls  31\n") and done.stderr == "1 of 1 proofs failed: 31 controls.\n"
    assert record(tree) == {}

    add(tree, "31", RUN, fine, free.format(", label_free=True"), controls={"shuffled": WORLDS["shuffled"]})
    done = course("proof", "--kind", "controls", "--jobs", "1")
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[1].startswith("✓ 31 controls: shuffled: 2 break (")
    assert done.stdout.splitlines()[-1] == "Nothing is owed."
    again = course("proof", "--kind", "controls")
    assert again.stdout.startswith("0 of 1 proofs owed; 0 to do")
    add(tree, "31", RUN, fine, free.format(", label_free=True"), "1", controls={"shuffled": WORLDS["shuffled"]})
    nothing = course("proof", "--kind", "controls", "--budget", "0")
    assert nothing.returncode == 0
    assert nothing.stdout.startswith("1 of 1 proofs owed; 0 to do")
    assert nothing.stdout.endswith("Owed: 1\n  controls  31\n")


def test_a_world_in_which_the_notebook_stops_proves_nothing(tree):
    add(tree, "31", RUN, "1 // int(link < -0.05)", controls={"shuffled": WORLDS["shuffled"]})
    done = course("proof", "--kind", "controls")
    assert done.returncode == 1
    assert "world 'shuffled': failed at cell 4 (1 // int(link < -0.05)): ZeroDivisionError" in done.stdout


def test_without_data_a_notebook_must_say_so_and_leave_claims_unchecked(tree):
    load = "notes = datasets.load('banknote')"
    add(tree, "10", load, "evidence.claim('1,372 notes', len(notes) == 1372, on=notes)")
    add(tree, "11", load, "evidence.claim('1,372 notes', len(notes) == 1372)")
    done = course("proof", "--kind", "stand-ins")
    assert done.returncode == 1
    assert "✓ 10 stand-ins: 1 claims on real data left unchecked" in done.stdout
    assert "✗ 11_toy.ipynb without a network, on stand-in data:\n  no claim was left unchecked" in done.stdout
    assert [name for name in record(tree) if name] == ["10 stand-ins"]


@posix
@pytest.mark.slow
@pytest.mark.parametrize(("how", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)], ids=["kill", "Ctrl-C"])
def test_a_proof_that_was_stopped_goes_on_where_it_was(tree, how, code):
    os.mkfifo(tree / "never")
    add(tree, "10", "evidence.claim('One', True)")
    add(tree, "11", GATE, "evidence.claim('One', True)")
    process = subprocess.Popen(
        [*COURSE, "proof", "--kind", "seed", "--jobs", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores Ctrl-C
    )
    while not (tree / "running").exists():
        assert process.poll() is None, process.communicate()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(how)
    out, err = process.communicate(timeout=60)
    assert "✓ 10 seed" in out and process.returncode == code
    assert err == "" or err == "Stopped. What had passed is kept; the same command goes on from there.\n"
    assert len(below) == 2 and psutil.wait_procs(below, timeout=30)[1] == []  # worker and kernel are gone
    (tree / "go").touch()
    done = course("proof", "--kind", "seed")
    assert done.stdout.startswith("1 of 2 proofs owed; 1 to do")
    assert done.stdout.splitlines()[-1] == "Nothing is owed."
    assert sorted(name for name in record(tree) if name) == ["10 seed", "11 seed"]


def test_an_unseen_seed_that_breaks_a_claim_fails(tree):
    add(tree, "10", "evidence.claim('Tuned', SEED == 7)\nevidence.claim('True', True)")
    done = course("proof", "--kind", "seed")
    assert done.returncode == 1
    assert ": Tuned\n  how often that happens: course seeds 10\n" in done.stdout
    assert ": True" not in done.stdout


@pytest.mark.slow
def test_seeds_are_counted_and_added_to(tree):
    claims = "evidence.claim('Odd', SEED % 2 == 1)\nevidence.claim('Seven', SEED == 7)\nassert SEED > 7"
    add(tree, "10", claims, "evidence.claim('Always', SEED > 7)", "assert SEED % 20261 == 0")
    done = course("seeds", "10", "--seeds", "3")
    assert done.returncode == 1, done.stderr
    held = {"✗   2 of 3  Odd", "✗   0 of 3  Seven", "✓   3 of 3  Always", "✓   3 of 3  assert SEED > 7"}
    assert held < set(done.stdout.splitlines())
    assert done.stderr == "2 claims hold in fewer than 19 of 20 seeds; 0 runs came to no end.\n"
    assert record(tree, "seeds")["10 quick"]["claims"]["Odd"]["failed"] == [40522]
    assert not list((tree / "build/proof").iterdir()), "copies are not kept"

    done = course("seeds", "10", "--seeds", "4")
    assert done.stdout.startswith("1 runs to do")
    assert "✗   2 of 4  Odd" in done.stdout and "✓   4 of 4  Always" in done.stdout
    add(tree, "10", "evidence.claim('Always', SEED > 7)")
    done = course("seeds", "10", "--seeds", "2")
    assert done.returncode == 0 and done.stdout.startswith("2 runs to do")
    assert done.stdout.rstrip().endswith("10 · Toy: 2 seeds\n✓   2 of 2  Always")


def test_twenty_seeds_prove_more_than_one(tree):
    add(tree, "10", "evidence.claim('Mostly', True)")
    from helpers.course import seeds
    from helpers.notebooks import select

    [notebook] = select(["10"])
    result = {"origins": {}, "status": "ok", "error": None, "seconds": 1}
    for seed in seeds.seeds(20):
        status = "failed" if seed == 20261 else "held"
        claim = {"text": "Mostly", "status": status, "label_free": False}
        assert seeds.keep(notebook, "quick", seed, result | {"claim_list": [claim]}) == ""
    done = course("proof", "--kind", "seed")
    assert "✓ 10 seed: every claim holds in 19 of 20, over 20 seeds" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["proof", "--kind", "magic"], "There is no kind 'magic'; there are stand-ins, controls"),
        (["proof", "--jobs", "many"], "'many' is not a valid integer"),
        (["seeds"], "Missing argument"),
        (["seeds", "99"], "There is no notebook '99'"),
    ],
)
def test_faults_are_one_line(tree, arguments, words):
    add(tree, "10", "1")
    done = course(*arguments)
    assert done.returncode != 0 and words in done.stderr and done.stderr.count("\n") == 1
