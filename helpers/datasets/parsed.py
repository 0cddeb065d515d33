"""Parsed tables, kept beside the files they came from, so that a second `load` parses nothing.

A kept table is used only while each file that it was made from has the size and time it had when its hash was
verified, and while parser, catalogue and pandas are those that made it. Anything amiss, and the files are read anew.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import platform
import secrets
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.datasets.catalogue import Dataset
from helpers.datasets.sources import locate

START = 8
"""Bytes before the description: a checksum of all that follows it, the description's length."""


def read(entry: Dataset, table: str) -> pd.DataFrame | None:
    """The kept table, or None when there is none that fits."""
    try:
        raw = np.fromfile(_place(entry, table), np.uint8)
        checksum, length = raw[:START].view(np.uint32).tolist()
        if zlib.crc32(raw[4:]) != checksum:
            return None
        head = json.loads(raw[START : START + length].tobytes())
        if head["made_from"] != _made_from(entry, table):
            return None
        return _unpack(head, raw[START + length :])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return None


def keep(entry: Dataset, table: str, frame: pd.DataFrame) -> None:
    """Keep a table that was just read from verified files; where it cannot be written, nothing happens."""
    target = _place(entry, table)
    part = target.with_name(f".{target.name}~{platform.node()}~{os.getpid()}~{secrets.token_hex(4)}.part")
    try:
        head, arrays = _pack(frame)
        text = json.dumps(head | {"made_from": _made_from(entry, table)}).encode()
        text += b" " * (-len(text) % 8)  # so that numbers begin at a multiple of eight bytes
        body = b"".join([np.uint32(len(text)).tobytes(), text, *(array.tobytes() for array in arrays)])
        part.write_bytes(np.uint32(zlib.crc32(body)).tobytes() + body)
        os.replace(part, target)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _place(entry: Dataset, table: str) -> Path:
    return locate(entry, entry.file(entry.tables[table].files[0])).parent / f".{table}.table"


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


def _pack(frame: pd.DataFrame) -> tuple[dict, list[np.ndarray]]:
    """What the file says about the columns, and their numbers: widest first, those of one dtype side by side.

    Text and categories become codes into a list of values, times whole numbers.
    """
    columns, arrays = [], []
    if not isinstance(frame.index, pd.RangeIndex):
        columns.append([frame.index.name, str(frame.index.dtype), "<i8", None])
        arrays.append(frame.index.to_numpy().view(np.int64))
    for name in frame:
        values, words = frame[name], None
        if isinstance(values.dtype, pd.CategoricalDtype):
            array, words = values.cat.codes.to_numpy(), list(values.cat.categories)
        elif pd.api.types.is_string_dtype(values.dtype):
            codes, words = pd.factorize(values)
            array, words = codes.astype(np.int32), list(words)
        else:
            array = values.to_numpy()
            array = array.view(np.int64) if array.dtype.kind == "M" else array
        columns.append([name, str(values.dtype), array.dtype.str, words])
        arrays.append(array)
    order = sorted(range(len(arrays)), key=lambda i: -arrays[i].itemsize)
    head = {"columns": columns, "order": order, "rows": len(frame), "dated": len(columns) > frame.shape[1]}
    return head, [arrays[i] for i in order]


def _unpack(head: dict, raw: np.ndarray) -> pd.DataFrame:
    columns, rows, start, arrays = head["columns"], head["rows"], 0, {}
    for i in head["order"]:
        size = rows * np.dtype(columns[i][2]).itemsize
        arrays[i] = raw[start : start + size].view(columns[i][2])
        start += size
    index = pd.RangeIndex(rows)
    if head["dated"]:
        index = pd.DatetimeIndex(arrays[0].view(columns[0][1]), name=columns[0][0])
    dated = int(head["dated"])
    names, kinds = [c[0] for c in columns[dated:]], {(c[1], c[3] is None) for c in columns[dated:]}
    if len(kinds) == 1 and np.dtype(columns[-1][2]) == columns[-1][1]:  # numbers of one kind, such as pixels: one block
        first = rows * 8 * dated
        block = raw[first:start].view(columns[-1][2]).reshape(len(names), rows)
        return pd.DataFrame(block.T, index=index, columns=names, copy=False)
    frame = {name: _column(arrays[i], *columns[i][1:]) for i, name in enumerate(names, dated)}
    return pd.DataFrame(frame, index=index, copy=False)


def _column(array: np.ndarray, dtype: str, _: str, words: list | None):
    if dtype == "category":
        return pd.Categorical.from_codes(array, dtype=_levels(tuple(words)), validate=False)
    if words is not None:
        return pd.array(np.array([*words, None], dtype=object)[array], dtype=dtype)
    return array.view(dtype) if dtype.startswith("datetime") else array


_levels = functools.cache(pd.CategoricalDtype)
