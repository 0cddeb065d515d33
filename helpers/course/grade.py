"""Marks readers' copies: each in a process that can neither reach other files nor the network, by our own checks.

Of a copy only the answers are taken. They are put into our notebook in place of ours and run with it; then our check of
each exercise decides, and must afterwards still reject the exercise's wrong answers, lest an answer has bent the check.
A copy made with care to deceive can still do so, since answer and check share a process: marks do not replace reading.
"""

from __future__ import annotations

import ast
import csv
import datetime
import html
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from helpers.course import confine, runner
from helpers.course.folder import HOUSE
from helpers.course.report import plain
from helpers.errors import CourseError
from helpers.notebooks import Notebook, dumps, root, select, tags, text, write_atomically

MOST_BYTES = 20_000_000  # of a copy
MOST_FILE = 500_000_000  # bytes of a file that a copy may write while it runs
MEMORY_MB = 4_000
EMPTY = "# Your answer here."
SUSPECT = {"get_ipython", "builtins", "__builtins__", "__import__", "exec", "eval", "_exit", "settrace", "ctypes"}
SUSPECT |= {"inspect", "gc", "subprocess", "system", "__class__", "__eq__", "__bool__", "COURSE_RECORD"}


@dataclass
class Marks:
    """What one copy earned: for each exercise whether it passed, and why not; `problem` where nothing could be run."""

    copy: str
    notebook: str = ""
    passed: list[bool] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    problem: str = ""


@dataclass(frozen=True)
class Exercise:
    """Places of an exercise's answer and check among the cells of a notebook."""

    answer: int
    check: int


def exercises(notebook: Notebook) -> list[Exercise]:
    """The exercises of a notebook, in order."""
    found, answer = [], None
    for place, cell in enumerate(notebook.cells):
        if "solution" in tags(cell):
            answer = place
        elif "check" in tags(cell) and answer is not None:
            found.append(Exercise(answer, place))
            answer = None
    return found


def copies(folder: Path) -> list[Path]:
    """The notebooks in a folder and below, in order; links and what Jupyter keeps for itself are left out."""
    if not folder.is_dir():
        raise CourseError(f"{folder} is not a folder: name the one that holds the copies.")
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(place, name) for name in files if name.endswith(".ipynb") and not Path(place, name).is_symlink()]
    if not found:
        raise CourseError(f"No notebook lies in {folder}: copies are files that end in .ipynb.")
    return sorted(found)


def read(path: Path) -> dict:
    """A copy's content; raises CourseError where it is no notebook, or too large."""
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        raise CourseError(f"is no regular file of at most {MOST_BYTES / 1e6:.0f} MB")
    try:
        cells = [cell for cell in Notebook.read(path).cells if isinstance(cell, dict)]
        return {"cells": [cell for cell in cells if isinstance(cell.get("metadata", {}), dict)]}
    except (CourseError, RecursionError) as error:
        raise CourseError(plain(f"cannot be read: {error}"[:300])) from error


def original(raw: dict, notebooks: list[Notebook]) -> Notebook:
    """The notebook of which this is a copy: the one with which it shares most cells, by their ids."""
    mine = {cell.get("id") for cell in raw["cells"] if isinstance(cell.get("id"), str)}
    shared = [len(mine & {cell["id"] for cell in notebook.cells}) for notebook in notebooks]
    best = notebooks[shared.index(max(shared))]
    if max(shared) < len(best.cells) / 2:
        raise CourseError("is not a copy of a notebook of this course: `course student` makes them")
    return best


def answers(raw: dict, notebook: Notebook) -> list[list[str]]:
    """What was typed for each exercise: the cell given for it, and cells that were added around it.

    It is all code between the last of our cells before the answer and the check, wherever the reader has put it.
    """
    ours = {cell["id"] for cell in notebook.cells}
    found = []
    for exercise in exercises(notebook):
        answer, check = notebook.cells[exercise.answer]["id"], notebook.cells[exercise.check]["id"]
        before = {cell["id"] for cell in notebook.cells[: exercise.answer]}
        typed, keeping = [], False
        for cell in raw["cells"]:
            name = cell.get("id")
            if name == check:
                break
            if name in before:
                typed, keeping = [], True
            elif cell.get("cell_type") == "code" and (name == answer or (keeping and name not in ours)):
                typed.append(text(cell.get("source")).strip())
        found.append([source for source in typed if source and source != EMPTY])
    return found


def suspects(sources: list[str]) -> list[str]:
    """Names in an answer that an honest one hardly needs, and attributes of modules that it replaces."""
    found = set()
    for source in sources:
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in ast.walk(tree):
            name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
            found |= {name} & SUSPECT
            if isinstance(node, ast.Import | ast.ImportFrom):
                found |= {alias.name for alias in node.names} & SUSPECT
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
                found.add(f"{node.value.id}.{node.attr} =")
    return sorted(found)


def _names(source: str) -> list[str]:
    """The names that a source binds at its top level."""
    bound = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            bound += [n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)]
    return bound


