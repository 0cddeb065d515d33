"""A pytest plugin by which nbval judges notebooks on a run that is over: `course run --out DIR`, then

    pytest -p helpers.course.playback --executed DIR notebooks/

nbval collects the cells, reads their tags, cleans the outputs and compares; instead of a kernel it gets the outputs
of the executed copies. Every cell is compared but for those tagged `nbval-ignore-output`; claims cells always are.
With nbval's own `--nbval` the plugin only adds the last lines: which notebook, which cell, why.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from helpers.course import runner
from helpers.errors import CourseError
from helpers.notebooks import Notebook, root, tags

ANSI = re.compile(r"\x1b\[[0-9;]*m")
SANITISE = Path(__file__).parents[2] / "tests" / "notebooks" / "sanitise.cfg"
LEFT_OUT = pytest.StashKey[list]()


class _Kernel:
    """What nbval asks of a kernel, answered from the code cells of an executed copy."""

    def __init__(self, cells: list) -> None:
        self.cells, self.messages = iter(cells), []

    def execute_cell_input(self, source: str, allow_stdin: bool | None = None) -> str:
        """Line up the outputs that this cell had, then the status by which a kernel ends a cell."""
        cell = next((cell for cell in self.cells if cell.source == source), None)
        if cell is None:
            raise RuntimeError("the executed copy lacks this cell")
        self.messages = [(output.output_type, output) for output in map(nbformat.from_dict, runner.clean_outputs(cell))]
        self.messages.append(("status", {"execution_state": "idle"}))
        return "played back"

    def get_message(self, stream: str, timeout: float | None = None) -> dict:
        """The next message of this cell."""
        kind, content = self.messages.pop(0)
        return {"msg_type": kind, "parent_header": {"msg_id": "played back"}, "content": content}

    def is_alive(self) -> bool:
        """As long as the file is judged."""
        return True

    def await_reply(self, *_, **__) -> None:
        """The cell has run long ago."""

    await_idle = interrupt = stop = await_reply


class PlayedFile(IPyNbFile):
    """A notebook whose cells are judged on its executed copy."""

    def setup(self) -> None:
        """Play back in place of starting a kernel."""
        copy = nbformat.read(_folder(self.config) / self.path.name, as_version=4)
        cells = [cell for cell in copy.cells if cell.cell_type == "code" and "injected-parameters" not in tags(cell)]
        self.kernel = _Kernel(cells)
        self.setup_sanitize_files()

    def collect(self) -> Iterator[IPyNbCell]:
        """The code cells, unless the run is not one that can be compared; raises CollectError where there is none."""
        notebook = Notebook.read(self.path)
        result = runner.known(runner.read_report(_folder(self.config))).get(notebook.number)
        if not result or not (_folder(self.config) / self.path.name).exists():
            raise self.CollectError(f"no run of it in {_folder(self.config)}")
        if result["code_sha256"] != notebook.code_sha256:
            raise self.CollectError("changed since that run: run it again")
        if result["status"] != "ok":
            raise self.CollectError(f"its run ended: {result['status']}")
        if why := unlike(notebook, result):
            self.config.stash[LEFT_OUT].append(f"{self.path.name} is not judged: {why}")
            return
        for item in super().collect():
            if "claims" in tags(item.cell):
                item.options |= {"check": True, "skip": False}
            yield item


def unlike(notebook: Notebook, result: dict) -> str:
    """Why a run's outputs cannot be those that are stored ('' when they should be)."""
    if not notebook.stamp:
        return "it has no stamp, so nobody knows of what run its outputs are"
    for name in ("code_sha256", "profile", "seed", "backend", "data"):
        then, now = notebook.stamp.get(name), result[name]
        if then != now:
            return f"its stored outputs are of another {name} ({str(then)[:60]}, not {str(now)[:60]})"
    return ""


def _folder(config: pytest.Config) -> Path:
    return Path(config.rootpath, config.option.executed)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The folder that `course run --out` wrote."""
    parser.addoption("--executed", metavar="DIR", help="Judge notebooks on the executed copies in this folder.")


def pytest_configure(config: pytest.Config) -> None:
    """A notebook that cannot be judged is a failure of its own, not the end of all."""
    config.stash[LEFT_OUT] = []
    if config.option.executed:
        config.option.continue_on_collection_errors = True


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> PlayedFile | None:
    """Take the notebooks, when there is a folder to judge them on."""
    if parent.config.option.executed and file_path.suffix == ".ipynb":
        return PlayedFile.from_parent(parent, path=file_path)
    return None


def cause(report: str) -> tuple[str, str]:
    """The first line of the failing cell, and why it failed, from the text of an nbval report."""
    text = ANSI.sub("", report)
    headline = re.search(r"^Cell \d+: (.+)$", text, re.M)
    source = re.search(r"Input:\s*\n(.+)", text)
    if "Cell outputs differ" in text:
        lines = text.partition("Traceback:")[2].strip().splitlines()
        why = "other output than the stored one: " + " ".join(line.strip() for line in lines if line.strip())[:300]
    else:
        why = next(
            (line for line in reversed(text.strip().splitlines()) if re.match(r"\w+(Error|Exception|…)?: ", line)), ""
        )
    return (source[1].strip() if source else ""), why or (headline[1] if headline else "see above")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter) -> Iterator[None]:
    """After all else, say where and why."""
    yield
    for report in terminalreporter.stats.get("error", [])[:20]:
        if report.nodeid.endswith(".ipynb"):
            terminalreporter.write_line(f"✗ {report.nodeid.rpartition('/')[2]} cannot be judged: {report.longrepr}")
    for line in terminalreporter.config.stash[LEFT_OUT]:
        terminalreporter.write_line(f"– {line}")
    for report in terminalreporter.stats.get("failed", [])[:20]:
        if ".ipynb::" in report.nodeid:
            path, _, cell = report.nodeid.rpartition("::Cell ")
            line, why = cause(report.longreprtext)
            terminalreporter.write_line(f"✗ {path.rpartition('/')[2]}, In [{int(cell) + 1}]: {line}\n  {why}")


class _Failures:
    def __init__(self) -> None:
        self.cells: dict[str, list[int]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the code cell (counted from 0) of a notebook (by its file name) that did not pass."""
        if report.failed:
            path, _, cell = report.nodeid.rpartition("::Cell ")
            self.cells.setdefault(Path(path).name, []).append(int(cell))


def differing(notebooks: list[Notebook], executed: Path) -> list[tuple[Notebook, list[int]]]:
    """The notebooks whose outputs in a folder of executed copies differ, and in which code cells (counted from 0)."""
    found, paths = _Failures(), [str(notebook.path) for notebook in notebooks]
    options = ["-c", os.devnull, "--rootdir", str(root()), "-p", "no:cacheprovider", "--executed", str(executed)]
    options += ["-p", "helpers.course.playback", "--nbval-sanitize-with", str(SANITISE)]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = pytest.main([*options, *paths], plugins=[found]) if paths else 0
    if code not in (0, 1):
        raise CourseError(f"The comparison did not end well: {said.getvalue().strip().splitlines()[-1:]}")
    return [(notebook, found.cells[notebook.path.name]) for notebook in notebooks if notebook.path.name in found.cells]
