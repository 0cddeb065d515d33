"""A file of the reader's own: any CSV with a named 0/1 target, checked column by column before a model sees it."""

from __future__ import annotations

import difflib
import hashlib
import io
import itertools
import os
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import record
from helpers.datasets.sources import read_file
from helpers.errors import DataError

MIN_ROWS, MIN_CLASS = 200, 40
"""Fewer rows in all, or of the rarer class, and cross-validation only measures luck."""
MAX_BYTES, MAX_COLUMNS = 100_000_000, 1_000
"""More does not fit a laptop's memory, or takes minutes to look through for leaks."""
SEPARATORS = ",;\t|"
ID_NAME = re.compile(
    r"(?i)^(id|index|row|key|uuid|no|nr|number|unnamed.*|.*[_ .-](id|key|uuid)|.*Id|(id|row)[_ .-].*)$"
)
CELL = re.compile(r"([€$£¥]?)\s?([-+−]?)\s?([€$£¥]?)\s?([0-9.,'’\s]+?(?:[eE][-+]?[0-9]{1,4})?)\s?([€$£¥%]?)")
"""A number as people write it: unit, sign, unit, digits with marks, unit."""
INFINITE = ("inf", "infinity")
PLAIN = re.compile(r"-?[0-9]+(?:\.(?:[0-9]{1,2}|[0-9]{4,}))?")
"""What no decimal mark can turn into another number, or a full stop alone can be the decimal mark of."""
READ = {
    mark: re.compile(rf"([0-9]*|[1-9][0-9]{{0,2}}(?:([{other}'’\s])[0-9]{{3}})(?:\2[0-9]{{3}})*)(?:[{mark}]([0-9]*))?")
    for mark, other in ((".", ","), (",", "."))
}
"""Decimal mark → whole part, in threes from a grouping mark or not at all, and decimals."""


def read_own(
    path: str | Path,
    target: str = "default",
    *,
    leave_out: Iterable[str] = (),
    keep: Iterable[str] = (),
    decimal: str | None = None,
) -> pd.DataFrame:
    """Read a CSV of yours for a question with two outcomes; prints what was done with each column that needed it.

    The frame has the usable columns (numbers as float64, words as category, missing cells left missing) and last the
    `target` as 0 and 1 (int8); attrs["origin"] is "own", so that claims about real sets are not checked on it. Columns
    that say nothing (ids, constants, empty ones, dates, free text) are dropped, those in `leave_out` too; `keep` names
    columns to take although they look like an id or a leak. The decimal mark is found from the cells; `decimal`, "."
    or ",", says it for columns such as 1,105 and 2,350 that can be read both ways. Raises DataError, with the cause
    and the next step, for a file that is missing, empty or no CSV, numbers that can be read two ways, a target that
    is not there or not 0/1, a column that gives the target away, or too few rows.
    """
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str):
        raise DataError(f"The path must be text, such as 'loans.csv', not {_show(path)}.")
    if re.match(r"[A-Za-z][\w+.-]+:/", os.fspath(path)):
        raise DataError("The path is an address on the web: save that file first, and give its place on this machine.")
    if not isinstance(target, str):
        raise DataError(f"The target must be the name of a column, such as 'default', not {_show(target)}.")
    if decimal is not None and not (isinstance(decimal, str) and decimal in (".", ",")):
        raise DataError(f"decimal must be '.' or ',', not {_show(decimal)}.")
    leave_out, keep = _names(leave_out, "leave_out"), set(_names(keep, "keep"))
    content = _content(Path(path))
    file = _plain(Path(path).name)
    frame = _parse(file, content)
    for name in [target, *leave_out, *keep]:
        _column(file, frame, name, "the target, OWN_TARGET" if name == target else "leave_out or keep")
    if target in leave_out:
        raise DataError(f"{file}: {_show(target)} is the target and in leave_out, too. Take it out of one of them.")
    frame = frame.drop(columns=leave_out)
    outcome = _outcome(file, target, frame.pop(target))
    columns = {name: _Column(file, name, frame[name]) for name in frame}
    marks = {column.mark for column in columns.values() if column.mark}
    notes, usable = [], {}
    for name, column in columns.items():
        values, note = column.usable(decimal, marks, forced=name in keep)
        if note:
            notes.append(f"  - {_plain(name)}: {note}")
        if values is not None:
            usable[name] = values
    if not usable:
        raise DataError(
            f"{file}: no column is left beside {_show(target)}. "
            + " ".join(note.strip(" -") + "." for note in notes[:5])
            + " Add columns that vary."
        )
    result = pd.DataFrame(usable)
    _check_leaks(file, result.drop(columns=keep & set(usable)), outcome, target)
    result[target] = outcome
    _report(file, result, target, notes)
    table = Path(path).name
    result.attrs.update(name="own data", table=table, origin="own", citation="")
    record.write("data", name="own data", origin="own", sha256={table: hashlib.sha256(content).hexdigest()})
    return result


