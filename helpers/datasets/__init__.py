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
from helpers.datasets.sources import Unreachable, cache_dir, locate, obtain, source, state
from helpers.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from helpers.datasets.own import read_own

__all__ = ["Dataset", "cache_dir", "fetch", "info", "load", "names", "read_own", "source", "verify"]


def __getattr__(name: str):
    """`read_own`, only when it is asked for: it needs pandas, and importing this room must stay cheap."""
    if name == "read_own":
        from helpers.datasets.own import read_own

        return read_own
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load(name: str, table: str | None = None, *, allow_sample: bool = False) -> pd.DataFrame:
    """One table of a data set as a DataFrame (columns, units and known faults: `data/cards/NAME.md`).

    `table` defaults to the set's first. `allow_sample=True` takes the sample of a set that has one, unless the whole
    set is in the cache. `frame.attrs` has name, table, citation and origin: "real", "sample", or "simulated" when no
    source could be reached and a stand-in of the same columns was made up instead, under a banner. Raises CourseError
    for an unknown name or table, DataError for files that are wrong or damaged beyond repair.
    """
    from helpers.datasets import parsers

    entry = info(name)
    table = pick_table(entry, table)
    samples = [key for key, value in entry.tables.items() if entry.file(value.files[0]).sample]
    if samples and allow_sample and table not in samples and "missing" in _states(entry, entry.tables[table].files):
        table = samples[0]
    if table in samples and not allow_sample:
        raise DataError(f"{name}, table {table} is only a sample: ask for it with load({name!r}, allow_sample=True).")
    files = [entry.file(path) for path in entry.tables[table].files]
    try:
        frame = parsers.parse(entry, table, {file.path: obtain(entry, file) for file in files})
    except Unreachable as problem:
        if samples and table not in samples:
            raise DataError(
                f"{name}: {files[0].path} ({files[0].bytes / 1e6:.0f} MB) is not in the cache and could not be fetched "
                f"({problem}). Run `course data fetch {name}` when online, or take the sample in the meantime: "
                f"load({name!r}, allow_sample=True)."
            ) from None
        from helpers.datasets import standins

        print(_banner(name, table, problem))
        frame, origin, hashes = standins.make(entry, table), "simulated", {}
    else:
        origin = "sample" if table in samples else "real"
        hashes = {file.path: file.sha256 for file in files}
    if origin == "sample":
        print(f"note: {name} is a SAMPLE ({len(frame):,} of {entry.rows:,} rows): {_sample_fault(entry)}")
    frame.attrs.update(name=name, table=table, origin=origin, citation=entry.citation)
    record.write("data", name=name, origin=origin, sha256=hashes)
    return frame


def _sample_fault(entry: Dataset) -> str:
    return next((fault for fault in entry.faults if "sample" in fault.lower()), "not all of the set")


def _banner(name: str, table: str, problem: Unreachable) -> str:
    lines = [
        f"STAND-IN DATA: {name} / {table} is SIMULATED, not real",
        "No source could be reached:",
        *(f"  - {cause}" for cause in problem.args),
        "It has the real table's columns and size; no number computed from it says anything about",
        "the world, and claims about real data are not checked on it.",
        f"To get the real data: go online, or set COURSE_DATA_MIRROR, then run `course data fetch {name}`",
    ]
    bar = "!" * 96
    return "\n".join([bar, *(f"!!  {line}" for line in lines), bar])


def fetch(name: str) -> list[Path]:
    """Bring all files of a set into the cache (samples aside); returns their paths, raises DataError if it cannot."""
    entry, paths = info(name), []
    for file in entry.files:
        if file.sample:
            continue
        try:
            obtain(entry, file)
        except Unreachable as problem:
            raise DataError(
                f"{name}: {file.path} could not be fetched ({problem}). Go online, or set COURSE_DATA_MIRROR to a "
                f"folder or address that has it, then run `course data fetch {name}`."
            ) from None
        paths.append(locate(entry, file))
    return paths


def verify(name: str) -> dict[str, str]:
    """State of each file of a set in the cache: "ok", "missing" or "corrupt"."""
    entry = info(name)
    return dict(zip((file.path for file in entry.files), _states(entry), strict=True))


def _states(entry: Dataset, paths: tuple[str, ...] = ()) -> list[str]:
    return [state(entry, file) for file in entry.files if not paths or file.path in paths]
