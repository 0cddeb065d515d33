"""The set-up cell away from Colab, and where packages do not fit; tests/colab/ has the rest."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.course.badges import setup_source
from helpers.notebooks import settings

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


@pytest.fixture
def colab(tmp_path):
    """Runs the set-up cell where a stub of google.colab can be imported, in the folder content."""
    (tmp_path / "stub/google/colab").mkdir(parents=True)
    (tmp_path / "stub/google/colab/__init__.py").write_text("")
    (tmp_path / "content").mkdir()

    def run(address):
        env = {k: v for k, v in os.environ.items() if k != "COURSE_REPOSITORY"}
        env |= {"PYTHONPATH": str(tmp_path / "stub")} | ({"COURSE_REPOSITORY": address} if address else {})
        command = [sys.executable, "-c", SETUP.replace("https://github.com/", "file:///nowhere/")]
        return subprocess.run(command, cwd=tmp_path / "content", capture_output=True, text=True, env=env)

    return run


@pytest.mark.skipif(bool(settings()["repository"]), reason="an address is set")
def test_without_an_address_colab_says_how_to_set_one(colab):
    done = colab(None)
    assert done.returncode == 1 and "No address to fetch the course from" in done.stderr.splitlines()[-1]


def test_a_folder_that_is_not_a_clone_of_the_course_is_neither_run_nor_changed(colab, tmp_path):
    script = tmp_path / "content/course/helpers/course/colab.py"
    script.parent.mkdir(parents=True)
    script.write_text("raise SystemExit('a stranger ran')")
    subprocess.run(["git", "-C", tmp_path / "content/course", "init", "-q"], check=True)
    address = (tmp_path / "public").as_uri()
    for remote in (None, (tmp_path / "other").as_uri()):
        if remote:
            subprocess.run(["git", "-C", tmp_path / "content/course", "remote", "add", "origin", remote], check=True)
        done = colab(address)
        assert done.returncode == 1 and f"not a clone of {address}: rename it" in done.stderr.splitlines()[-1]
        assert "a stranger ran" not in done.stderr and script.exists()


def test_the_set_up_cell_fetches_its_own_commit_and_the_branch_of_a_fork(tmp_path):
    (tmp_path / "stub/google/colab").mkdir(parents=True)
    (tmp_path / "stub/google/colab/__init__.py").write_text("")
    public = tmp_path / "public"
    (public / "helpers/course").mkdir(parents=True)
    (public / "notebooks").mkdir()
    (public / "notebooks/keep").touch()
    script = public / "helpers/course/colab.py"

    def git(*words):
        who = ["-c", "user.name=Reader", "-c", "user.email=reader@localhost"]
        return subprocess.run(["git", "-C", public, *who, *words], check=True, capture_output=True, text=True).stdout

    git("init", "-q", "-b", "main")
    commits = []
    for number in range(3):
        script.write_text(f"print('version {number}')")
        git("add", "-A")
        git("commit", "-q", "-m", "A version")
        commits.append(git("rev-parse", "HEAD").strip())

    def run(place, commit, **more):
        (tmp_path / place).mkdir(exist_ok=True)
        template = (ROOT / "helpers/course/templates/setup_cell.py").read_text(encoding="utf-8")
        cell = template.replace("@ADDRESS@", public.as_uri()).replace("@BRANCH@", "main").replace("@COMMIT@", commit)
        env = {k: v for k, v in os.environ.items() if k != "COURSE_REPOSITORY"} | {"PYTHONPATH": str(tmp_path / "stub")}
        command = [sys.executable, "-c", cell]
        return subprocess.run(command, cwd=tmp_path / place, capture_output=True, text=True, env=env | more)

    assert run("pinned", commits[0]).stdout == "version 0\n", "the commit, however far the branch has gone"
    assert run("pinned", commits[1]).stdout == "version 1\n", "a newer notebook in the same place brings its own"
    assert run("branch", "").stdout == "version 2\n"
    assert run("fork", commits[0], COURSE_REPOSITORY=public.as_uri() + "/").stdout == "version 2\n"
    lost = run("lost", "f" * 40)
    assert lost.returncode == 1 and "'fetch'" in lost.stderr
    assert run("lost", commits[2]).stdout == "version 2\n", "a fetch that failed is made up for"


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