def _show(value: object) -> str:
    """What a file or a caller holds, quoted and short enough for a message."""
    text = repr(value[:81]) if isinstance(value, str) else f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:56]}…{text[0]}"


def _plain(name: str) -> str:
    """The same for names, without the quotes."""
    return _show(name)[1:-1]


def _names(given: object, setting: str) -> list[str]:
    """The list of names given; raises DataError for one name, which Python would take for a list of letters."""
    names = None if isinstance(given, str | bytes) or not isinstance(given, Iterable) else given
    names = names if names is None else list(itertools.islice(names, MAX_COLUMNS))
    if names is None or not all(isinstance(name, str) for name in names):
        raise DataError(f"{setting} must be a list of column names, such as {setting}=['job'], not {_show(given)}.")
    return names


def _content(path: Path) -> bytes:
    try:
        path = path.expanduser().absolute()
        if path.is_dir():
            raise DataError(f"{path} is a folder: name the CSV file in it.")
        content = read_file(path, MAX_BYTES)
    except FileNotFoundError:
        near = difflib.get_close_matches(path.name, _beside(path), n=1)
        hint = f"Did you mean {_plain(near[0])}? " if near else ""
        raise DataError(
            f"There is no file {path}. {hint}Give its full path, or one from the folder of the notebook."
        ) from None
    except (OSError, ValueError, RuntimeError) as problem:  # the last two: a null character, an unknown ~user
        cause = getattr(problem, "strerror", None) or problem
        raise DataError(f"{_plain(str(path))} cannot be read ({cause}). Give a CSV file that you may open.") from None
    if not content.strip():
        raise DataError(f"{path.name} is empty: export it once more, with a first line of column names.")
    if content[:2] == b"PK" or content[:4] in (b"\xd0\xcf\x11\xe0", b"PAR1", b"%PDF") or b"\0" in content:
        raise DataError(
            f"{path.name} is not a CSV (it looks binary): open it in its program and save it as CSV, UTF-8."
        )
    return content


def _beside(path: Path) -> list[str]:
    try:
        return [entry.name for entry in itertools.islice(os.scandir(path.parent), 1_000)]
    except OSError:
        return []


