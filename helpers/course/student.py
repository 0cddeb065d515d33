"""The reader's copies of the notebooks, without solutions; what a reader has typed into one is never overwritten."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from helpers.errors import CourseError
from helpers.notebooks import Notebook, dumps, root, tags, text, write_atomically

FOLDER = "my_notebooks"  # at the top, where `make clean` does not go


def copy_of(notebook: Notebook) -> dict:
    """The notebook without solutions and outputs, stamped with the hash of what the reader finds in it."""
    raw = json.loads(json.dumps(notebook.raw))
    for cell in raw["cells"]:
        cell["metadata"].pop("course", None)  # the wrong answers that a check must reject give the right one away
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
        if "solution" in tags(cell):
            cell |= {"source": "# Your answer here.", "metadata": {"tags": ["answer"]}}
    raw["metadata"]["course"] = {"copy_sha256": typed_hash(raw)}
    return raw


def typed_hash(raw: dict) -> str:
    """SHA-256 over all that a person can type or paste into a notebook: kinds, sources and attachments of its cells."""
    typed = [(c["cell_type"], text(c["source"]), c.get("attachments") or {}) for c in raw["cells"]]
    return hashlib.sha256(json.dumps(typed, sort_keys=True).encode()).hexdigest()


def untouched(path: Path) -> bool:
    """Whether a file is a copy that this module wrote and into which nobody has typed."""
    try:
        raw = Notebook.read(path).raw
        return raw["metadata"]["course"]["copy_sha256"] == typed_hash(raw)
    except (CourseError, LookupError, TypeError, AttributeError):
        return False


def write(notebook: Notebook, folder: Path) -> tuple[Path, bool]:
    """Write one copy; returns its path and whether it was written (False: what lies there is somebody's work)."""
    path = folder / notebook.path.name
    if os.path.lexists(path) and not untouched(path):
        return path, False
    write_atomically(path, dumps(copy_of(notebook)))
    return path, True


def folder(out: Path | None) -> Path:
    """Where copies go: `out`, or my_notebooks/; raises CourseError for the folder of the notebooks themselves."""
    chosen = out or root() / FOLDER
    if chosen.exists() and chosen.samefile(root() / "notebooks"):
        raise CourseError("That is the folder of the notebooks themselves; choose another for the copies.")
    return chosen
