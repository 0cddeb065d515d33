"""The set-up cell away from Colab, and where packages do not fit; tests/colab/ has the rest."""

import os
import re
import subprocess
import sys
from pathlib import Path

from helpers.course.badges import setup_source

ROOT = Path(__file__).resolve().parents[2]
SETUP = setup_source()


def test_elsewhere_the_setup_cell_does_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", f"{SETUP}\nprint(os.getcwd(), len(sys.path))"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "COURSE_REPOSITORY": "file:///nowhere"},
    )
    assert done.returncode == 0 and done.stdout.startswith(str(tmp_path)) and list(tmp_path.iterdir()) == []


def test_packages_that_do_not_fit_are_named_and_nothing_is_installed(tmp_path):
    # The script judges the environment it runs in: copy it beside a pyproject.toml that asks for a NumPy of the future.
    place = tmp_path / "helpers/course/colab.py"
    place.parent.mkdir(parents=True)
    place.write_bytes((ROOT / "helpers/course/colab.py").read_bytes())
    (tmp_path / "pyproject.toml").write_text(
        '[project]\ndependencies = ["numpy>=99", "nonesuch-package"]\n', encoding="utf-8"
    )
    done = subprocess.run([sys.executable, place], capture_output=True, text=True)
    assert done.returncode == 1 and re.search(r"numpy [\d.]+ \(the course needs >=99\)", done.stderr)
    assert "Disconnect and delete runtime" in done.stderr and done.stdout == ""
