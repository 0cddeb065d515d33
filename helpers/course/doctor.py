"""`course doctor`: what is here, what is missing, and what to type."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from helpers.errors import CourseError
from helpers.notebooks import root, select

OK, ABSENT, BAD = "✓", "–", "✗"
PROBES = {
    "tensorflow": "import tensorflow as t; n = len(t.config.list_physical_devices('GPU'))",
    "jax": "import jax as t; n = sum(d.platform != 'cpu' for d in t.devices())",
    "torch": "import torch as t; n = t.cuda.device_count()",
}

Line = tuple[str, str, str]  # mark, what was found, what to do ('' for nothing)


def _probe(backend: str) -> subprocess.Popen | None:
    if importlib.util.find_spec(backend) is None:
        return None
    code, quiet = PROBES[backend] + "; print('|', t.__version__, n)", os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=quiet,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def lines() -> Iterator[Line]:
    """Look at everything; slow things are started first and read last."""
    chosen = os.environ.get("KERAS_BACKEND") or "tensorflow"
    probes = {name: _probe(name) for name in PROBES}
    yield _python()
    yield from _packages()
    yield from _machine()
    yield from _data()
    for backend, process in probes.items():
        yield from _backend(backend, process, backend == chosen)


def _python() -> Line:
    found = ".".join(map(str, sys.version_info[:3]))
    if (3, 11, 5) <= sys.version_info[:3] < (3, 14):
        return OK, f"Python {found}", ""
    return BAD, f"Python {found}", "the course needs 3.11.5 to 3.13: install one, remove .venv, `make run`"


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _fits(need) -> bool:
    version = _installed(need.name)
    return version is not None and need.specifier.contains(version.split("+")[0], prereleases=True)


def _packages() -> Iterator[Line]:
    from packaging.requirements import Requirement

    project = tomllib.loads((root() / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    needed = [Requirement(line) for line in project.get("dependencies", [])]
    unfit = [str(need) for need in needed if not _fits(need)]
    if unfit:
        yield BAD, f"packages missing or too old: {', '.join(unfit)}", "python -m pip install -e '.[tensorflow,lab]'"
    lock = root() / "requirements.txt"
    text = lock.read_text(encoding="utf-8") if lock.exists() else ""
    pins = [Requirement(line.rstrip(" \\")) for line in text.splitlines() if "==" in line.split(" ")[0]]
    pins = [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]
    other = [f"{pin.name} {_installed(pin.name) or 'missing'}" for pin in pins if not _fits(pin)]
    if other:
        shown = ", ".join(other[:3]) + (" …" if len(other) > 3 else "")
        yield ABSENT, f"{len(other)} of {len(pins)} packages are not as locked: {shown}", "`make run` mends that"
    elif pins:
        yield OK, f"{len(pins)} packages as locked", ""
    lab = _installed("jupyterlab")
    yield (OK, f"JupyterLab {lab}", "") if lab else (ABSENT, "no JupyterLab", "python -m pip install -e '.[lab]'")
    git = shutil.which("git")
    yield (OK, "Git", "") if git else (ABSENT, "no Git", "install it to update the course and to share your work")


def _machine() -> Iterator[Line]:
    import psutil

    from helpers import datasets

    place = datasets.cache_dir()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 1e9
    mark = OK if free > 2 else ABSENT if free > 0.3 else BAD
    yield (
        mark,
        f"{free:.1f} GB of disk free for data ({datasets.cache_dir()})",
        ("" if mark == OK else "make room, or set COURSE_DATA_DIR to a folder on another disk"),
    )
    memory = psutil.virtual_memory()
    enough = memory.available > 2e9
    yield (
        (OK if enough else ABSENT),
        f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB of memory free",
        ("" if enough else "a quick notebook may take 2 GB: close other programs"),
    )
    cores = os.cpu_count() or 1
    yield OK, f"{cores} processor core{'s' * (cores > 1)}", ""


def wanted() -> list[str]:
    """The data sets that the finished notebooks use, in the catalogue's order."""
    from helpers import datasets

    used = {name for notebook in select() for name in notebook.data}
    return [name for name in datasets.names() if name in used]


def _data() -> Iterator[Line]:
    from helpers import datasets

    try:
        state = {name: set(datasets.verify(name).values()) for name in wanted()}
    except CourseError as error:
        yield BAD, f"data: {error}", ""
        return
    corrupt = [name for name, found in state.items() if "corrupt" in found]
    missing = [name for name, found in state.items() if found == {"missing"}]  # `load` fetches what its table needs
    mirror = os.environ.get("COURSE_DATA_MIRROR")
    if mirror and "://" not in mirror and not Path(mirror).is_dir():
        yield BAD, f"COURSE_DATA_MIRROR names {mirror}, which is not a folder", "correct or unset it"
    if corrupt:
        yield ABSENT, f"data damaged in the cache: {', '.join(corrupt)}", f"course data fetch {' '.join(corrupt)}"
    if missing:
        yield ABSENT, f"data not fetched yet: {', '.join(missing)} (from {datasets.source()})", "course data fetch"
    if state and not missing and not corrupt:
        yield OK, f"all {len(state)} data sets of the finished notebooks at hand", ""


def _backend(name: str, process: subprocess.Popen | None, chosen: bool) -> Iterator[Line]:
    extra = f"python -m pip install -e '.[{name}]'"
    if process is None:
        yield (
            (BAD, f"{name} is not installed, and it is the backend", extra)
            if chosen
            else (ABSENT, f"{name} is not installed (optional)", f"{extra}, in an environment of its own")
        )
        return
    try:
        out, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = "", "it took more than a minute to import"
    if process.returncode or "|" not in out:
        why = (err.strip().splitlines() or ["no reason given"])[-1]
        yield (BAD if chosen else ABSENT), f"{name} cannot be imported: {why}", f"{extra} --force-reinstall"
        return
    version, gpus = out.split("|")[-1].split()
    gpus = int(gpus)
    yield OK, f"{name} {version}" + (", the backend" if chosen else ""), ""
    if gpus:
        yield OK, f"{gpus} GPU{'s' * (gpus > 1)} through {name}", ""
    elif chosen and shutil.which("nvidia-smi"):
        yield ABSENT, f"a GPU is there, but {name} does not see it", "python -m pip install -e '.[gpu]'"
    elif chosen:
        yield ABSENT, "no GPU: the quick profile does not need one", ""
