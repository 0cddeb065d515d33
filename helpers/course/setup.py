"""Make or refresh the course's own environment, .venv: `python helpers/course/setup.py`, the first step of every target.

Standard library only, and old syntax on purpose: it must run, and explain itself, under any Python. It creates .venv,
brings in uv from the lock (hash-checked), lets uv install exactly what requirements.txt lists, and compiles the bytecode
once so that kernels start fast. When nothing has changed since the last time it returns at once.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LOWEST, BELOW = (3, 11, 5), (3, 14)


def main():
    """Set the environment up; return a process exit code."""
    if not LOWEST <= sys.version_info[:3] or not sys.version_info[:2] < BELOW:
        found = ".".join(map(str, sys.version_info[:3]))
        print("The course needs Python 3.11.5 to 3.13; this is Python %s. Install one of those, then try again." % found)
        return 1
    folder = os.path.join(ROOT, ".venv")
    stamp = os.path.join(folder, "course-setup")
    python = os.path.join(folder, "Scripts" if os.name == "nt" else "bin", "python")
    wanted = fingerprint()
    if os.path.exists(stamp) and open(stamp).read() == wanted and works(python):
        return 0
    if not works(python):
        shutil.rmtree(folder, ignore_errors=True)
        print("Setting up: Python %d.%d in .venv" % sys.version_info[:2], flush=True)
        if subprocess.call([sys.executable, "-m", "venv", folder]) != 0:
            print("python -m venv failed. On Debian and Ubuntu: apt install python3-venv, then try again.")
            return 1
    if os.path.exists(stamp):
        os.remove(stamp)
    print("Setting up: packages of requirements.txt (about 2 GB on disk, once)", flush=True)
    environment = dict(os.environ, UV_COMPILE_BYTECODE="1", UV_NO_PROGRESS="1", UV_LINK_MODE=os.environ.get("UV_LINK_MODE", "copy"))
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment.setdefault("UV_HTTP_TIMEOUT", "120")
    if not bring_uv(python, environment):
        print("The installer could not be fetched. Look at the lines above; is there a network? Then try again.")
        return 1
    lock = os.path.join(ROOT, "requirements.txt")
    uv = [python, "-m", "uv", "pip"]
    steps = [
        uv + ["sync", "-q", "--require-hashes", "--python", python, lock],
        uv + ["install", "-q", "--python", python, "--no-deps", "--no-build-isolation", "-e", ROOT],
        [python, "-m", "compileall", "-q", os.path.join(ROOT, "helpers")],
    ]
    for step in steps:
        if subprocess.call(step, env=environment, cwd=ROOT) != 0:
            print("Setting up failed at: " + " ".join(step[2:]) + ". Is there a network and 3 GB of free disk? Then try again.")
            return 1
    with open(stamp, "w") as file:
        file.write(wanted)
    return 0


def fingerprint():
    """What decides the environment: the lock, the package's own settings, where the course lies, and the Python version."""
    digest = hashlib.sha256((ROOT + "%d.%d" % sys.version_info[:2]).encode())
    for name in ("requirements.txt", "pyproject.toml"):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def works(python):
    """Is there an interpreter at this place, and does it start?"""
    try:
        return subprocess.call([python, "-c", ""], stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def bring_uv(python, environment):
    """Install the locked uv with pip, by hash, unless it is there."""
    with open(os.path.join(ROOT, "requirements.txt"), encoding="utf-8") as file:
        block = re.search(r"^uv==(\S+)(?:.*\\\n)(?:    --hash=.*\n)+", file.read(), re.MULTILINE)
    version = block.group(1)
    have = subprocess.run([python, "-m", "uv", "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if version in have.stdout.decode().split():
        return True
    handle, name = tempfile.mkstemp(suffix=".txt")
    with os.fdopen(handle, "w") as file:
        file.write(block.group(0))
    try:
        command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes", "-r", name]
        return subprocess.call(command, env=environment) == 0
    finally:
        os.remove(name)


if __name__ == "__main__":
    sys.exit(main())