def probes(notebook: Notebook, exercise: Exercise) -> list[str]:
    """Answers that the check must reject: the notebook's own wrong ones, and one in which nothing is left."""
    wrong = notebook.cells[exercise.check]["metadata"].get("course", {}).get("wrong", [])
    nothing = "; ".join(f"{name} = None" for name in _names(text(notebook.cells[exercise.answer]["source"])))
    return [*wrong, *([nothing] if nothing else [])]


def assembled(notebook: Notebook, typed: list[list[str]]) -> dict:
    """Our notebook with these answers; errors in answers and checks do not end it."""
    raw = json.loads(json.dumps(notebook.raw))
    for exercise, sources in zip(exercises(notebook), typed, strict=True):
        answer, check = raw["cells"][exercise.answer], raw["cells"][exercise.check]
        answer |= {"source": "\n\n".join(sources) or EMPTY, "outputs": [], "execution_count": None}
        answer["metadata"] = {"tags": ["answer", "raises-exception"]}
        check["metadata"] = {"tags": ["check", "raises-exception"], "course": {"wrong": probes(notebook, exercise)}}
    raw["metadata"].pop("course", None)
    return raw


def _error(cell: dict) -> str:
    """The error with which an executed cell ended ('' where it did not)."""
    failed = cell.get("metadata", {}).get("errors")
    return plain(f"{failed[0]['name']}: {failed[0]['message']}".strip(": ").splitlines()[0][:200]) if failed else ""


def _bounds(desk: Path, memory_mb: int) -> dict:
    """What a worker is told about the process in which a copy runs."""
    home = {name: str(desk) for name in ("HOME", "TMPDIR", "MPLCONFIGDIR", "IPYTHONDIR", "XDG_CACHE_HOME")}
    kept = ["PATH", "LANG", "LC_ALL", "TZ", "KERAS_BACKEND", "PYTHONUNBUFFERED", "COURSE_", "TF_", "OMP_"]
    from helpers.datasets import sources

    cache, mirror = str(sources.cache_dir()), sources.mirror() if os.path.isdir(sources.mirror()) else ""
    prefixes = {os.path.realpath(place) for place in (sys.prefix, sys.base_prefix)} | {sys.prefix}
    system = ["/usr", "/bin", "/lib", "/lib64", "/etc", "/opt", "/proc", "/sys", "/dev"]
    course = [str(root() / name) for name in ("helpers", "data", "results", "pyproject.toml")]
    course += [str(Path(__file__).parents[1])]
    return {
        "read": [*system, *sorted(prefixes), *course, cache, *([mirror] if mirror else [])],
        "write": [str(desk), "/dev/null", "/dev/shm"],
        "bytes": MOST_FILE,
        "memory_mb": memory_mb,
        "socket": str(desk / "k"),
        "keep": kept,
        "env": home | {"COURSE_DATA_DIR": cache, "COURSE_DATA_MIRROR": mirror, "COURSE_ROOT": str(root())},
    }


