"""nbval judges a finished run, or runs by itself; a failure ends with the notebook, the cell and the cause."""

import json
import re
import subprocess
import sys

from helpers.notebooks import Notebook
from tests.faults.toys import RECORD, add, cell, course

PYTEST = [sys.executable, "-m", "pytest", "-p", "helpers.course.playback", "-p", "no:cacheprovider", "-c", "/dev/null"]


def judge(tree, *options):
    done = subprocess.run([*PYTEST, *options, "notebooks"], cwd=tree, capture_output=True, text=True)
    return done, done.stdout.splitlines()


def change(path, old, new):
    """Change a stored output in the file, and nothing else."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_run_is_judged_without_another(tree, monkeypatch):
    monkeypatch.chdir(tree)
    varying, claims = "import os\nprint('process', os.getpid())", "print('✓ two is two')"
    ignored = [cell(varying, "nbval-ignore-output"), cell(claims, "claims", "nbval-ignore-output")]
    path = add(tree, "10", "1 + 1", *ignored, RECORD)
    assert course("refresh").returncode == 0
    assert course("run", "--out", "build/proof").returncode == 0
    good = path.read_text()

    done, lines = judge(tree, "--executed", "build/proof")
    assert done.returncode == 0, done.stdout
    assert "5 passed" in lines[-1]

    change(path, '"2"', '"3"')
    done, lines = judge(tree, "--executed", "build/proof")
    assert done.returncode == 1
    assert lines[-3] == "✗ 10_toy.ipynb, In [2]: 1 + 1"
    assert lines[-2].startswith("  other output than the stored one: mismatch 'text/plain'")

    path.write_text(good)
    change(path, '"✓ two is two\\n"', '"✓ two is three\\n"')
    done, lines = judge(tree, "--executed", "build/proof")
    assert (done.returncode, lines[-3]) == (1, "✗ 10_toy.ipynb, In [4]: print('✓ two is two')")

    # A kernel may send a line in pieces, its end alone; that is no other output.
    path.write_text(good)
    copy = tree / "build/proof/10_toy.ipynb"
    raw = json.loads(copy.read_text())
    claims = next(c for c in raw["cells"] if "two is two" in "".join(c["source"]))
    pieces = ("\u2713 two", " is two", "\n")
    claims["outputs"] = [{"output_type": "stream", "name": "stdout", "text": piece} for piece in pieces]
    copy.write_text(json.dumps(raw))
    assert judge(tree, "--executed", "build/proof")[0].returncode == 0
    claims["outputs"][1]["text"] = " is"
    copy.write_text(json.dumps(raw))
    assert judge(tree, "--executed", "build/proof")[0].returncode == 1

    # An error in the run's copy is one in the judgement, whatever the report says.
    raw["cells"][-1]["outputs"] = [
        {"output_type": "error", "ename": "E", "evalue": "", "traceback": ["ValueError: no"]}
    ]
    copy.write_text(json.dumps(raw))
    done, lines = judge(tree, "--executed", "build/proof")
    assert (done.returncode, lines[-2]) == (1, "  ValueError: no")


def test_a_run_of_another_kind_is_not_judged_and_one_that_is_missing_fails(tree, monkeypatch):
    monkeypatch.chdir(tree)
    path = add(tree, "10", "print(SEED)", RECORD)
    add(tree, "11", "2 + 2")
    assert course("refresh", "--jobs", "auto").returncode == 0
    assert course("run", "10", "--seed", "8", "--out", "build/proof").returncode == 0
    assert course("run", "11", "--out", "build/proof").returncode == 0
    done, lines = judge(tree, "--executed", "build/proof")
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
    assert "– 10_toy.ipynb is not judged: its stored outputs are of another seed (7, not 8)" in lines

    change(path, "print(SEED)", "print(SEED + 1)")
    add(tree, "12", "3 + 3")
    done, lines = judge(tree, "--executed", "build/proof")
    assert done.returncode == 1
    told = [line for line in lines if line.startswith("✗")]
    assert told == [
        "✗ 10_toy.ipynb cannot be judged: changed since that run: run it again",
        f"✗ 12_toy.ipynb cannot be judged: no run of it in {tree / 'build/proof'}",
    ]


def test_live_nbval_says_where_and_why(tree):
    path = add(tree, "98", "x = 1", "print(8)", "from helpers import evidence\nevidence.claim('Two is three', 2 == 3)")
    raw = json.loads(path.read_text())
    told = {"output_type": "stream", "name": "stdout", "text": "7\n"}
    raw["cells"][3] |= {"outputs": [told], "execution_count": 3}
    path.write_text(json.dumps(raw))
    done, lines = judge(tree, "--nbval", "--nbval-current-env")
    assert done.returncode == 1, done.stdout
    assert lines[-5] == "✗ 98_toy.ipynb, In [3]: print(8)"
    assert lines[-4].startswith("  other output than the stored one: mismatch 'stdout'")
    assert lines[-3] == "✗ 98_toy.ipynb, In [4]: from helpers import evidence"
    assert lines[-2] == "  ClaimError: This run does not bear out the claim: Two is three"


def test_what_another_processor_changes_is_tagged_but_never_a_claim(tree):
    varying = "import os\nprint(os.environ.get('OPENBLAS_CORETYPE', 'its own'))"
    path = add(tree, "10", "1 + 1", varying)
    claims = add(tree, "11", cell(varying, "claims"))
    done = course("refresh", "--tag-varying", "--jobs", "auto")
    assert done.returncode == 1
    assert done.stderr == "11 · Toy 11: a claims cell prints something else on another processor.\n"
    assert [c["metadata"].get("tags") for c in Notebook.read(path).cells][2:] == [None, ["nbval-ignore-output"]]
    assert Notebook.read(claims).cells[-1]["metadata"]["tags"] == ["claims"]
    stamped = Notebook.read(path)  # the tag is no part of what is stamped
    assert (stamped.stamp["code_sha256"], stamped.stamp["outputs_sha256"]) == (
        stamped.code_sha256,
        stamped.outputs_sha256,
    )
    assert re.search(r"tagged +notebooks/10_toy.ipynb: 1 cells", done.stdout)
