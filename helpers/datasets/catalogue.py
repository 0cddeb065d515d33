"""What the course knows about each data set before a byte of it is here: `data/sets/NAME.toml`, each read once.

What a set's file may say stands in SET, TABLE, FILE and READERS below; anything else is one CourseError that names the
file and the key. `data/sets/README.md` says in words what the fields mean.
"""

from __future__ import annotations

import difflib
import fnmatch
import functools
import re
import tomllib
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from helpers.errors import CourseError

SETS = Path(__file__).resolve().parents[2] / "data" / "sets"

MOST = 10_000_000
"""Rows or bytes beyond which a number in a set's file is a slip: rows of a table; bytes are allowed a hundredfold."""
NAME = re.compile(r"[a-z][a-z0-9_]*")
SHA256 = re.compile(r"[0-9a-f]{64}")
URL = re.compile(r"https?://\S+")
CHARACTER = re.compile(r".", re.DOTALL)
TEXT = re.compile(r"(?s).*\S.*")

ARCHIVE = {"url": URL, "sha256": SHA256, "member": TEXT}
FILE = {
    "path": TEXT, "bytes": int, "sha256": SHA256,
    "urls?": [URL], "archive?": ARCHIVE, "mirror?": TEXT, "sample?": bool,
}  # fmt: skip
STEPS = {
    "names?": {TEXT: TEXT}, "tidy?": bool, "drop?": [str], "codes?": {TEXT: [(str, int)]},
    "divide?": (float, {TEXT: float}), "date?": str, "date_format?": str, "time_format?": str,
    "zero_is_missing?": [str], "missing_before?": {TEXT: date}, "part?": TEXT, "parts?": [str],
}  # fmt: skip
"""Options of every reader: what is done with the columns once they are read (helpers/datasets/readers)."""
CSV = {
    "member?": [TEXT], "tar?": str, "sep?": CHARACTER, "skip?": int, "header?": (bool, [str]), "missing?": [str],
    "encoding?": str, "skip_spaces?": bool,
}  # fmt: skip
READERS = {
    "csv": CSV,
    "arff": {},
    "sheet": {},
    "french": {"member?": [TEXT]},
    "option_quotes": {},
    "lines": {"sep": CHARACTER, "header": [str], "from_right?": bool, "encoding?": str},
    "json": {"header?": [str], "key?": str, "records?": str},
    "arrow": {},
    "idx": {},
    "receipts": {},
    "recordings": {"header": [str]},
}
STAND_INS = {
    "people": {"share?": float, "tails?": bool}, "losses": {"shape": float},
    "bars": {"start?": float}, "prices": {}, "factors": {}, "yields": {}, "volatility": {}, "volatilities": {},
    "adjustments": {}, "months": {}, "option_quotes": {},
    "messages": {"label": str, "sizes?": [int], "outside?": str, "noise?": float, "chinese?": bool},
    "digits": {}, "invoices": {},
    "receipts": {"lines": int}, "receipt_lines": {"lines": int}, "recordings": {},
}  # fmt: skip
TABLE = {
    "files": [TEXT], "rows": int, "columns": TEXT, "first?": date, "last?": date,
    "reader": TEXT, "options?": dict, "stand_in?": dict,
}  # fmt: skip
SET = {
    "title": TEXT, "page": URL, "licence": TEXT, "redistribute": bool, "rows": int, "columns": int, "dates": str,
    "citation": TEXT, "files": [FILE], "tables?": {NAME: TABLE}, "faults": [TEXT], "live?": [URL], "note?": str,
}  # fmt: skip


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
    """float64, int64, int8, uint8, time, category, text, or the dtype of the arrays it holds."""
    low: float | date = float("-inf")
    high: float | date = float("inf")
    """The last day, of a time: it may fall anywhere in it."""
    missing: int = 0
    levels: tuple[str, ...] = ()
    dimensions: int = 0
    """Dimensions of the array in each cell; 0 for a column of plain values."""


@dataclass(frozen=True)
class Table:
    """One frame of a set: the files it is read from, how, the exact size and the columns it must have."""

    files: tuple[str, ...]
    rows: int
    columns: dict[str, Column]
    reader: str
    options: dict[str, Any] = field(default_factory=dict)
    first: date | None = None
    """First day of the index, for a table of days."""
    last: date | None = None
    stand_in: dict[str, Any] = field(default_factory=dict)
    """How a stand-in is made: `make` and its options; empty for a table that has none."""


@dataclass(frozen=True)
class Dataset:
    """What one file of `data/sets` says; its README.md says what the fields mean."""

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

    def file(self, path: str) -> File:
        """The file of that name."""
        return next(file for file in self.files if file.path == path)


def names() -> list[str]:
    """Names of all sets, in alphabetical order."""
    found = sorted(path.stem for path in SETS.glob("*.toml"))
    if not found:
        raise CourseError(
            f"The folder {SETS} is missing or empty: the package must be installed from the course's own folder, "
            "with `pip install -e .`"
        )
    return found


