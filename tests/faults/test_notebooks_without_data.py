"""No network, no mirror, an empty cache: every notebook still runs to its end, on stand-ins, and says so."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLOSED = "http://127.0.0.1:9"  # the discard port: nothing listens


@pytest.mark.slow
def test_every_notebook_runs_on_stand_ins_under_a_banner(tmp_path):
    environment = {**os.environ, "COURSE_DATA_DIR": str(tmp_path / "cache"), "COURSE_DATA_MIRROR": ""}
    environment |= {name: CLOSED for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY")}
    environment["NO_PROXY"] = environment["no_proxy"] = ""
    course = [sys.executable, "-c", "from helpers.course.cli import main; main()"]
    done = subprocess.run(
        [*course, "run", "--jobs", "2", "--out", str(tmp_path / "run")],
        cwd=ROOT, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    report = json.loads((tmp_path / "run/report.json").read_text(encoding="utf-8"))
    assert len(report["results"]) == len(list((ROOT / "notebooks").glob("[0-9]*.ipynb")))
    for result in report["results"]:
        assert result["status"] == "ok"
        if result["data"]:
            assert result["claims"]["skipped"] > 0, f"{result['number']}: claims about real data must not be checked"
            copy = next((tmp_path / "run").glob(f"{result['number']}_*.ipynb")).read_text(encoding="utf-8")
            assert "STAND-IN DATA" in copy
