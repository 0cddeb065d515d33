"""Each notebook in an environment like Colab's: `course proof --kind colab` calls this file, one notebook at a time.

The course arrives by the set-up cell, which adds what is missing and replaces nothing of Colab's own.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.course.badges import setup_source

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Colab is Linux")
ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))
PLACE = ROOT / "build/venv-colab"
PYTHON = PLACE / "bin/python"
# What Colab shipped in 2025: the floor that the course promises to accept.
SHIPPED = {
    "tensorflow-cpu": "2.19.0", "keras": "3.10.0", "numpy": "2.0.2", "pandas": "2.2.2", "scikit-learn": "1.6.1",
    "matplotlib": "3.10.0", "scipy": "1.15.3", "ipykernel": "6.17.1", "statsmodels": "0.14.4",
}  # fmt: skip


def environment(folder):
    kept = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH", "COURSE_RECORD")}
    return kept | {"COURSE_REPOSITORY": (folder / "repository").as_uri(), "COURSE_PROGRESS": "off"}


def versions():
    out = subprocess.run([PYTHON, "-m", "pip", "list", "--format", "json"], check=True, capture_output=True, text=True)
    return {re.sub(r"[._-]+", "-", item["name"]).lower(): item["version"] for item in json.loads(out.stdout)}


def run_setup(folder, after=""):
    return subprocess.run(
        [PYTHON, "-c", f"{setup_source()}\n{after}"],
        cwd=folder / "content", env=environment(folder), capture_output=True, text=True,
    )  # fmt: skip


def make(folder):
    """Colab's packages and a stub of google.colab; then the set-up cell, whose promises are checked here."""
    uv = [sys.executable, "-m", "uv"]
    shutil.rmtree(PLACE, ignore_errors=True)
    subprocess.run([*uv, "venv", "-q", "--seed", "--python", sys.executable, PLACE], check=True)
    pins = [f"{name}=={version}" for name, version in SHIPPED.items()]
    compiled = os.environ | {"UV_COMPILE_BYTECODE": "1"}
    done = subprocess.run(
        [*uv, "pip", "install", "-q", "--python", PYTHON, *pins], capture_output=True, text=True, env=compiled
    )
    if done.returncode:
        pytest.skip(f"Colab's packages cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
    [site] = PLACE.glob("lib/python*/site-packages")
    (site / "google/colab").mkdir(parents=True, exist_ok=True)
    (site / "google/colab/__init__.py").write_text("", encoding="utf-8")

    before = versions()
    done = run_setup(folder, "import helpers, os; print(os.getcwd()); from helpers import session, datasets, audit")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("Adding to Colab: ") and "arch" in done.stdout
    assert Path(done.stdout.splitlines()[-1]) == (folder / "content/course/notebooks").resolve()
    after = versions()
    assert {name: after[name] for name in before} == before, "the set-up cell replaced a package of Colab's"
    assert {"arch", "papermill"} <= set(after)
    again = run_setup(folder)
    assert again.returncode == 0 and again.stdout == "", "a second run has nothing to do"


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    """A folder in which /content and the public repository lie; the environment is kept while nothing changes."""
    folder = tmp_path_factory.mktemp("colab")
    # The tree as it stands, committed afresh: it needs no history, and tries what is not committed yet as well.
    skip = shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", ".*_cache", "*.egg-info")
    shutil.copytree(ROOT, folder / "repository", ignore=skip)
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "The course"]):
        who = ["-c", "user.name=Reader", "-c", "user.email=reader@localhost"]
        subprocess.run(["git", "-C", folder / "repository", *who, *command], check=True)
    (folder / "content").mkdir()
    basis = [SHIPPED, sys.version, setup_source()]
    basis += [(ROOT / name).read_text(encoding="utf-8") for name in ("pyproject.toml", "helpers/course/colab.py")]
    print_of = hashlib.sha256(json.dumps(basis).encode()).hexdigest()
    ready = PLACE / "course-ready"
    if not ready.exists() or ready.read_text() != print_of:
        make(folder)
        ready.write_text(print_of)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_runs_on_colabs_versions(colab, name):
    done = subprocess.run(
        [
            PYTHON,
            "-m",
            "papermill",
            "-k",
            "python3",
            "--cwd",
            colab / "content",
            ROOT / "notebooks" / name,
            "out.ipynb",
        ],
        env=environment(colab) | {"JUPYTER_PREFER_ENV_PATH": "1"},
        cwd=colab,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    cells = json.loads((colab / "out.ipynb").read_text(encoding="utf-8"))["cells"]
    printed = "".join("".join(o.get("text", [])) for cell in cells for o in cell.get("outputs", []))
    assert "✓ " in printed
    assert not name.startswith("00") or f"keras {SHIPPED['keras']}" in printed