def info(name: str) -> Dataset:
    """What the catalogue says of a set; raises CourseError for a name it does not have, or a file that is malformed."""
    known = names()
    if name not in known:
        raise CourseError(f"There is no data set {name!r}. {_close(name, known)} `course data list` shows them all.")
    return _read(SETS / f"{name}.toml")


def pick_table(entry: Dataset, table: str | None) -> str:
    """The name of the table asked for, or the set's first; raises CourseError for one it does not have."""
    if not entry.tables:
        raise CourseError(f"{entry.name} has no parser yet.")
    if table is None:
        return next(iter(entry.tables))
    if table not in list(entry.tables):
        raise CourseError(f"{entry.name} has no table {table!r}. {_close(table, entry.tables)}")
    return table


def _close(word: object, known) -> str:
    near = difflib.get_close_matches(str(word), list(known), n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(known)}."


# ------------------------------------------------------------------------------------------------- reading a set's file


def toml(path: Path) -> dict:
    """The content of a TOML file; raises CourseError when it cannot be read as one."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise CourseError(f"{_short(path)} cannot be read: {problem or type(problem).__name__}. {MEND}") from None


@functools.cache
def _read(path: Path) -> Dataset:
    return dataset(path, toml(path))


def dataset(path: Path, entry: dict) -> Dataset:
    """The set that a TOML document describes; raises CourseError with the file and the key that is wrong."""
    where = f"{_short(path)}: "
    try:
        if not NAME.fullmatch(path.stem):
            raise _Wrong("the name of the file", "must be small letters, digits and _")
        _fits("", entry, SET)
        files = tuple(_file(path.stem, i, file) for i, file in enumerate(entry["files"]))
        _unique("files", [file.path for file in files])
        tables = {key: _table(f"tables.{key}", table, files) for key, table in entry.get("tables", {}).items()}
    except _Wrong as problem:
        key, what = problem.args
        raise CourseError(f"{where}{key} {what}{'' if what[-1] in '.?' else '.'} {MEND}") from None
    lists = {key: tuple(entry.get(key, ())) for key in ("faults", "live")}
    return Dataset(**entry | lists | {"name": path.stem, "files": files, "tables": tables})


MEND = "Mend it, or restore it with Git."


def _short(path: Path) -> str:
    return "/".join(path.parts[-3:])


class _Wrong(Exception):
    """A key of a set's file, and what is wrong with it."""


def _fits(key: str, value: object, wanted: object) -> None:
    """Raise _Wrong with the first key under `key` that is not of the wanted form (see SET)."""
    if isinstance(wanted, tuple):
        if not any(_is(value, form) for form in wanted):
            raise _Wrong(key, f"must be {' or '.join(map(_word, wanted))}, not {_shown(value)}")
        wanted = next(form for form in wanted if _is(value, form))
    elif not _is(value, wanted):
        raise _Wrong(key or "the file", f"must be {_word(wanted)}, not {_shown(value)}")
    if isinstance(wanted, list):
        for i, item in enumerate(value):
            _fits(f"{key}[{i}]", item, wanted[0])
    elif isinstance(wanted, re.Pattern):
        if not wanted.fullmatch(value):
            raise _Wrong(key, f"cannot be {_shown(value)}")
    elif isinstance(wanted, dict):
        _keys(key, value, wanted)


def _keys(key: str, value: dict, wanted: dict) -> None:
    prefix = f"{key}." if key else ""
    [(form, each)] = wanted.items() if len(wanted) == 1 and not isinstance(next(iter(wanted)), str) else [(None, None)]
    known = {word.rstrip("?"): form for word, form in wanted.items()} if form is None else {}
    for word, item in value.items():
        if form is not None:
            _fits(f"{prefix}{word} (its name)", word, form)
        elif word not in known:
            raise _Wrong(f"{prefix}{word}", f"is not a key of a set's file. {_close(word, known)}")
        _fits(f"{prefix}{word}", item, each if form is not None else known[word])
    for word in wanted if form is None else ():
        if not word.endswith("?") and word not in value:
            raise _Wrong(f"{prefix}{word}", "is missing")


def _is(value: object, form: object) -> bool:
    kind = str if isinstance(form, re.Pattern) else type(form) if isinstance(form, list | dict) else form
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return type(value) in ((int, float) if kind is float else (kind,))


def _word(form: object) -> str:
    kind = str if isinstance(form, re.Pattern) else type(form) if isinstance(form, list | dict) else form
    return {str: "text", int: "a whole number", float: "a number", bool: "true or false", date: "a day",
            list: "a list", dict: "a table"}[kind]  # fmt: skip


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _unique(key: str, words: list[str]) -> None:
    if twice := next((word for word in words if words.count(word) > 1), None):
        raise _Wrong(key, f"names {_shown(twice)} twice")


