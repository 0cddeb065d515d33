"""Parsed tables, kept beside the files they came from, so that a second `load` parses nothing.

A kept table is used only while each file that it was made from has the size and time it had when its hash was
verified, and while parser, catalogue and pandas are those that made it. Anything amiss, and the files are read anew.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import os
import platform
import secrets
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.datasets.catalogue import Dataset
from helpers.datasets.sources import locate


def read(entry: Dataset, table: str) -> pd.DataFrame | None:
    """The kept table, or None when there is none that fits."""
    try:
        with np.load(_place(entry, table), allow_pickle=False) as archive:
            head = json.loads(archive["head"].tobytes())
            if head["made_from"] != _made_from(entry, table):
                return None
            arrays = {name: archive[name] for name in archive.files if name != "head"}
        return _unpack(head, arrays)
    except (OSError, EOFError, ValueError, KeyError, IndexError, TypeError, zipfile.BadZipFile):
        return None


def keep(entry: Dataset, table: str, frame: pd.DataFrame) -> None:
    """Keep a table that was just read from verified files; where it cannot be written, nothing happens."""
    target = _place(entry, table)
    part = target.with_name(f".{target.name}~{platform.node()}~{os.getpid()}~{secrets.token_hex(4)}.part")
    try:
        head, arrays = _pack(frame)
        head["made_from"] = _made_from(entry, table)
        buffer = io.BytesIO()
        np.savez(buffer, head=np.frombuffer(json.dumps(head).encode(), np.uint8), **arrays)
        part.write_bytes(buffer.getvalue())
        os.replace(part, target)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _place(entry: Dataset, table: str) -> Path:
    return locate(entry, entry.file(entry.tables[table].files[0])).parent / f".{table}.npz"


def _made_from(entry: Dataset, table: str) -> list:
    """What the table depends on; raises OSError when a file is not there."""
    wanted = entry.tables[table]
    files = [(entry.file(path).sha256, locate(entry, entry.file(path)).stat()) for path in wanted.files]
    recipe = hashlib.sha256(repr((wanted, pd.__version__)).encode() + _code()).hexdigest()
    return [recipe, *([sha256, state.st_size, state.st_mtime_ns] for sha256, state in files)]


@functools.cache
def _code() -> bytes:
    here = Path(__file__)
    return here.read_bytes() + here.with_name("parsers.py").read_bytes()


def _pack(frame: pd.DataFrame) -> tuple[dict, dict[str, np.ndarray]]:
    """Columns of one dtype in one array (columns, rows); text and categories as codes into a list of values."""
    columns, groups = [], {}
    for name in frame:
        values, words = frame[name], None
        if isinstance(values.dtype, pd.CategoricalDtype):
            array, words = values.cat.codes.to_numpy(np.int16), list(values.cat.categories)
        elif pd.api.types.is_string_dtype(values.dtype):
            codes, words = pd.factorize(values)
            array, words = codes.astype(np.int32), list(words)
        else:
            array = values.to_numpy()
        times = array.dtype.kind == "M"
        group = groups.setdefault(array.view(np.int64).dtype.str if times else array.dtype.str, [])
        columns.append([name, str(values.dtype), next(k for k, v in groups.items() if v is group), len(group), words])
        group.append(array.view(np.int64) if times else array)
    head = {"columns": columns, "index": None, "rows": len(frame)}
    arrays = {name: np.stack(group) for name, group in groups.items()}
    if not isinstance(frame.index, pd.RangeIndex):
        head["index"] = [frame.index.name, str(frame.index.dtype)]
        arrays["index"] = frame.index.to_numpy().view(np.int64)
    return head, arrays


def _unpack(head: dict, arrays: dict[str, np.ndarray]) -> pd.DataFrame:
    index = pd.RangeIndex(head["rows"])
    if head["index"]:
        index = pd.DatetimeIndex(arrays["index"].view(head["index"][1]), name=head["index"][0])
    names = [name for name, *_ in head["columns"]]
    kinds = {(dtype, group) for _, dtype, group, _, words in head["columns"] if words is None}
    plain = all(words is None and not dtype.startswith("datetime") for _, dtype, _, _, words in head["columns"])
    if plain and len(kinds) == 1:  # numbers of one kind, such as pixels: one block
        [(_, kind)] = kinds
        return pd.DataFrame(arrays[kind].T, index=index, columns=names, copy=False)
    columns = {}
    for name, dtype, group, row, words in head["columns"]:
        array = arrays[group][row]
        if dtype == "category":
            columns[name] = pd.Categorical.from_codes(array, dtype=pd.CategoricalDtype(words), validate=False)
        elif words is not None:
            columns[name] = pd.array(np.array([*words, None], dtype=object)[array], dtype=dtype)
        else:
            columns[name] = array.view(dtype) if dtype.startswith("datetime") else array
    return pd.DataFrame(columns, index=index, copy=False)