def _parse(file: str, content: bytes) -> pd.DataFrame:
    """The cells as text, missing ones as NaN, under the stripped names of the first line."""
    content = content.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    try:
        content.decode()
    except UnicodeDecodeError:
        content = content.decode("cp1252", errors="replace").encode()
    head = re.split(rb"[\r\n]", content, maxsplit=1)[0].decode()
    bare = re.sub('"[^"]*"', "", head)
    separator = max(SEPARATORS, key=bare.count)
    if bare.count(separator) == 0 or head.lstrip()[:1] in "<{[":
        raise DataError(
            f"{file} is not a CSV with several columns: its first line is {_show(head)}. Save it with commas, "
            "semicolons or tabs between the columns and their names in the first line."
        )
    if bare.count(separator) >= MAX_COLUMNS:
        raise DataError(
            f"{file} has {bare.count(separator) + 1:,} columns; up to {MAX_COLUMNS:,} can be looked through. Save it "
            "with those that were known at the decision."
        )
    try:
        frame = pd.read_csv(
            io.BytesIO(content), sep=separator, header=None, dtype=str, encoding="utf-8", skipinitialspace=True
        )
    except ValueError as problem:  # pandas' ParserError is one
        cause = str(problem).removeprefix("Error tokenizing data. C error: ").strip()
        if re.match(r"Expected \d+ fields in line 2, saw", cause):
            raise DataError(
                f"{file}: the rows have more cells than the header. Give every column a name in the first line."
            ) from None
        raise DataError(f"{file} is not a clean CSV ({cause}). Mend that line, or export the file once more.") from None
    names = [f"Unnamed: {i}" if pd.isna(name) else str(name).strip() for i, name in enumerate(frame.iloc[0])]
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(f"{file}: the column name {_show(name)} occurs more than once. Rename one of them.")
        seen.add(name)
    return frame.iloc[1:].set_axis(names, axis=1).reset_index(drop=True)


def _column(file: str, frame: pd.DataFrame, name: str, setting: str) -> None:
    if name not in frame.columns:
        near = difflib.get_close_matches(name[:100], [c for c in frame.columns if len(c) <= 100], n=1, cutoff=0.5)
        found = ", ".join(map(_plain, frame.columns[:8])) + (", …" if len(frame.columns) > 8 else "")
        hint = f"Did you mean {_show(near[0])}? " if near else ""
        raise DataError(f"{file} has no column {_show(name)} ({setting}). {hint}Its columns: {found}.")


def _outcome(file: str, target: str, column: pd.Series) -> np.ndarray:
    missing = int(column.isna().sum())
    if missing == len(column):
        raise DataError(f"{file}: the target {_show(target)} is empty. Fill it with 0 and 1.")
    if missing:
        raise DataError(
            f"{file}: the target {_show(target)} is missing in {missing:,} of {len(column):,} rows. Remove the rows "
            "whose outcome nobody knows yet; an outcome must not be guessed."
        )
    words = column.str.strip().str.lower().str.replace(r"(?<=^[01])[.,](0{1,2}|0{4,})$", "", regex=True)
    values = words.replace({"true": "1", "false": "0"})
    found = sorted(values.unique())
    if not set(found) <= {"0", "1"}:
        shown = ", ".join(map(_show, sorted(column.unique())[:4]))
        step = (
            f"Write 1 for the outcome you want to predict and 0 for the other: frame[{_show(target)}] = "
            f'(frame[{_show(target)}] == "…").astype(int), and save it.'
            if len(found) == 2
            else "Choose one event to predict and write 1 where it happened, 0 where not."
        )
        raise DataError(
            f"{file}: the target {_show(target)} holds {shown}{' …' if len(found) > 4 else ''}, not 0 and 1. {step}"
        )
    if len(found) == 1:
        raise DataError(
            f"{file}: the target {_show(target)} is {found[0]} in every row, so there is nothing to tell apart. Add "
            "rows with the other outcome."
        )
    outcome = (values == "1").to_numpy().astype("int8")
    rarer = int(min(outcome.sum(), len(outcome) - outcome.sum()))
    if len(outcome) < MIN_ROWS or rarer < MIN_CLASS:
        raise DataError(
            f"{file} has {len(outcome):,} rows, {rarer:,} of the rarer outcome: too few to train and judge a model. "
            f"Bring at least {MIN_ROWS} rows with {MIN_CLASS} of each outcome."
        )
    return outcome


