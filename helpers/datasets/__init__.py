"""Data sets of the course: `load(name)` finds, fetches, verifies, parses and checks one, and returns a DataFrame.

Where a file comes from, in this order: the cache (COURSE_DATA_DIR, or the user's cache folder), the mirror
(COURSE_DATA_MIRROR: a folder or an http(s) address), the publisher and pinned copies. `data/catalogue.toml` lists the
sets, `data/cards/NAME.md` says what each frame means.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from helpers import record
from helpers.datasets.catalogue import Dataset, info, names, pick_table
from helpers.datasets.fetch import Unreachable, cache_dir, is_intact, obtain, source
from helpers.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Dataset", "cache_dir", "fetch", "info", "load", "names", "source", "verify"]


def load(name: str, table: str | None = None, *, allow_sample: bool = False) -> pd.DataFrame:
    """One table of a data set as a DataFrame (columns, units and known faults: `data/cards/NAME.md`).

    `table` defaults to the set's first. `allow_sample=True` accepts a part of the set where the catalogue has one.
    `frame.attrs` has name, table, citation and origin: "real", "sample", or "simulated" when no source could be
    reached and a stand-in of the same columns was made up instead, under a banner. Raises CourseError for an unknown
    name or table, DataError for files that are wrong, damaged beyond repair or do not fit the catalogue.
    """
    from helpers.datasets import parsers

    entry = info(name)
    if any(file.sample for file in entry.files):
        return _load_sample(entry, allow_sample)
    table = pick_table(entry, table)
    files = [entry.file(path) for path in entry.tables[table].files]
    try:
        content = {file.path: obtain(entry, file) for file in files}
    except Unreachable as problem:
        from helpers.datasets import standins

        frame, origin = standins.make(entry, table), "simulated"
        print(_banner(name, table, problem))
    else:
        frame, origin = parsers.parse(entry, table, content), "real"
    hashes = {file.path: file.sha256 for file in files} if origin == "real" else {}
    return _finish(entry, table, frame, origin, hashes)


def _load_sample(entry: Dataset, allow_sample: bool) -> pd.DataFrame:
    raise DataError(entry.name)


def _finish(entry: Dataset, table: str, frame: pd.DataFrame, origin: str, hashes: dict[str, str]) -> pd.DataFrame:
    frame.attrs.update(name=entry.name, table=table, origin=origin, citation=entry.citation)
    record.write("data", name=entry.name, origin=origin, sha256=hashes)
    return frame


def _banner(name: str, table: str, problem: Unreachable) -> str:
    lines = [
        f"STAND-IN DATA: {name} / {table} is SIMULATED, not real",
        "No source could be reached:",
        *(f"  - {cause}" for cause in problem.causes),
        "It has the real table's columns and size; no number computed from it says anything about",
        "the world, and claims about real data are not checked on it.",
        f"To get the real data: go online, or set COURSE_DATA_MIRROR, then run `course data fetch {name}`",
    ]
    bar = "!" * 96
    return "\n".join([bar, *(f"!!  {line}" for line in lines), bar])


def fetch(name: str) -> list[Path]:
    """Bring all files of a set into the cache (samples aside) and return their paths; raises DataError if it cannot."""
    entry = info(name)
    paths = []
    for file in entry.files:
        if file.sample:
            continue
        try:
            obtain(entry, file)
        except Unreachable as problem:
            raise DataError(
                f"{name}: {file.path} could not be fetched ({problem}). Go online, or set COURSE_DATA_MIRROR to a folder "
                f"or address that has it, then run `course data fetch {name}`."
            ) from None
        paths.append(cache_dir() / name / file.path)
    return paths


def verify(name: str) -> dict[str, str]:
    """State of each file of a set in the cache: "ok", "missing" or "corrupt"."""
    entry, states = info(name), {}
    for file in entry.files:
        try:
            states[file.path] = "ok" if is_intact(cache_dir() / name / file.path, file) else "corrupt"
        except (FileNotFoundError, NotADirectoryError):
            states[file.path] = "missing"
        except OSError:
            states[file.path] = "corrupt"
    return states
