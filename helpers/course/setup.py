"""Make or refresh the course's own environment, .venv: the first step of every make target.

Standard library only, and old syntax on purpose: it must run, and explain itself, under any Python. It creates .venv,
brings in uv from the lock (hash-checked), lets uv install exactly what requirements.txt lists, and compiles the
bytecode once so that kernels start fast. When nothing has changed since the last time it returns at once.

    python helpers/course/setup.py                  make or refresh .venv
    python helpers/course/setup.py --lock           resolve pyproject.toml anew into requirements.txt
    python helpers/course/setup.py --backend NAME   make build/venv-NAME: jax or torch in place of TensorFlow
    python helpers/course/setup.py --site           make build/venv-site from site/requirements.txt
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LOCK = os.path.join(ROOT, "requirements.txt")
SITE = os.path.join(ROOT, "site", "requirements.txt")
LOWEST, BELOW = (3, 11, 5), (3, 14)


def main():
    """Set the environment up; return a process exit code."""
    if not LOWEST <= sys.version_info[:3] or not sys.version_info[:2] < BELOW:
        found = ".".join(map(str, sys.version_info[:3]))
        say("The course needs Python 3.11.5 to 3.13; this is Python %s. Install one of those, then try again." % found)
        return 1
    if sys.argv[1:2] == ["--lock"]:
        return lock()
    if sys.argv[1:2] == ["--backend"]:
        return other_backend(sys.argv[2])
    if sys.argv[1:2] == ["--site"]:
        return site()
    if sys.argv[1:]:
        say(__doc__)
        return 2
    folder = os.path.join(ROOT, ".venv")
    stamp = os.path.join(folder, "course-setup")
    python = os.path.join(folder, "Scripts" if os.name == "nt" else "bin", "python")
    wanted = fingerprint()
    if os.path.exists(stamp) and open(stamp).read() == wanted and works(python):
        return 0
    if not works(python):
        shutil.rmtree(folder, ignore_errors=True)
        say("Setting up: Python %d.%d in .venv" % sys.version_info[:2])
        if subprocess.call([sys.executable, "-m", "venv", folder]) != 0:
            say("python -m venv failed. On Debian and Ubuntu: apt install python3-venv, then try again.")
            return 1
    if os.path.exists(stamp):
        os.remove(stamp)
    say("Setting up: packages of requirements.txt (about 2 GB on disk, once)")
    if not bring_uv(python):
        say("The installer could not be fetched. Look at the lines above; is there a network? Then try again.")
        return 1
    uv = [python, "-m", "uv", "pip"]
    done = run(
        uv + ["sync", "-q", "--require-hashes", "--python", python, LOCK],
        uv + ["install", "-q", "--python", python, "--no-deps", "--no-build-isolation", "-e", ROOT],
        [python, "-m", "compileall", "-q", os.path.join(ROOT, "helpers")],
    )
    if not done:
        return 1
    with open(stamp, "w") as file:
        file.write(wanted)
    return 0


def lock():
    """Resolve pyproject.toml into requirements.txt: one version for every Python and system, hashes, no addresses."""
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "compile",
        "-q",
        "--universal",
        "--fork-strategy",
        "fewest",
        "--upgrade",
    ]
    command += ["--generate-hashes", "--no-annotate", "--no-header", "--no-emit-index-url", "--no-emit-find-links"]
    extras = ("tensorflow", "lab", "serve", "edge", "dev")
    command += ["--python-version", "3.11.5"]
    site = list(command)
    command += [part for extra in extras for part in ("--extra", extra)]
    site += [os.path.join("site", "requirements.in"), "-o", os.path.join("site", "requirements.txt")]
    return 0 if run(command + ["pyproject.toml", "-o", "requirements.txt"], site) else 1


def other_backend(name):
    """Make build/venv-NAME with the lock less TensorFlow and with the extra `name`."""
    if name not in ("jax", "torch"):
        say("The other backends are jax and torch, not %r." % name)
        return 2
    folder = os.path.join(ROOT, "build", "venv-" + name)
    python = os.path.join(folder, "Scripts" if os.name == "nt" else "bin", "python")
    uv = [sys.executable, "-m", "uv"]
    steps = [] if works(python) else [uv + ["venv", "-q", "--clear", "--python", sys.executable, folder]]
    steps += [
        uv + ["pip", "sync", "-q", "--require-hashes", "--python", python, LOCK],
        uv + ["pip", "uninstall", "-q", "--python", python, "tensorflow", "tensorflow-cpu"],
        uv + ["pip", "install", "-q", "--python", python, "--constraint", LOCK, "-e", ROOT + "[" + name + "]"],
    ]
    return 0 if run(*steps) else 1


def site():
    """Make build/venv-site, with which the site is built; apart, because Sphinx and the core need not agree."""
    folder = os.path.join(ROOT, "build", "venv-site")
    python = os.path.join(folder, "Scripts" if os.name == "nt" else "bin", "python")
    uv = [sys.executable, "-m", "uv"]
    steps = [] if works(python) else [uv + ["venv", "-q", "--clear", "--python", sys.executable, folder]]
    return 0 if run(*steps, uv + ["pip", "sync", "-q", "--require-hashes", "--python", python, SITE]) else 1


def run(*steps):
    """Run the commands in order, bytecode compiled; stop and say where at the first that fails."""
    environment = dict(os.environ, UV_COMPILE_BYTECODE="1", UV_NO_PROGRESS="1")
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment.setdefault("UV_HTTP_TIMEOUT", "120")
    environment.setdefault("UV_LINK_MODE", "copy")
    if "PIP_FIND_LINKS" in environment:
        environment.setdefault("UV_FIND_LINKS", environment["PIP_FIND_LINKS"])
    for step in steps:
        if subprocess.call(step, env=environment, cwd=ROOT) != 0:
            say("Setting up failed at: " + " ".join(step[1:]))
            say("Look at the lines above; is there a network, and 3 GB of free disk? Then try again.")
            return False
    return True


def say(text):
    """Print at once, also into a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def fingerprint():
    """What decides the environment: the lock, the package's settings, where the course lies, the Python version."""
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


def bring_uv(python):
    """Install the locked uv with pip, by hash, unless it is there."""
    with open(LOCK, encoding="utf-8") as file:
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
        return subprocess.call(command) == 0
    finally:
        os.remove(name)


if __name__ == "__main__":
    sys.exit(main())