def _number(cell: str) -> tuple[float, float, str | None]:
    """A cell with a decimal point and with a decimal comma, NaN where it cannot be that, and its unit, if a number."""
    if PLAIN.fullmatch(cell):
        number = float(cell)
        return number, np.nan if "." in cell else number, ""
    parts = CELL.fullmatch(cell) if len(cell) <= 60 else None
    if parts is None or (parts[1] and parts[3]) or ((parts[1] or parts[3]) and parts[5]):
        return np.nan, np.nan, None
    digits, _, power = parts[4].strip().lower().partition("e")
    values = []
    for mark in READ:
        found = READ[mark].fullmatch(digits)
        if found is None or not (found[1] or found[3]) or (found[2] and power):
            values.append(float("nan"))
        else:
            whole = re.sub(r"\D", "", found[1])
            size = float(f"{whole or 0}.{found[3] or 0}e{power or 0}")
            values.append(-size if parts[2] in ("-", "−") else size)
    return (*values, None if np.isnan(values).all() else parts[1] or parts[3] or parts[5])


class _Column:
    """The different cells of a column, how often each occurs, and what they are as numbers."""

    def __init__(self, file: str, name: str, cells: pd.Series):
        self.where, self.name = f"{file}: column {_show(name)}", name
        self.codes, words = pd.factorize(cells.str.strip())
        words = np.asarray(words, dtype=object)
        infinite = np.array([len(word) < 10 and word.lower().lstrip("+-") in INFINITE for word in words], dtype=bool)
        self.words = np.where(infinite | (words == ""), None, words)
        self.times = np.bincount(self.codes + 1, minlength=len(words) + 1)[1:]
        read = [_number(word) for word in words]
        self.values = {mark: np.array([cell[i] for cell in read], dtype=float) for i, mark in enumerate(READ)}
        point, comma = (~np.isnan(values) for values in self.values.values())
        self.units = {cell[2] for cell in read} - {None}
        self.infinite, self.known = self._count(infinite), self._count(self.words != None)  # noqa: E711
        self.numeric = self._count(point | comma) >= 0.95 * self.known
        self.either = point & comma & (self.values["."] != self.values[","])
        self.votes = {".": point & ~comma, ",": comma & ~point}
        self.mark = self._voted() if self.numeric else None

    def _count(self, which: np.ndarray) -> int:
        return int(self.times[which].sum())

    def _example(self, which: np.ndarray) -> str:
        return _show(self.words[np.flatnonzero(which)[0]])

    def _voted(self) -> str | None:
        """The decimal mark that the cells prove; one stray cell does not prove it for hundreds that fit both."""
        counts = {mark: self._count(which) for mark, which in self.votes.items()}
        if all(counts.values()):
            point, comma = (self._example(which) for which in self.votes.values())
            raise DataError(
                f"{self.where} has a decimal point in {point} and a decimal comma in {comma}. Write its numbers in "
                f"one way, or leave it out: leave_out=[{_show(self.name)}]."
            )
        mark = max(counts, key=counts.get)
        return mark if counts[mark] and 20 * counts[mark] >= self._count(self.either) else None

    def usable(self, decimal: str | None, marks: set[str], *, forced: bool) -> tuple[pd.Series | None, str]:
        """The column as float64 or category, or None; and a note where something was done with it."""
        if not self.known:
            return None, "left out, every cell is empty" + (" or infinite" if self.infinite else "")
        if not self.numeric:
            values, note = _words(pd.Series(np.append(self.words, None)[self.codes], name=self.name), forced=forced)
            odd = np.isnan(self.values["."]) & np.isnan(self.values[","]) & (self.words != None)  # noqa: E711
            if not note and 2 * self._count(odd) < self.known:
                note = f"taken as words, as {self._count(odd):,} cells such as {self._example(odd)} are no numbers"
            return values, note
        mark, note = self.mark, []
        if mark is None and self.either.any():
            place = np.flatnonzero(self.either)[0]
            mark = decimal or (next(iter(marks)) if len(marks) == 1 else None)
            if mark is None or (not decimal and any(which.any() for m, which in self.votes.items() if m != mark)):
                point, comma = (f"{values[place]:.12g}" for values in self.values.values())
                raise DataError(
                    f"{self.where} can be read two ways: {_show(self.words[place])} is {point} with a decimal point, "
                    f"{comma} with a decimal comma. Say which: read_own(…, decimal='.') or read_own(…, decimal=',')."
                )
            note.append(f"{_plain(self.words[place])} read as {self.values[mark][place]:.12g}")
        self._check_units()
        numbers = self.values[mark or "."]
        values = pd.Series(np.append(numbers, np.nan)[self.codes], name=self.name)
        if np.nanmax(np.abs(numbers)) > np.finfo(np.float32).max:
            raise DataError(
                f"{self.where} holds {self._example(np.abs(numbers) > np.finfo(np.float32).max)}, more than a network "
                "can compute with (3.4e38). Mend that cell, or give the column in a larger unit."
            )
        if spoilt := self.known - int(values.notna().sum()):
            note.append(f"{spoilt} unreadable cells taken as missing")
        if self.infinite:
            note.append(f"{self.infinite} infinite cells taken as missing")
        if self.units - {""} or mark == "," or note:
            note.insert(0, "text read as numbers" + (" in per cent" if "%" in self.units else ""))
        return self._varying(values, ", ".join(note), forced=forced)

    def _check_units(self) -> None:
        """Raise DataError where cells of a column are not of one unit."""
        signs = sorted(self.units - {""})
        if len(signs) > 1 or ("%" in signs and "" in self.units):
            raise DataError(
                f"{self.where} mixes {' and '.join(signs) if len(signs) > 1 else 'per cent and plain numbers'}. Bring "
                f"it to one unit, or leave it out: leave_out=[{_show(self.name)}]."
            )

    def _varying(self, values: pd.Series, note: str, *, forced: bool) -> tuple[pd.Series | None, str]:
        complete = values.notna().all()
        if complete and values.nunique() < 2:
            return None, f"left out, it is {self.words[0]} in every row"
        whole = complete and values.is_unique and (values % 1 == 0).all()
        if whole and not forced and (ID_NAME.match(self.name) or (values.sort_values().diff().dropna() == 1).all()):
            return None, "left out, it numbers the rows (an id)"
        return values, note


