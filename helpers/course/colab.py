"""Install what the course needs and Google Colab lacks, without touching what Colab ships.

Run by the setup cell as a plain script: only the standard library, and `packaging` where pip has it. Every package
already there that satisfies the course's lower bounds is pinned to its own version for pip, so that TensorFlow, Keras,
NumPy and pandas stay as they are; where one does not satisfy them, the script says so and stops before changing
anything.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Install the missing requirements; return a process exit code."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        from pip._vendor.packaging.requirements import Requirement
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    installed = {d.metadata["Name"].lower().replace("_", "-"): d.version for d in distributions() if d.metadata["Name"]}
    missing, too_old = [], []
    for requirement in map(Requirement, wanted):
        name = requirement.name.lower().replace("_", "-")
        if name not in installed:
            missing.append(str(requirement))
        elif not requirement.specifier.contains(installed[name], prereleases=True):
            too_old.append(f"{name} {installed[name]} (the course needs {requirement.specifier})")
    if too_old:
        print("This machine's packages do not fit the course: " + ", ".join(too_old), file=sys.stderr)
        print(
            "Use Runtime > Disconnect and delete runtime for a fresh one, or run the course locally.", file=sys.stderr
        )
        return 1
    if not missing:
        return 0
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder) / "constraints.txt"
        pins.write_text("".join(f"{name}=={version}\n" for name, version in installed.items()), encoding="utf-8")
        print("Adding to Colab: " + ", ".join(missing))
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-input", "-c", str(pins), *missing]
        return subprocess.run(command).returncode


if __name__ == "__main__":
    sys.exit(main())
