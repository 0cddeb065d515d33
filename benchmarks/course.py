"""The course itself: `course run` quick with one and two jobs, seconds and peak memory of every notebook.

`python -m benchmarks course` also puts the table into the README, between its `<!-- times -->` marks.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.harness import OURS, Result

README = Path(__file__).resolve().parents[1] / "README.md"
BLOCK = re.compile(r"<!-- times -->.*?<!-- /times -->", re.S)


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
    _into_readme(reports)
    return results


def _into_readme(reports: dict[int, list[dict]]) -> None:
    lines = ["<!-- times -->", "| notebook | seconds alone | seconds, two at a time | peak MB |", "|---|---|---|---|"]
    for one, two in zip(reports[1], reports[2], strict=True):
        peak = max(one["peak_mb"], two["peak_mb"])
        lines.append(f"| {one['title']} | {one['seconds']:.0f} | {two['seconds']:.0f} | {peak:,} |")
    total = sum(one["seconds"] for one in reports[1])
    lines += [f"| all, one after another | {total:.0f} | | |", "<!-- /times -->"]
    text = README.read_text(encoding="utf-8")
    if not BLOCK.search(text):
        raise RuntimeError("README.md has no <!-- times --> … <!-- /times --> to put the table into.")
    README.write_text(BLOCK.sub(lambda _: "\n".join(lines), text), encoding="utf-8")
