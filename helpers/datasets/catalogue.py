"""What the course knows about each data set before a byte of it is here: `data/catalogue.toml`, read once."""

from __future__ import annotations

import difflib
import functools
import re
import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from helpers.errors import CourseError

CATALOGUE = Path(__file__).resolve().parents[2] / "data" / "catalogue.toml"


@dataclass(frozen=True)
class File:
    """One file of a set: where it may be had and the bytes it must have."""

    path: str
    """Name in the cache, below the set's folder."""
    bytes: int
    sha256: str
    urls: tuple[str, ...] = ()
    archive: dict | None = None
    """The publisher's zip that holds the file: url, sha256, member."""
    mirror: str = ""
    """Place in the mirror."""
    sample: bool = False
    """Part of the set, not the set."""


@dataclass(frozen=True)
class Column:
    """What a column must be: its kind, its range or levels, and how many of its cells are missing."""

    kind: str
    """float64, int64, int8, uint8, time, category or text."""
    low: float | date = float("-inf")
    high: float | date = float("inf")
    """The last day, of a time: it may fall anywhere in it."""
    missing: int = 0
    levels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """One frame of a set: the files it is read from, the exact size and the columns it must have."""

    files: tuple[str, ...]
    rows: int
    columns: dict[str, Column]
    first: date | None = None
    """First day of the index, for a table of days."""
    last: date | None = None


@dataclass(frozen=True)
class Dataset:
    """One entry of the catalogue; see the head of `data/catalogue.toml` for what the fields mean."""

    name: str
    title: str
    page: str
    licence: str
    redistribute: bool
    rows: int
    columns: int
    dates: str
    citation: str
    files: tuple[File, ...]
    tables: dict[str, Table]
    faults: tuple[str, ...] = ()
    live: tuple[str, ...] = ()
    note: str = ""

    @property
    def url(self) -> str:
        """The page that describes the set."""
        return self.page

    @property
    def bytes(self) -> int:
        """Bytes of all files of the set, samples aside."""
        return sum(file.bytes for file in self.files if not file.sample)

    @property
    def has_parser(self) -> bool:
        """Whether `load` can read it."""
        return bool(self.tables)

    def file(self, path: str) -> File:
        """The file of that name."""
        return next(file for file in self.files if file.path == path)


@functools.cache
def _read(path: Path) -> dict[str, Dataset]:
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CourseError(
            f"The catalogue {path} is missing: the package must be installed from the course's own folder, "
            "with `pip install -e .`"
        ) from None
    return {name: _dataset(name, entry) for name, entry in entries.items()}


def _dataset(name: str, entry: dict) -> Dataset:
    files = [
        File(**{"mirror": f"{name}/{file['path']}"} | file | {"urls": tuple(file["urls"])})
        for file in entry.pop("files")
    ]
    tables = {
        key: Table(**table | {"files": tuple(table["files"]), "columns": _columns(table["columns"])})
        for key, table in entry.pop("tables", {}).items()
    }
    lists = {key: tuple(entry.pop(key, ())) for key in ("faults", "live")}
    return Dataset(name=name, files=tuple(files), tables=tables, **lists, **entry)


def _columns(text: str) -> dict[str, Column]:
    """Columns from the catalogue's short form, e.g. `open high: float64 1..6000, 3 missing`; see its head."""
    columns = {}
    for line in re.sub(r"\n +", " ", text.strip()).split("\n"):
        words, what = line.split(": ", 1)
        if span := re.fullmatch(r"(\w+) (\S+)\.\.(\S+?)(?:, (\d+) missing)?", what):
            kind, low, high, missing = span.groups()
            number = date.fromisoformat if kind == "time" else float
            column = Column(kind, number(low), number(high), int(missing or 0))
        elif text := re.fullmatch(r"text(?:, (\d+) missing)?", what):
            column = Column("text", missing=int(text[1] or 0))
        else:
            column = Column("category", levels=tuple(what.split(" | ")))
        for word in words.split():
            run = re.fullmatch(r"(.*?)(\d+)\.\.(\d+)", word)
            numbers = range(int(run[2]), int(run[3]) + 1) if run else ()
            columns |= dict.fromkeys([f"{run[1]}{i:0{len(run[2])}d}" for i in numbers] if run else [word], column)
    return columns


def names() -> list[str]:
    """Names of all sets of the catalogue, in its order."""
    return list(_read(CATALOGUE))


def info(name: str) -> Dataset:
    """The catalogue's entry of a set; raises CourseError for a name it does not have."""
    entries = _read(CATALOGUE)
    if name not in entries:
        raise CourseError(f"There is no data set {name!r}. {_close(name, entries)} `course data list` shows them all.")
    return entries[name]


def pick_table(entry: Dataset, table: str | None) -> str:
    """The name of the table asked for, or the set's first; raises CourseError for one it does not have."""
    if not entry.tables:
        raise CourseError(
            f"{entry.name} is in the catalogue, but the course has no parser for it yet. "
            f"`course data fetch {entry.name}` gets its files; {entry.page} describes them."
        )
    if table is None:
        return next(iter(entry.tables))
    if table not in entry.tables:
        raise CourseError(f"{entry.name} has no table {table!r}. {_close(table, entry.tables)}")
    return table


def _close(word: str, known) -> str:
    near = difflib.get_close_matches(word, list(known), n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(known)}."
