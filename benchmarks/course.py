"""The course itself: proof of a notebook by one execution and by two, and `course run` of everything.

COURSE_NOTEBOOK names the notebook that is proved both ways (default: 11).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.harness import OURS, Result, once
from helpers.notebooks import select

ROOT = Path(__file__).resolve().parents[1]
COURSE = [sys.executable, "-c", "from helpers.course.cli import main; main()"]
NBVAL = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "testpaths="]
NBVAL += ["--nbval-sanitize-with", "tests/notebooks/sanitise.cfg"]


def _do(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(done.stdout.decode()[-2000:] + done.stderr.decode()[-2000:])


def run() -> list[Result]:
    """Two proofs of a notebook each way, in turn, and one run of everything; raises RuntimeError when one fails."""
    [notebook] = select([os.environ.get("COURSE_NOTEBOOK", "11")])
    path, new, old = str(notebook.path), "course run, played back to nbval", "papermill, then live nbval"
    with tempfile.TemporaryDirectory() as folder:
        live = [*NBVAL, "--nbval", "--nbval-current-env", path]

        def ours() -> None:
            _do(*COURSE, "run", notebook.number, "--out", folder)
            _do(*NBVAL, "-p", "helpers.course.playback", "--executed", folder, path)

        def twice() -> None:
            papermill = [sys.executable, "-m", "papermill", "--cwd", str(notebook.path.parent), "-k", "python3"]
            _do(*papermill, path, str(Path(folder, "old.ipynb")))
            _do(*live)

        proof = Result(f"proof of notebook {notebook.number}", {OURS: [], old: []}, notes=[f"ours: {new}"])
        for _ in range(2):
            proof.seconds[OURS].append(once(ours))
            proof.seconds[old].append(once(twice))
        proof.at_least(1.6, old)
        return [proof, _everything(folder)]


def _everything(folder: str) -> Result:
    result = Result("course run", {OURS: [once(lambda: _do(*COURSE, "run", "--out", folder))]})
    reports = json.loads((Path(folder) / "report.json").read_text(encoding="utf-8"))["results"]
    result.goal("≤ 9 minutes", result.seconds[OURS][0] / 60, high=9)
    largest = max(reports, key=lambda report: report["peak_mb"])
    result.goal(f"each notebook ≤ 1,300 MB (largest: {largest['number']})", largest["peak_mb"], high=1300)
    result.notes += [f"{r['number']}: {r['seconds']:.0f} s, {r['peak_mb']:,} MB" for r in reports]
    return result
