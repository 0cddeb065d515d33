"""The course itself: `course run` quick with one and two jobs, seconds and peak memory of every notebook."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.harness import OURS, Result


def run() -> list[Result]:
    """Two runs of everything; raises RuntimeError when a notebook fails."""
    results, reports = [], {}
    for jobs in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-c", "from helpers.course.cli import main; main()", "run"]
            started = time.perf_counter()
            done = subprocess.run([*command, "--jobs", str(jobs), "--out", folder], check=False, capture_output=True)
            seconds = time.perf_counter() - started
            if done.returncode:
                raise RuntimeError(done.stdout.decode()[-2000:] + done.stderr.decode()[-2000:])
            reports[jobs] = json.loads((Path(folder) / "report.json").read_text(encoding="utf-8"))["results"]
        result = Result(f"course run --jobs {jobs}", {OURS: [seconds]})
        slowest, largest = (max(reports[jobs], key=lambda r, k=k: r[k]) for k in ("seconds", "peak_mb"))
        result.goal(f"each notebook ≤ 60 s (slowest: {slowest['number']})", slowest["seconds"], high=60)
        result.goal(f"each notebook ≤ 2,000 MB (largest: {largest['number']})", largest["peak_mb"], high=2000)
        result.notes += [f"{r['number']}: {r['seconds']:.0f} s, {r['peak_mb']:,} MB" for r in reports[jobs]]
        results.append(result)
    return results