def _words(words: pd.Series, *, forced: bool) -> tuple[pd.Series | None, str]:
    known, levels = int(words.notna().sum()), words.nunique()
    if levels < 2 and known == len(words):
        return None, f"left out, it is {_show(words.iloc[0])} in every row"
    if not forced and words.str.fullmatch(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([ T].*)?").sum() > 0.9 * known:
        return None, "left out, it is a date: turn it into a duration (days, years) if it was known at the decision"
    if not forced and (levels > 0.5 * known or levels > 250):
        return None, f"left out, {levels:,} different texts in {known:,} rows (an id or free text)"
    return words.astype("category"), ""


def _check_leaks(file: str, frame: pd.DataFrame, outcome: np.ndarray, target: str) -> None:
    from helpers import audit  # late: it needs scikit-learn

    leaks = audit.target_leaks(frame, outcome, threshold=0.98)
    if leaks:
        name, score = next(iter(leaks.items()))
        column = _show(name)
        raise DataError(
            f"{file}: the column {column} alone tells {_show(target)} (AUC {score:.3f}). It is probably filled in "
            f"after the outcome. Leave it out: OWN_LEAVE_OUT = [{column}], or leave_out=[{column}]. If it really was "
            f"known at the decision, read the file with keep=[{column}]."
        )


def _report(file: str, frame: pd.DataFrame, target: str, notes: list[str]) -> None:
    features = frame.drop(columns=target)
    numbers = features.select_dtypes("number").shape[1]
    gaps = features.isna().sum()
    print(
        f"{file}: {len(frame):,} rows, {frame[target].mean():.1%} with {target} = 1; {numbers} columns of numbers, "
        f"{features.shape[1] - numbers} of words; {int(gaps.sum()):,} missing cells in {int((gaps > 0).sum())} columns"
    )
    twins = int(frame.duplicated().sum())
    if twins:
        notes.append(f"  - {twins:,} rows repeat an earlier one exactly: if they are the same case, remove them")
    if notes:
        more = [f"  - … and {len(notes) - 40:,} more"] if len(notes) > 40 else []
        print("\n".join(notes[:40] + more))
