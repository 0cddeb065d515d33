"""What a notebook must do besides not raising, before its run counts as passed."""

import json
import os
import re

import psutil
import pytest

from helpers.course import runner
from helpers.notebooks import Notebook, parts, select
from tests.faults.toys import add, cell, course, gated, posix, report, start, until_running

STOP = """
class StopExecution(Exception):
    def _render_traceback_(self):
        return []
raise StopExecution
""".strip()


def causes(done):
    """The last lines of a run: notebook and cell, and the cause."""
    told = re.findall(r"^✗ (\d\d)_toy.ipynb(?:, cell (\d+))?.*\n  (.*)$", done.stdout, re.M)
    return {number: (place, cause) for number, place, cause in told}


def test_every_cell_must_have_run(tree):
    ways = ["import sys; sys.exit()", "exit()", "quit()", STOP, "raise SystemExit(0)"]
    for number, way in enumerate(ways, 10):
        add(tree, str(number), "1 + 1", way, "never = 1")
    add(tree, "15", "1 + 1", "exit()")
    add(tree, "16", cell("never = 1", "skip-execution"))
    before = {path: path.read_bytes() for path in (tree / "notebooks").iterdir()}
    done = course("refresh", "--jobs", "auto")
    assert done.returncode == 1
    found = causes(done)
    assert sorted(found) == ["10", "11", "12", "13", "14", "15", "16"]
    places = {number: place for number, (place, _) in found.items()}
    assert [places[number] for number in ("10", "13", "14", "15", "16")] == ["4", "4", "4", "4", "3"]
    assert found["10"][1] == "Ended early: the notebook stopped here, so not every cell has run"
    assert {path: path.read_bytes() for path in before} == before


def test_the_longest_goes_first_and_as_many_at_a_time_as_fit(tree):
    for number, seconds, peak_mb in (("10", 60, 1), ("11", 600, 1), ("12", None, 10**9)):
        path = add(tree, number, "1 + 1")
        raw = json.loads(path.read_text())
        raw["metadata"]["course"] = {"stamp": {"seconds": seconds, "peak_mb": peak_mb}}
        path.write_text(json.dumps(raw))
    done = course("run", "--jobs", "1")
    assert done.returncode == 0
    planned = sum(part[1] for part in parts().values())
    said = done.stdout.splitlines()
    assert said[0] == (  # 600 + 60 + 45 seconds, which is what stands for a notebook without a stamp
        f"3 notebooks, 1 at a time, about 12 minutes by their stamps; {planned} like them would take "
        f"{11.75 * planned / 3:.0f}"
    )
    assert said[1].startswith("! That is over an hour")
    assert [line[9:11] for line in said if line.startswith("running")] == ["11", "10", "12"]
    assert runner.jobs_for(select()) == 1  # no machine has room for the largest and another
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert runner.jobs_for(select(["10", "11"])) == min(2, cores)
    assert runner.jobs_for(select(["10"])) == 1
    assert runner.jobs_for(select(), 3) == 3


CLAIMS = """
from pathlib import Path
from helpers import record
for line in Path("../claims").read_text().splitlines():
    record.write("claim", text=line, status="held")
""".strip()


def test_claims_are_those_of_the_stamp(tree):
    add(tree, "10", CLAIMS)
    (tree / "claims").write_text("two is two\nthree is three\n")
    assert course("refresh").returncode == 0
    assert course("run").returncode == 0
    (tree / "claims").write_text("two is two\n")
    told = causes(course("run"))["10"][1]
    assert told.startswith("Claims: {'held': 1, 'failed': 0, 'skipped': 0} in this run, {'failed': 0, 'held': 2")
    (tree / "claims").write_text("two is two\nthree is nearly three\n")
    assert causes(course("run"))["10"][1].startswith("Claims: other words or another order than in the stamp")
    # A run of another kind than the stamp's may claim what it likes, and a refresh stamps anew.
    assert course("run", "--seed", "8").returncode == 0
    assert json.loads((tree / "build/run/report.json").read_text())["results"][0]["seed"] == 8
    assert "already passed" not in course("run", "--resume").stdout  # that was with another seed
    assert course("refresh").returncode == 0
    assert course("run").returncode == 0


def test_outputs_are_clean(tree):
    add(tree, "10", "print(open('../words').read())")
    add(tree, "11", "import sys", "print('a warning', file=sys.stderr)")
    (tree / "words").write_text("fine")
    done = course("refresh", "--jobs", "auto")
    assert list(causes(done)) == ["11"]
    assert causes(done)["11"] == ("4", "Output: stored stderr: 'a warning' (mend the code, then `course refresh 11`)")
    (tree / "words").write_text("/home/ada/course is where it is")
    place, cause = causes(course("run", "10"))["10"]
    assert place == "3"
    assert cause.startswith("Output: a path or user name of one machine near '/home/ada/course")


CHECK = (
    "from helpers import evidence\nassert abs(mean([1, 2, 6]) - 3) < 1e-9\nevidence.claim('The mean is right', True)"
)
LAZY = "def mean(values):\n    return 0"
PLAUSIBLE = "def mean(values):\n    print('the median')\n    return sorted(values)[len(values) // 2]"


