"""The set-up cell in an environment like Colab's: the course arrives, what is missing is added, nothing is replaced."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What Colab shipped in 2025: the floor that the course promises to accept.
SHIPPED = {
    "tensorflow-cpu": "2.19.0", "keras": "3.10.0", "numpy": "2.0.2", "pandas": "2.2.2", "scikit-learn": "1.6.1",
    "matplotlib": "3.10.0", "scipy": "1.15.3", "ipykernel": "6.17.1", "statsmodels": "0.14.4",
}  # fmt: skip


def setup_cell(number="00"):
    [path] = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    [cell] = [cell for cell in cells if "setup" in cell["metadata"].get("tags", [])]
    return "".join(cell["source"])


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    """A clean environment with Colab's packages and a stub of google.colab; the clone address is this checkout."""
    folder = tmp_path_factory.mktemp("colab")
    uv = [sys.executable, "-m", "uv"]
    environment = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH", "COURSE_RECORD")}
    subprocess.run(
        [*uv, "venv", "-q", "--seed", "--python", sys.executable, folder / "env"], check=True, env=environment
    )
    python = folder / "env/bin/python"
    pins = [f"{name}=={version}" for name, version in SHIPPED.items()]
    done = subprocess.run(
        [*uv, "pip", "install", "-q", "--python", python, *pins], env=environment, capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"Colab's packages cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
    site = subprocess.run(
        [python, "-c", "import site; print(site.getsitepackages()[0])"], check=True, capture_output=True
    )
    stub = Path(site.stdout.decode().strip()) / "google/colab"
    stub.mkdir(parents=True, exist_ok=True)
    (stub / "__init__.py").write_text("", encoding="utf-8")
    # The tree as it stands, committed afresh: it needs no history, and tries what is not committed yet as well.
    repository = folder / "repository"
    skip = shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", ".*_cache", "*.egg-info")
    shutil.copytree(ROOT, repository, ignore=skip)
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "The course"]):
        who = ["-c", "user.name=Reader", "-c", "user.email=reader@localhost"]
        subprocess.run(["git", "-C", repository, *who, *command], check=True)
    environment["COURSE_REPOSITORY"] = repository.as_uri()
    (folder / "content").mkdir()
    return folder, python, environment


def versions(python):
    out = subprocess.run([python, "-m", "pip", "list", "--format", "json"], check=True, capture_output=True, text=True)
    return {re.sub(r"[._-]+", "-", item["name"]).lower(): item["version"] for item in json.loads(out.stdout)}


def run_cell(colab, after=""):
    folder, python, environment = colab
    return subprocess.run(
        [python, "-c", f"{setup_cell()}\n{after}"],
        cwd=folder / "content",
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Colab is Linux")
def test_colab_gets_the_course_and_keeps_its_own_packages(colab):
    folder, python, _ = colab
    before = versions(python)
    done = run_cell(colab, "import helpers, os; print(os.getcwd()); from helpers import session, datasets, audit")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("Adding to Colab: ") and "arch" in done.stdout
    assert Path(done.stdout.splitlines()[-1]) == (folder / "content/course/notebooks").resolve()
    after = versions(python)
    assert {name: after[name] for name in before} == before, "the set-up cell replaced a package of Colab's"
    assert {"arch", "pooch", "papermill"} <= set(after)
    again = run_cell(colab)
    assert again.returncode == 0 and again.stdout == "", "a second run has nothing to do"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Colab is Linux")
def test_the_first_notebook_runs_on_colabs_versions(colab):
    folder, python, environment = colab
    [source] = (ROOT / "notebooks").glob("00_*.ipynb")
    done = subprocess.run(
        [python, "-m", "papermill", "-k", "python3", "--cwd", folder / "content", source, folder / "00.ipynb"],
        env=environment | {"COURSE_PROGRESS": "off", "JUPYTER_PREFER_ENV_PATH": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    cells = json.loads((folder / "00.ipynb").read_text(encoding="utf-8"))["cells"]
    printed = "".join("".join(o.get("text", [])) for cell in cells for o in cell.get("outputs", []))
    assert f"keras {SHIPPED['keras']}" in printed and "✓ " in printed


def test_elsewhere_the_setup_cell_does_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", f"{setup_cell()}\nprint(os.getcwd(), len(sys.path))"],
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
