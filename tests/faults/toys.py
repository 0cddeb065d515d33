"""A tree of toy notebooks to run the real command on, and the command."""

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

COURSE = [sys.executable, "-P", "-c", "from helpers.course.cli import main; main()"]
posix = pytest.mark.skipif(os.name != "posix", reason="signals and named pipes")

FIGURE = """
import base64
from IPython.display import display
pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
alt = 'A line that rises <by "half">'
display({"image/png": pixel, "text/plain": alt}, raw=True, metadata={"image/png": {"alt": alt}})
""".strip()
RECORD = """
from helpers import record
record.write("data", name="toy_set", origin="real", sha256={"a.csv": "a" * 64})
record.write("metric", name="auc", values=[0.7, 0.8], mean=0.75, std=0.05, n=2, unit="")
record.write("claim", text="two is two", status="held")
record.write("claim", text="not on stand-ins", status="skipped")
""".strip()
# Tells the test that it runs, then waits to be ended, unless the file `go` lets it pass.
GATE = """
import pathlib
if not pathlib.Path("../go").exists():
    pathlib.Path("../running").write_text("now")
    open("../never").read()
""".strip()


def cell(source, *tags):
    return {
        "cell_type": "code",
        "id": f"c{abs(hash(source)):x}"[:12],
        "metadata": {"tags": list(tags)} if tags else {},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def add(tree, number, *sources):
    title = cell(f"# {number} · Toy {number}", "title") | {"cell_type": "markdown"}
    title = {key: value for key, value in title.items() if key not in ("outputs", "execution_count")}
    cells = [
        title,
        cell('PROFILE = "quick"\nSEED = 7', "parameters"),
        *(source if isinstance(source, dict) else cell(source) for source in sources),
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path = tree / "notebooks" / f"{number}_toy.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    return path


def course(*arguments, cwd=None, **environment):
    environment = os.environ | environment
    return subprocess.run([*COURSE, *arguments], capture_output=True, text=True, env=environment, timeout=240, cwd=cwd)


def report(tree):
    made = json.loads((tree / "build/run/report.json").read_text())
    return made | {"by": {result["number"]: result for result in made["results"]}}


def start(*arguments):
    process = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    if os.name == "posix":  # a background job of a shell ignores Ctrl-C, and so does all that it starts
        process["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen([*COURSE, *arguments], **process)


def until_running(tree, process):
    """Wait for the gated notebook to say that it runs; returns every process below the runner."""
    while not (tree / "running").exists():
        assert process.poll() is None, process.communicate()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
    return psutil.Process(process.pid).children(recursive=True)


def gated(tree):
    os.mkfifo(tree / "never")
    add(tree, "00", RECORD)
    add(tree, "10", GATE)
    add(tree, "11", "2 + 2")