@contextmanager
def _desk() -> Iterator[Path]:
    """A folder for one run, short in name: the sockets of a kernel may have a hundred characters."""
    place = Path(tempfile.mkdtemp(prefix="course-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _run(notebook: Notebook, typed: list[list[str]], limits: dict) -> tuple[dict, list[dict], list[dict]]:
    """One run of our notebook with these answers: its result, its executed cells, the records of its exercises."""
    with _desk() as place:
        desk, source = place / "desk", place / "desk" / "notebooks" / notebook.path.name
        source.parent.mkdir(parents=True)
        raw = assembled(notebook, typed)
        source.write_text(dumps(raw), encoding="utf-8")
        (place / "out" / HOUSE).mkdir(parents=True)
        bounds = _bounds(desk, limits["memory_mb"]) if limits["confined"] else None
        plan = runner.Plan([], place / "out", timeout=limits["timeout"], backend=limits["backend"], confine=bounds)
        result = runner.run_one(Notebook(source, raw), plan, lambda *_: None)
        try:
            cells = json.loads(Path(result["output"]).read_text(encoding="utf-8"))["cells"]
        except (OSError, ValueError, KeyError):
            cells = []
        return result, [cell for cell in cells if "injected-parameters" not in tags(cell)], result["exercises"]


def mark(path: Path, label: str, notebooks: list[Notebook], limits: dict) -> Marks:
    """The marks of one copy. Where an answer ends the whole run, it has failed, and the rest is run without it."""
    marks = Marks(label)
    try:
        raw = read(path)
        notebook = original(raw, notebooks)
    except (CourseError, OSError) as error:
        marks.problem = str(error)
        return marks
    every, typed = exercises(notebook), answers(raw, notebook)
    marks.notebook, ended = notebook.number, {}
    own = dict(limits, timeout=limits["timeout"] or max(60, 3 * round(runner.seconds_of(notebook))))
    for _ in range(len(every) + 1):
        given = [[] if number in ended else sources for number, sources in enumerate(typed)]
        result, cells, proved = _run(notebook, given, own)
        marks.seconds += result["seconds"]
        error = result["error"] or {}
        broken = (
            result["status"] != "ok" and error.get("cell") is not None and not error["cause"].startswith("Exercise")
        )
        if not broken:
            break
        place = error["cell"] - 1
        blamed = next((n for n, e in enumerate(every) if place <= e.check and typed[n] and n not in ended), None)
        if blamed is None or place < every[0].answer:
            marks.problem = f"our own cell {error['cell']} did not run: {error['cause']}"
            return marks
        ended[blamed] = error["cause"]
    if result["status"] != "ok" and not proved and not cells:
        marks.problem = error.get("cause", result["status"])
        return marks
    for number, exercise in enumerate(every):
        why = _verdict(notebook, exercise, typed[number], ended.get(number), cells, proved)
        marks.passed.append(not why)
        look = suspects(typed[number])
        marks.notes.append("; ".join(filter(None, [why, f"read it: {', '.join(look)}" if look else ""])))
    return marks


def _verdict(notebook, exercise, typed, ended, cells, proved) -> str:
    """Why an exercise does not pass ('' where it does)."""
    if not typed:
        return "nothing typed"
    if ended:
        return ended
    if len(cells) <= exercise.check or cells[exercise.check].get("execution_count") is None:
        return "its check did not run"
    if error := _error(cells[exercise.check]):
        return _error(cells[exercise.answer]) or error
    found = [line["why"] for line in proved if line["cell"] == exercise.check + 1]
    if len(found) != len(probes(notebook, exercise)) or any(found):
        return "its check accepts wrong answers in this copy: it was bent"
    return ""


def grade(folder: Path, limits: dict, jobs: int, done: Callable[[Marks], None]) -> list[Marks]:
    """Mark all copies in a folder, `jobs` at a time; `done` is told of each. Raises CourseError where none can be."""
    if limits["confined"] and confine.version() < confine.NEEDED:
        raise CourseError(
            "Copies are strangers' programs, and this system cannot confine them (that takes Linux 6.2 or newer): "
            "grade in a virtual machine or container, and say so with --unconfined."
        )
    from concurrent.futures import ThreadPoolExecutor, as_completed

    paths, notebooks, marked = copies(folder), [nb for nb in select() if exercises(nb)], []
    with ThreadPoolExecutor(jobs) as pool:
        labels = [path.relative_to(folder).with_suffix("").as_posix() for path in paths]
        waiting = [pool.submit(mark, path, label, notebooks, limits) for path, label in zip(paths, labels, strict=True)]
        try:
            for ready in as_completed(waiting):
                marked.append(ready.result())
                done(marked[-1])
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    return sorted(marked, key=lambda one: one.copy)


def _rows(marked: list[Marks]) -> list[list[object]]:
    most = max((len(one.passed) for one in marked), default=0)
    rows = [["copy", "notebook", *(f"exercise {n + 1}" for n in range(most)), "passed", "of", "seconds", "remarks"]]
    for one in marked:
        each = [int(passed) for passed in one.passed] + [""] * (most - len(one.passed))
        remarks = [one.problem] + [f"{n}: {note}" for n, note in enumerate(one.notes, 1) if note]
        summary = [sum(one.passed), len(one.passed), round(one.seconds), " | ".join(filter(None, remarks))]
        rows.append([plain(one.copy), one.notebook, *each, *summary])
    return rows


def as_csv(marked: list[Marks]) -> str:
    """The table as CSV; a text that a spreadsheet would take for a formula begins with an apostrophe."""
    page = io.StringIO()
    safe = [[f"'{v}" if isinstance(v, str) and v[:1] in tuple("=+-@\t\r") else v for v in row] for row in _rows(marked)]
    csv.writer(page).writerows(safe)
    return page.getvalue()


STYLE = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem;color-scheme:light dark}td,th{padding:.2rem .7rem;"
STYLE += "text-align:left;border-bottom:1px solid #8886;vertical-align:top}"


def as_html(marked: list[Marks]) -> str:
    """The table as a page that needs nothing else."""
    head, *rows = _rows(marked)
    cells = "".join(f'<th scope="col">{html.escape(str(name))}</th>' for name in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(v))}</td>" for v in row) + "</tr>\n" for row in rows)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Marks</title><style>{STYLE}</style>\n'
        f"<h1>Marks</h1><table><thead><tr>{cells}</tr></thead><tbody>\n{body}</tbody></table></html>\n"
    )


def write(marked: list[Marks], out: Path) -> tuple[Path, Path]:
    """Write both tables under a name that nothing has yet; returns their paths."""
    stem, number = f"marks-{datetime.datetime.now():%Y-%m-%d-%H%M}", 1
    name = stem
    while any(os.path.lexists(out / f"{name}.{kind}") for kind in ("csv", "html")):
        number += 1
        name = f"{stem}-{number}"
    paths = out / f"{name}.csv", out / f"{name}.html"
    for path, page in zip(paths, (as_csv(marked), as_html(marked)), strict=True):
        write_atomically(path, page)
    return paths
