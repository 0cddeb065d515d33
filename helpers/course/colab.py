"""Install what the course needs and Google Colab or Binder lacks, without touching what they ship.

    python helpers/course/colab.py [PACKAGE …]    by the set-up cell, which names the packages of the notebook's row
    python helpers/course/colab.py --binder       by binder/postBuild: the packages of all rows that fit there

A plain script: only the standard library, and `packaging` where pip has it. Every package already there that satisfies
the course's lower bounds is pinned to its own version for pip, so that TensorFlow, Keras, NumPy and pandas stay as they
are; where one of the core does not satisfy them, the script says so and stops before changing anything. Packages of the
rows are looked up in the extras of pyproject.toml; the course goes on without one that cannot be had.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import distributions
from pathlib import Path

try:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name
except ImportError:
    from pip._vendor.packaging.requirements import Requirement
    from pip._vendor.packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


def main(names: list[str]) -> int:
    """Install the missing requirements of the core, then those of `names`; return a process exit code."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    installed = {canonicalize_name(d.metadata["Name"]): d.version for d in distributions() if d.metadata["Name"]}
    missing, too_old = [], []
    for requirement in map(Requirement, project["dependencies"]):
        name = canonicalize_name(requirement.name)
        if name not in installed:
            missing.append(requirement)
        elif not requirement.specifier.contains(installed[name], prereleases=True):
            too_old.append(f"{name} {installed[name]} (the course needs {requirement.specifier})")
    if too_old:
        print("This machine's packages do not fit the course: " + ", ".join(too_old), file=sys.stderr)
        print(
            "Use Runtime > Disconnect and delete runtime for a fresh one, or run the course locally.", file=sys.stderr
        )
        return 1
    place = "Binder" if names == ["--binder"] else "Colab"
    if code := _install(missing, installed, place):
        return code
    wanted = {canonicalize_name(name) for name in (_rows() if place == "Binder" else names)}
    lines = [Requirement(line) for extra in project.get("optional-dependencies", {}).values() for line in extra]
    more = {canonicalize_name(line.name): line for line in reversed(lines)}
    for name in sorted(wanted - set(installed)):  # one by one, so that one that cannot be had takes no other with it
        if _install([more.get(name) or Requirement(name)], installed, place):
            print(f"{name} could not be added: the sections that use it are left out.")
    return 0


def _install(wanted: list[Requirement], installed: dict[str, str], place: str) -> int:
    """Add these with pip, everything that is there held at its version; pip's exit code."""
    if not wanted:
        return 0
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder) / "constraints.txt"
        pins.write_text("".join(f"{name}=={version}\n" for name, version in installed.items()), encoding="utf-8")
        lines = [str(requirement) for requirement in wanted]
        print(f"Adding to {place}: " + ", ".join(lines), flush=True)
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-input", "-c", str(pins), *lines]
        return subprocess.run(command).returncode


def _rows() -> set[str]:
    """The packages that the notebooks' title tables name, less those that Binder cannot hold."""
    from helpers import notebooks  # postBuild has installed the course by now

    names = {notebooks.package_name(name) for notebook in notebooks.select() for name in notebook.packages}
    return names - set(map(notebooks.package_name, notebooks.settings()["not_on_binder"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
