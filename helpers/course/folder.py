"""The folder that a run writes into: one run at a time, and nothing in it replaced that the course did not write.

`python -m helpers.course.folder` is `make clean`: it empties build/ but for notebooks that somebody typed in.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from helpers.errors import CourseError
from helpers.notebooks import Notebook, notebooks_dir, root, tags, text

HOUSE = ".course"  # within the folder: records, logs and copies of a run while it runs
MARKER = "Written by `course run`, which may delete all in this folder.\n"
PAGE = "<title>Deep learning in finance: a run</title>"
_held: set[Path] = set()


def sources_hash(raw: dict) -> str:
    """SHA-256 over all that a person may have typed, in code and in text; papermill's error marks are left out."""
    sources = [text(c["source"]) for c in raw["cells"] if "papermill-error-cell-tag" not in tags(c)]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


def sign(raw: dict) -> None:
    """Put the runner's stamp into an executed copy: by it, not by its place, `written_by_us` knows the file."""
    raw["metadata"].setdefault("course", {})["run"] = {"sources_sha256": sources_hash(raw)}


def written_by_us(path: Path) -> bool:
    """Whether a run wrote this file and nobody has typed in it since; a link never is."""
    if path.is_symlink() or not path.is_file():
        return False
    try:
        content = path.read_text(encoding="utf-8")
        if path.name == "report.html":
            return PAGE in content[:1000]
        raw = json.loads(content)
        if path.name == "report.json":
            return isinstance(raw["results"], list)
        return raw["metadata"]["course"]["run"]["sources_sha256"] == sources_hash(raw)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def check(path: Path) -> None:
    """Raise CourseError where something stands at this path that a run may not replace."""
    if os.path.lexists(path) and not written_by_us(path):
        raise CourseError(
            f"{path} is not a file that `course run` wrote, or it was changed since: move it, or choose another --out."
        )


@contextlib.contextmanager
def hold(out: Path, notebooks: list[Notebook]) -> Iterator[Path]:
    """Have the folder for ourselves; gives the folder within it that is the runner's own.

    Raises CourseError when another process has it, when it holds files that a run would replace and did not write, or
    when it is the folder of the notebooks, by whatever name. The lock is the system's: it ends with its process.
    """
    out = out.resolve()
    with contextlib.ExitStack() as stack:
        try:
            out.mkdir(parents=True, exist_ok=True)
            if out.samefile(notebooks_dir()):
                raise CourseError(f"{out} is the folder of the notebooks themselves; choose another --out.")
            for name in [notebook.path.name for notebook in notebooks] + ["report.json", "report.html"]:
                check(out / name)
            if out not in _held:  # else we are within a command that has it already
                _take(out, stack)
        except OSError as error:
            raise CourseError(f"Cannot write to {out}: {error.strerror or error}. Choose another --out.") from error
        yield out / HOUSE


def _take(out: Path, stack: contextlib.ExitStack) -> None:
    """Make the runner's own folder, or recognise it by its marker, and lock it."""
    own, marker = out / HOUSE, out / HOUSE / "README"
    with contextlib.suppress(FileExistsError):
        own.mkdir()
        marker.write_text(MARKER, encoding="utf-8")
    if own.is_symlink() or not marker.is_file() or marker.read_text(encoding="utf-8", errors="replace") != MARKER:
        raise CourseError(f"{own} was not made by `course run`: move it, or choose another --out.")
    file = os.open(own / "lock", os.O_RDWR | os.O_CREAT)
    stack.callback(os.close, file)
    if not _lock(file):
        who = os.read(file, 20).decode(errors="replace")
        raise CourseError(f"Another run (process {who}) is writing to {out}: wait for it, or choose another --out.")
    os.truncate(file, 0)
    os.write(file, str(os.getpid()).encode())
    _held.add(out)
    stack.callback(_held.discard, out)


def _lock(file: int) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            os.lseek(file, 1 << 20, os.SEEK_SET)  # that byte: others may still read who has it
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
            os.lseek(file, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def clean(build: Path) -> list[Path]:
    """Empty a folder but for notebooks that no run wrote or that were changed since; returns these."""
    if build.is_symlink() or not build.is_dir():
        return []
    spared = []
    for place, folders, files in os.walk(build):
        folders[:] = [name for name in folders if not (Path(place, name) / "pyvenv.cfg").exists()]
        notebooks = [Path(place, name) for name in files if name.endswith(".ipynb") and Path(place).name != HOUSE]
        spared += [path for path in notebooks if not written_by_us(path)]
    kept = {parent for path in spared for parent in path.parents} | set(spared)
    for place, folders, files in os.walk(build, topdown=False, followlinks=False):
        for path in (Path(place, name) for name in files + folders):
            if path in kept:
                continue
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink()
    if not spared:
        build.rmdir()
    return sorted(spared)


if __name__ == "__main__":
    for path in clean(root() / "build"):
        print(f"kept {path}: no run of the course wrote it, or it was changed since")
