"""A file of the reader's own: any CSV with a named 0/1 target, checked column by column before a model sees it."""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import record
from helpers.errors import DataError

MIN_ROWS, MIN_CLASS = 200, 40
"""Fewer rows in all, or of the rarer class, and cross-validation only measures luck."""
SEPARATORS = ",;\t|"
ID_NAME = re.compile(
    r"(?i)^(id|index|row|key|uuid|no|nr|number|unnamed.*|.*[_ .-](id|key|uuid)|.*Id|(id|row)[_ .-].*)$"
)
UNIT = re.compile(r"[\s€$£%]|(?<=\d),(?=\d{3}\b)")


def read_own(
    path: str | Path, target: str = "default", *, leave_out: Iterable[str] = (), keep: Iterable[str] = ()
) -> pd.DataFrame:
    """Read a CSV of yours for a question with two outcomes; prints what was done with each column that needed it.

    The frame has the usable columns (numbers as float64, words as category, missing cells left missing) and last the
    `target` as 0 and 1 (int8); attrs["origin"] is "own", so that claims about real sets are not checked on it. Columns
    that say nothing (ids, constants, empty ones, dates, free text) are dropped, those in `leave_out` too; `keep` names
    columns to take although they look like an id or a leak. Raises DataError, with the cause and the next step, for a
    file that is missing, empty or no CSV, a target that is not there or not 0/1, a column that gives the target away,
    or too few rows.
    """
    path, keep = Path(path).expanduser(), set(keep)
    content = _content(path)
    frame = _parse(path.name, content)
    for name in [*leave_out, *keep]:
        _column(path.name, frame, name, "leave_out or keep")
    frame = frame.drop(columns=list(leave_out))
    _column(path.name, frame, target, "OWN_TARGET")
    outcome = _outcome(path.name, target, frame[target])
    notes, usable = [], {}
    for name in frame.columns.drop(target):
        column, note = _usable(frame[name], forced=name in keep)
        if note:
            notes.append(f"  - {name}: {note}")
        if column is not None:
            usable[name] = column
    if not usable:
        raise DataError(
            f"{path.name}: no column is left beside {target!r}. " + _join(notes) + " Add columns that vary."
        )
    result = pd.DataFrame(usable)
    _check_leaks(path.name, result.drop(columns=keep & set(usable)), outcome, target)
    result[target] = outcome
    _report(path.name, result, target, notes)
    result.attrs.update(name="own data", table=path.name, origin="own", citation="")
    record.write("data", name="own data", origin="own", sha256={path.name: hashlib.sha256(content).hexdigest()})
    return result


def _content(path: Path) -> bytes:
    if not path.exists():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*")], n=1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise DataError(
            f"There is no file {path}. {hint}Give its full path, or one from the folder of the notebook ({Path.cwd()})."
        )
    if path.is_dir():
        raise DataError(f"{path} is a folder: name the CSV file in it.")
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise DataError(f"{path} cannot be read ({problem.strerror}): check who may open it.") from None
    if not content.strip():
        raise DataError(f"{path.name} is empty: export it once more, with a first line of column names.")
    if content[:2] == b"PK" or content[:4] in (b"\xd0\xcf\x11\xe0", b"PAR1", b"%PDF") or b"\0" in content[:4096]:
        raise DataError(
            f"{path.name} is not a CSV (it looks binary): open it in its program and save it as CSV, UTF-8."
        )
    return content


def _parse(name: str, content: bytes) -> pd.DataFrame:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    head = text.lstrip("\r\n").partition("\n")[0]
    separator = max(SEPARATORS, key=head.count)
    if head.count(separator) == 0 or head.lstrip()[:1] in "<{[":
        raise DataError(
            f"{name} is not a CSV with several columns: its first line is {head[:60]!r}. Save it with commas, "
            "semicolons or tabs between the columns and their names in the first line."
        )
    header = [cell.strip() for cell in next(csv.reader([head], delimiter=separator))]
    doubled = sorted({cell for cell in header if cell and header.count(cell) > 1})
    if doubled:
        raise DataError(f"{name}: the column name {doubled[0]!r} occurs more than once. Rename one of them.")
    decimal = "," if separator == ";" and re.search(r"(^|;)-?\d+,\d+(;|\r?$)", text, re.M) else "."
    try:
        frame = pd.read_csv(io.StringIO(text), sep=separator, decimal=decimal, low_memory=False, skipinitialspace=True)
    except (pd.errors.ParserError, csv.Error) as problem:
        cause = str(problem).removeprefix("Error tokenizing data. C error: ").strip()
        raise DataError(f"{name} is not a clean CSV ({cause}). Mend that line, or export the file once more.") from None
    frame.columns = [str(column).strip() for column in frame.columns]
    if not isinstance(frame.index, pd.RangeIndex):
        raise DataError(
            f"{name}: the rows have more cells than the header. Give every column a name in the first line."
        )
    return frame