def exercise(*wrong, check=CHECK):
    made = cell(check, "check")
    made["metadata"]["course"] = {"wrong": list(wrong)}
    return made


def test_wrong_answers_must_be_rejected(tree):
    solution = cell("def mean(values):\n    return sum(values) / len(values)", "solution")
    kept = add(tree, "10", solution, exercise(LAZY, PLAUSIBLE), "print(mean([1, 3]))")
    add(tree, "11", solution, exercise(LAZY, PLAUSIBLE, check="assert mean([2, 2, 2]) in (0, 2)"))
    add(tree, "12", solution, exercise(LAZY, "def mean(values):\n    return total"))
    add(tree, "13", solution, exercise("def mean(values)"))
    done = course("refresh", "--jobs", "auto")
    found = causes(done)
    assert sorted(found) == ["11", "13"]
    assert found["11"] == ("4", "Exercise: wrong answer 1 passes the check")
    assert found["13"][0] == "4"
    assert found["13"][1].startswith("Exercise: wrong answer 1 does not run (SyntaxError: expected ':'")
    # What the wrong answers print and claim leaves no trace, and the source keeps them.
    stamped = Notebook.read(kept)
    assert stamped.stamp["claims"]["held"] == 1
    assert [["".join(o["text"]) for o in c.get("outputs", [])] for c in stamped.cells[-2:]] == [
        ["✓ The mean is right\n"], ["2.0\n"],
    ]  # fmt: skip
    assert stamped.cells[-2]["metadata"]["course"] == {"wrong": [LAZY, PLAUSIBLE]}


def test_a_plan_may_inject_a_cell_and_change_the_environment(tree):
    add(tree, "10", "import os\nif os.environ['WORLD'] == 'wrong' and injected == 7:\n    1 / 0")
    plan = runner.Plan(select(), tree / "out", inject="injected = 7", env={"WORLD": "wrong"})
    results = {}
    runner.execute(plan, lambda *_: None, lambda notebook, result: results.update({notebook.number: result}))
    assert results["10"]["error"] == {
        "cell": 3,
        "line": "import os",
        "cause": "ZeroDivisionError: division by zero",
    }
    cells = Notebook.read(tree / "out/10_toy.ipynb").cells
    assert "injected = 7" in ["".join(c["source"]) for c in cells]


ORPHAN = """
import subprocess, sys
inner = "import os, signal; open('../new', 'w').write(str(os.getpid())); os.rename('../new', '../pid'); signal.pause()"
outer = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {inner!r}], start_new_session=True)"
subprocess.run([sys.executable, "-c", outer], env=ENVIRONMENT, start_new_session=True)
import pathlib
while not pathlib.Path("../pid").exists():
    pass
""".strip()


@posix
@pytest.mark.parametrize("environment", ["{}", "None"])
def test_no_child_outlives_its_run(tree, environment):
    add(tree, "10", ORPHAN.replace("ENVIRONMENT", environment))
    assert course("run").returncode == 0
    assert not psutil.pid_exists(int((tree / "pid").read_text()))


@posix
def test_no_child_outlives_a_killed_worker_or_runner(tree):
    for victim in ("worker", "runner"):
        gated(tree)
        source = "".join(Notebook.read(tree / "notebooks/10_toy.ipynb").cells[-1]["source"])
        add(tree, "10", ORPHAN.replace("ENVIRONMENT", "None"), source)
        process = start("run", "10")
        below = until_running(tree, process)
        orphan = psutil.Process(int((tree / "pid").read_text()))
        (below[0] if victim == "worker" else process).kill()
        process.communicate()
        assert psutil.wait_procs([*below, orphan], timeout=30)[1] == []
        for name in ("never", "running", "pid"):
            os.unlink(tree / name)


def test_what_a_notebook_prints_is_capped(tree):
    add(tree, "10", "line = 'x' * 999\nfor _ in range(30_000):\n    print(line)", "print('the end')")
    done = course("run")
    assert done.returncode == 0
    assert "! 10_toy.ipynb: it printed 30 MB; what came after the first 10 was dropped" in done.stdout
    copy = (tree / "build/run/10_toy.ipynb").read_text()
    assert 10_000_000 < len(copy) < 11_000_000
    assert "more than 10 MB: the rest is dropped" in copy


def test_odd_lines_in_a_record_are_left_out_and_said(tree):
    odd = [b"\xff\xfe", b"[]", b"7", b'{"kind": "claim", "text": "so", "status": "perhaps"}', b'{"kind": "data"}', b"{"]
    add(tree, "10", f"import os\nopen(os.environ['COURSE_RECORD'], 'ab').write(b'\\n'.join({odd!r}) + b'\\n')")
    done = course("run")
    assert done.returncode == 0
    assert "! 10_toy.ipynb: 6 odd lines of its record were left out" in done.stdout
    assert report(tree)["by"]["10"]["claim_list"] == []
