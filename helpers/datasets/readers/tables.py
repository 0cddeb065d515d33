"""Tables of cells: CSV in all its spellings, ARFF, and the first sheet of an xlsx."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

import pandas as pd

from helpers.datasets.catalogue import Table
from helpers.datasets.checks import Damaged
from helpers.datasets.readers import archives

DTYPES = {"text": str, "time": "category"}


def csv(content: dict[str, bytes], table: Table) -> pd.DataFrame:
    """One CSV, several one below the other (`part` names the column that says which), or all of a tar (`tar`).

    Options: member (zip), sep, skip (lines before the header), header (false, or the names), missing (words for a gap;
    an empty cell unless said otherwise), encoding, skip_spaces.
    """
    options = table.options
    frames = []
    for raw in content.values():
        raw = _joined(raw, options["tar"]) if "tar" in options else archives.unpack(raw, options.get("member", ()))
        frames.append(_csv(raw, table))
    return stacked(frames, list(content), table)


def stacked(frames: list[pd.DataFrame], paths: list[str], table: Table) -> pd.DataFrame:
    """The frames of several files one below the other; the option `part` names the column that says which file."""
    names = {str(name) for frame in frames for name in frame.columns}
    for path, frame in zip(paths, frames, strict=True):
        if absent := sorted(names - set(map(str, frame.columns))):
            raise Damaged(f"has no column {absent[0]!r} in {path}, as it has in its other files")
    if "part" in table.options:
        parts = table.options.get("parts") or [re.sub(r".*/|\..*", "", path) for path in paths]
        frames = [frame.assign(**{table.options["part"]: part}) for frame, part in zip(frames, parts, strict=True)]
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def _csv(raw: bytes, table: Table) -> pd.DataFrame:
    options = table.options
    header = options.get("header", True)
    names = header if isinstance(header, list) else None if header else list(table.columns)
    frame = pd.read_csv(
        io.BytesIO(raw),
        sep=options.get("sep", ","),
        skiprows=options.get("skip", 0),
        header=None if names else 0,
        na_values=options.get("missing", [""]),
        keep_default_na=False,
        encoding=options.get("encoding", "utf-8"),
        skipinitialspace=options.get("skip_spaces", False),
        dtype=_dtypes(table),
        low_memory=False,
    )
    if names and frame.shape[1] != len(names):
        raise Damaged(f"has {frame.shape[1]} columns instead of {len(names)}")
    return frame.set_axis(names, axis=1) if names else frame


def _dtypes(table: Table) -> dict:
    """Text stays as it is written, and times wait for `time_format`: a column's name in the file → its dtype."""
    theirs = {ours: name for name, ours in table.options.get("names", {}).items()}
    kinds = {theirs.get(name, name): column.kind for name, column in table.columns.items()}
    if isinstance(table.options.get("header"), list) or table.options.get("header", True) is False:
        named = table.options["header"] or list(table.columns)
        kinds = {i: kinds.get(name, "") for i, name in enumerate(named)}
    return {name: DTYPES[kind] for name, kind in kinds.items() if kind in DTYPES}


def _joined(raw: bytes, ending: str) -> bytes:
    """The CSVs of a tar.gz as one, sorted by name; they must have the same header."""
    files = [lines for _, lines in sorted(archives.untar(raw, ending).items())]
    headers = {lines.partition(b"\n")[0].strip() for lines in files}
    if len(headers) != 1:
        raise Damaged(f"holds {len(files)} daily files with {len(headers)} different headers")
    return b"\n".join([*headers, *(lines.partition(b"\n")[2].rstrip(b"\r\n") for lines in files)])


def arff(content: dict[str, bytes], table: Table) -> pd.DataFrame:
    """Weka's format: a line `@attribute NAME TYPE` a column, then `@data` and a CSV in which ? is missing."""
    [raw] = content.values()
    head, found, body = archives.unpack(raw).partition(b"@data")
    names = re.findall(r"(?im)^@attribute\s+(\S+)", head.decode("ascii"))
    if not found or not names:
        raise Damaged("has no @attribute lines followed by @data")
    frame = pd.read_csv(io.BytesIO(body), header=None, na_values=["?"], low_memory=False)
    if frame.shape[1] != len(names):
        raise Damaged(f"has {frame.shape[1]} columns for {len(names)} attributes")
    return frame.set_axis(names, axis=1)


SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def sheet(content: dict[str, bytes], table: Table) -> pd.DataFrame:
    """The first sheet of one or more xlsx files (zips of XML, ECMA-376), its first row the header; no formulas.

    A cell holds a number, its own text (inlineStr), or (s) the number of a text in xl/sharedStrings.xml.
    """
    return stacked([_sheet(archives.unzip(raw)) for raw in content.values()], list(content), table)


def _sheet(parts: dict[str, bytes]) -> pd.DataFrame:
    shared = parts.get("xl/sharedStrings.xml", b"<sst/>")
    words = ["".join(item.itertext()) for item in ElementTree.fromstring(shared)]
    places, values = [], []
    for cell in ElementTree.fromstring(parts["xl/worksheets/sheet1.xml"]).iter(f"{SHEET}c"):
        text, kind = "".join(cell.itertext()), cell.get("t")
        places.append(cell.get("r"))
        values.append(words[int(text)] if kind == "s" else text if kind == "inlineStr" else float(text))
    at = pd.Series(places, dtype=str).str.extract(r"^([A-Z]{1,3})([0-9]{1,7})$")
    grid = pd.Series(values, pd.MultiIndex.from_arrays([at[1].astype(int), at[0]]), dtype=object).unstack()
    grid = grid[sorted(grid.columns, key=lambda name: (len(name), name))]
    return grid.iloc[1:].set_axis([str(name) for name in grid.iloc[0]], axis=1).infer_objects().reset_index(drop=True)
