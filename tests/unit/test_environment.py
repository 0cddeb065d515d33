"""One lock, and every way to install the course agrees with it."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement

from helpers import notebooks

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK_TEXT = (ROOT / "requirements.txt").read_text(encoding="utf-8")
PLACES = [
    {
        "sys_platform": system,
        "platform_machine": machine,
        "python_full_version": python,
        "python_version": python[:4],
        "os_name": "nt" if system == "win32" else "posix",
        "platform_system": "",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    for system, machine in (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64"))
    for python in ("3.11.5", "3.12.9", "3.13.2")
]


def locked(place):
    """{name: version} of what the lock installs there; fails when it pins a package twice."""
    found = {}
    for line in LOCK_TEXT.splitlines():
        if match := re.match(r"([a-z0-9._-]+)==([^\s;]+)\s*(?:;\s*(.*?))?\s*\\$", line):
            name, version, marker = match.groups()
            if marker is None or Marker(marker).evaluate(place):
                assert name not in found, f"{name} is pinned twice for {place}"
                found[name] = version
    return found


def read_environment(path):
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    [python] = [item for item in content["dependencies"] if isinstance(item, str) and item.startswith("python=")]
    [pip] = [item["pip"] for item in content["dependencies"] if isinstance(item, dict)]
    return content, python.split("=", 1)[1], pip


@pytest.mark.parametrize(
    "place", PLACES, ids=lambda p: f"{p['sys_platform']}-{p['platform_machine']}-{p['python_version']}"
)
def test_the_lock_satisfies_every_requirement_everywhere(place):
    versions = locked(place)
    extras = PROJECT["optional-dependencies"]
    for requirement in map(
        Requirement, [*PROJECT["dependencies"], *extras["tensorflow"], *extras["lab"], *extras["dev"]]
    ):
        if requirement.marker is None or requirement.marker.evaluate(place):
            version = versions.get(requirement.name.lower())
            assert version and requirement.specifier.contains(version), f"{requirement} but the lock has {version}"
    flavour = (
        "tensorflow-cpu" if place["sys_platform"] == "linux" and place["platform_machine"] == "x86_64" else "tensorflow"
    )
    assert flavour in versions and not {"tensorflow", "tensorflow-cpu"} - {flavour} & set(versions)
    assert not [name for name in versions if name.startswith(("nvidia", "torch", "jax"))], "CUDA is for the extra `gpu`"


def test_the_lock_has_hashes_and_no_addresses():
    pins = re.findall(r"^[a-z0-9._-]+==.*?(?=^[a-z0-9])", LOCK_TEXT + "\nz", re.M | re.S)
    assert len(pins) > 100 and all("--hash=sha256:" in pin for pin in pins)
    assert not re.search(r"https?:|--index|--find-links|--extra-index| @ ", LOCK_TEXT)


def test_conda_and_binder_install_the_lock_under_the_same_python():
    main, python, pip = read_environment(ROOT / "environment.yml")
    binder, binder_python, binder_pip = read_environment(ROOT / "binder/environment.yml")
    assert python == binder_python and main["channels"] == binder["channels"] and main["name"] == binder["name"]
    for folder, lines in ((ROOT, pip), (ROOT / "binder", binder_pip)):
        [line] = lines
        assert (folder / line.removeprefix("-r ")).resolve() == ROOT / "requirements.txt"
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(f"{python}.9")


def test_what_single_notebooks_need_is_in_an_extra_and_not_in_the_lock():
    extras = PROJECT["optional-dependencies"]
    assert {"markets", "operations", "customers", "language", "trust", "scale"} <= set(extras)
    packages = notebooks.extras()
    assert packages["cvxpy"] == "markets" and packages["mapie"] == "trust" and packages["dask"] == "scale"
    for heavy in map(notebooks.package_name, notebooks.settings()["not_on_binder"]):
        assert heavy in packages
        assert not any(heavy in locked(place) for place in PLACES), f"{heavy} is too heavy for the lock"


def test_binder_scripts_are_executable_and_install_nothing_but_the_course():
    for name in ("postBuild", "start"):
        assert os.access(ROOT / "binder" / name, os.X_OK)
    text = (ROOT / "binder/postBuild").read_text(encoding="utf-8")
    assert re.findall(r"pip install (.*)", text) == ["--quiet --no-deps --no-build-isolation -e ."]
    assert "00_start_here.ipynb" in text and "python helpers/course/colab.py --binder\n" in text


@pytest.fixture
def colab(tmp_path):
    """Run a copy of colab.py whose core is complete, with one package to be had, in a folder instead of an index."""
    place = tmp_path / "helpers/course/colab.py"
    place.parent.mkdir(parents=True)
    place.write_bytes((ROOT / "helpers/course/colab.py").read_bytes())
    (tmp_path / "pyproject.toml").write_text(
        '[project]\ndependencies = ["numpy"]\n[project.optional-dependencies]\n'
        'markets = ["course-tiny>=1", "course-absent", "course-heavy"]\n'
        '[tool.course]\nnot_on_binder = ["Course_Heavy"]\n',
        encoding="utf-8",
    )
    title = "# 11 · Toy\n\n| | |\n|---|---|\n| Packages | course_tiny, course-heavy |\n"
    raw = {"cells": [{"cell_type": "markdown", "metadata": {"tags": ["title"]}, "source": title}], "nbformat": 4}
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/11_toy.ipynb").write_text(json.dumps(raw), encoding="utf-8")
    info = "course_tiny-1.0.dist-info"
    with zipfile.ZipFile(tmp_path / "course_tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("course_tiny.py", "")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: course-tiny\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_TARGET": str(tmp_path / "site")}

    def run(*names):
        return subprocess.run(
            [sys.executable, place, *names],
            capture_output=True,
            text=True,
            env=os.environ | pip | {"COURSE_ROOT": str(tmp_path)},
        )

    run.site = tmp_path / "site"
    return run


def test_the_set_up_adds_the_packages_of_the_row_and_goes_on_without_what_cannot_be_had(colab):
    done = colab("course-tiny", "course-absent", "numpy")
    assert done.returncode == 0 and (colab.site / "course_tiny.py").exists()
    assert "Adding to Colab: course-tiny>=1\n" in done.stdout and "numpy" not in done.stdout
    assert "course-absent could not be added: the sections that use it are left out.\n" in done.stdout


def test_binder_gets_the_packages_of_all_rows_but_the_heavy_ones(colab):
    done = colab("--binder")
    assert done.returncode == 0 and done.stdout == "Adding to Binder: course-tiny>=1\n", done.stderr
    assert (colab.site / "course_tiny.py").exists()


def test_the_supported_pythons_are_the_same_everywhere():
    assert PROJECT["requires-python"] == ">=3.11.5,<3.14"
    assert "LOWEST, BELOW = (3, 11, 5), (3, 14)" in (ROOT / "helpers/course/setup.py").read_text(encoding="utf-8")
    assert "(3, 11, 5) <= sys.version_info[:3] < (3, 14)" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "3.11.5 to 3.13" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_installed_packages_are_the_locked_ones():
    from importlib.metadata import PackageNotFoundError, version

    place = {**PLACES[0], "sys_platform": sys.platform, "python_full_version": ".".join(map(str, sys.version_info[:3]))}
    if sys.platform != "linux":
        pytest.skip("checked on Linux, where CI runs")
    for name in ("tensorflow-cpu", "keras", "numpy", "pandas", "scikit-learn", "arch", "nbval"):
        try:
            assert version(name) == locked(place)[name], f"{name}: run `make run` or `make test` to refresh .venv"
        except PackageNotFoundError:
            pytest.skip(f"{name} is not installed: this is not the course's own environment")


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_without_a_suitable_python_make_says_so_in_one_line(tmp_path):
    for tool in ("sh", "make", "env"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = subprocess.run(
        [shutil.which("make"), "-C", str(ROOT), "run"], capture_output=True, text=True, env={"PATH": str(tmp_path)}
    )
    assert done.returncode != 0
    lines = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("make")]
    assert len(lines) == 1 and lines[0].startswith("No Python 3.11.5 to 3.13 found.")


def test_set_up_is_quick_when_nothing_changed():
    import time

    stamp = ROOT / ".venv/course-setup"
    if not stamp.exists():
        pytest.skip(".venv was not made by the set-up script")
    started = time.perf_counter()
    done = subprocess.run([sys.executable, str(ROOT / "helpers/course/setup.py")], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "" and time.perf_counter() - started < 10


def test_readme_links_every_notebook_and_nothing_else():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\(notebooks/([^)]+\.ipynb)\)", text))
    assert linked == {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    for target in re.findall(r"\]\((?!https?:|#)([^)]+)\)", text):
        assert (ROOT / target).exists(), f"README.md links {target}, which is not there"