def _file(name: str, i: int, file: dict) -> File:
    mirror = file.get("mirror", f"{name}/{file['path']}")
    for key, path in (("path", file["path"]), ("mirror", mirror)):
        if {"", ".", ".."} & set(path.split("/")) or re.search(r"[\\:\x00-\x1f]", path):
            raise _Wrong(f"files[{i}].{key}", f"leaves the set's folder or names no file: {_shown(path)}")
    if not 0 < file["bytes"] <= 100 * MOST:
        raise _Wrong(f"files[{i}].bytes", f"cannot be {file['bytes']}")
    return File(**file | {"urls": tuple(file.get("urls", ())), "mirror": mirror})


def _table(key: str, table: dict, files: tuple[File, ...]) -> Table:
    """One table, its files expanded from patterns, its options checked against its reader's."""
    paths = []
    for pattern in table["files"]:
        paths += (found := fnmatch.filter([file.path for file in files], pattern))
        if not found:
            raise _Wrong(f"{key}.files", f"names {pattern!r}, which is none of the set's files")
    if not paths:
        raise _Wrong(f"{key}.files", "is empty")
    if not 0 < table["rows"] <= MOST:
        raise _Wrong(f"{key}.rows", f"cannot be {table['rows']}")
    columns = _columns(f"{key}.columns", table["columns"])
    for name, column in columns.items():
        if column.missing > table["rows"]:
            raise _Wrong(f"{key}.columns", f"has more gaps than rows in {name!r}")
    first, last = table.get("first"), table.get("last")
    if (first is None) != (last is None) or (first and first > last):
        raise _Wrong(f"{key}.first", "and last must both be there, in this order, or neither")
    stand_in, options = table.get("stand_in", {}), table.get("options", {})
    _kind(f"{key}.reader", table["reader"], READERS)
    _fits(f"{key}.options", options, READERS[table["reader"]] | STEPS)
    if stand_in:
        _kind(f"{key}.stand_in.make", stand_in.get("make"), STAND_INS)
        _fits(f"{key}.stand_in", stand_in, STAND_INS[stand_in["make"]] | {"make": str})
    for name, codes in options.get("codes", {}).items():
        if name not in columns:
            raise _Wrong(f"{key}.options.codes", f"names {name!r}, which is none of the columns")
        if columns[name].levels and len(codes) != len(columns[name].levels):
            raise _Wrong(
                f"{key}.options.codes.{name}", f"has {len(codes)} codes for {len(columns[name].levels)} levels"
            )
    if "parts" in options and len(options["parts"]) != len(paths):
        raise _Wrong(f"{key}.options.parts", f"has {len(options['parts'])} names for {len(paths)} files")
    return Table(**table | {"files": tuple(paths), "columns": columns, "options": options, "stand_in": stand_in})


def _kind(key: str, word: object, known: dict) -> None:
    if not isinstance(word, str) or word not in known:
        raise _Wrong(key, f"cannot be {_shown(word)}. {_close(word, known)}")


def _columns(key: str, text: str) -> dict[str, Column]:
    """Columns from their short form, e.g. `open high: float64 1..6000, 3 missing`; see data/sets/README.md."""
    columns: dict[str, Column] = {}
    for line in re.sub(r"\n +", " ", text.strip()).split("\n"):
        words, colon, what = line.partition(": ")
        if not colon or not words.split():
            raise _Wrong(key, f"has a line that is not `name: kind`: {_shown(line)}")
        try:
            column = _column(what)
        except ValueError as problem:
            raise _Wrong(key, f"says of {words.split()[0]!r} {_shown(what)}: {problem}") from None
        for word in words.split():
            run = re.fullmatch(r"(.*?)(\d{1,4})\.\.(\d{1,4})", word)
            numbers = range(int(run[2]), int(run[3]) + 1) if run else ()
            many = [f"{run[1]}{i:0{len(run[2])}d}" for i in numbers] if run else [word]
            if not many or any(name in columns for name in many):
                raise _Wrong(key, f"names {word!r} twice, or no column by it")
            columns |= dict.fromkeys(many, column)
    return columns


NUMBERS = ("float64", "int64", "int8", "uint8")


def _column(what: str) -> Column:
    """One column from what stands behind its names; raises ValueError."""
    what, _, gaps = re.fullmatch(r"(.*?)(, (\d{1,9}) missing)?", what, re.DOTALL).groups()
    missing = int(gaps or 0)
    if span := re.fullmatch(r"(\w+) (\S+)\.\.(\S+)", what):
        kind, *ends = span.groups()
        if kind != "time" and kind not in NUMBERS:
            raise ValueError(f"unknown kind {kind!r}")
        low, high = map(date.fromisoformat if kind == "time" else float, ends)
        if not low <= high:
            raise ValueError("the range is empty")
        return Column(kind, low, high, missing)
    if what == "text":
        return Column("text", missing=missing)
    if array := re.fullmatch(r"array (uint8|int16|float32) (\d)", what):
        return Column(array[1], dimensions=int(array[2]))
    levels = tuple(what.split(" | "))
    if len(levels) < 2 or len(set(levels)) < len(levels) or not all(map(str.strip, levels)):
        raise ValueError("neither a known kind nor levels, `one | two`")
    return Column("category", missing=missing, levels=levels)