def _column(file: str, frame: pd.DataFrame, name: str, setting: str) -> None:
    if name not in frame.columns:
        near = difflib.get_close_matches(name, list(frame.columns), n=1, cutoff=0.5)
        found = ", ".join(frame.columns[:12]) + (", …" if len(frame.columns) > 12 else "")
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise DataError(f"{file} has no column {name!r} ({setting}). {hint}Its columns: {found}.")


def _outcome(file: str, target: str, column: pd.Series) -> np.ndarray:
    missing = int(column.isna().sum())
    if missing == len(column):
        raise DataError(f"{file}: the target {target!r} is empty. Fill it with 0 and 1.")
    if missing:
        raise DataError(
            f"{file}: the target {target!r} is missing in {missing:,} of {len(column):,} rows. Remove the rows whose "
            "outcome nobody knows yet; an outcome must not be guessed."
        )
    words = column.astype(str).str.strip().str.lower().str.removesuffix(".0")
    values = words.replace({"true": "1", "false": "0"})
    found = sorted(values.unique())
    if not set(found) <= {"0", "1"}:
        shown = ", ".join(map(repr, sorted(column.astype(str).unique())[:4]))
        step = (
            f"Write 1 for the outcome you want to predict and 0 for the other: frame[{target!r}] = "
            f'(frame[{target!r}] == "…").astype(int), and save it.'
            if len(found) == 2
            else "Choose one event to predict and write 1 where it happened, 0 where not."
        )
        raise DataError(
            f"{file}: the target {target!r} holds {shown}{' …' if len(found) > 4 else ''}, not 0 and 1. {step}"
        )
    if len(found) == 1:
        raise DataError(
            f"{file}: the target {target!r} is {found[0]} in every row, so there is nothing to tell apart. Add rows "
            "with the other outcome."
        )
    outcome = (values == "1").to_numpy().astype("int8")
    rarer = int(min(outcome.sum(), len(outcome) - outcome.sum()))
    if len(outcome) < MIN_ROWS or rarer < MIN_CLASS:
        raise DataError(
            f"{file} has {len(outcome):,} rows, {rarer:,} of the rarer outcome: too few to train and judge a model. "
            f"Bring at least {MIN_ROWS} rows with {MIN_CLASS} of each outcome."
        )
    return outcome


def _usable(column: pd.Series, *, forced: bool) -> tuple[pd.Series | None, str]:
    """The column as float64 or category, or None; and a note where something was done with it."""
    if column.isna().all():
        return None, "left out, every cell is empty"
    note = ""
    if pd.api.types.is_bool_dtype(column) or not pd.api.types.is_numeric_dtype(column):
        words = column.astype(object).where(column.notna(), None)
        words = words.map(lambda cell: None if cell is None or not str(cell).strip() else str(cell).strip())
        numbers = pd.to_numeric(words.str.replace(UNIT, "", regex=True), errors="coerce")
        readable = numbers.notna().sum() / max(words.notna().sum(), 1)
        if readable < 0.95:
            return _words(words, forced=forced)
        spoilt = int(words.notna().sum() - numbers.notna().sum())
        note = "text read as numbers" + (f", {spoilt} unreadable cells taken as missing" if spoilt else "")
        column = numbers
    values = column.astype("float64").replace([np.inf, -np.inf], np.nan)
    if values.nunique() < 2 and values.notna().all():
        return None, f"left out, it is {column.iloc[0]} in every row"
    whole = values.notna().all() and values.is_unique and (values % 1 == 0).all()
    if whole and not forced and (ID_NAME.match(str(column.name)) or (values.sort_values().diff().dropna() == 1).all()):
        return None, "left out, it numbers the rows (an id)"
    return values, note


def _words(words: pd.Series, *, forced: bool) -> tuple[pd.Series | None, str]:
    known, levels = words.notna().sum(), words.nunique()
    if levels < 2 and known == len(words):
        return None, f"left out, it is {words.iloc[0]!r} in every row"
    if not forced and known and words.str.fullmatch(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([ T].*)?").sum() > 0.9 * known:
        return None, "left out, it is a date: turn it into a duration (days, years) if it was known at the decision"
    if not forced and (levels > 0.5 * known or levels > 250):
        return None, f"left out, {levels:,} different texts in {known:,} rows (an id or free text)"
    return words.astype("category"), ""


def _check_leaks(file: str, frame: pd.DataFrame, outcome: np.ndarray, target: str) -> None:
    from helpers import audit  # late: it needs scikit-learn

    leaks = audit.target_leaks(frame, outcome, threshold=0.98)
    if leaks:
        name, score = next(iter(leaks.items()))
        raise DataError(
            f"{file}: the column {name!r} alone tells {target!r} (AUC {score:.3f}). It is probably filled in after the "
            f"outcome. Leave it out: OWN_LEAVE_OUT = [{name!r}], or leave_out=[{name!r}]. If it really was known at "
            f"the decision, read the file with keep=[{name!r}]."
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
        print("\n".join(notes))


def _join(notes: list[str]) -> str:
    return " ".join(note.strip(" -") + "." for note in notes)
