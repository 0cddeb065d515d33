"""Sentences with labels: lines, JSON and Arrow."""

from __future__ import annotations

import itertools
import json
import struct

import numpy as np
import pandas as pd

from helpers.datasets.catalogue import Table
from helpers.datasets.checks import Damaged
from helpers.datasets.readers import archives
from helpers.datasets.readers.tables import stacked


def lines(content: dict[str, bytes], table: Table) -> pd.DataFrame:
    """A row a line, split into the columns of `header` at `sep` as often as it takes, `from_right` or from the left.

    Unlike a CSV: quotation marks are letters, and the last (or first) column may hold the separator.
    """
    options, frames = table.options, []
    header = options["header"]
    for raw in content.values():
        text = archives.unpack(raw).decode(options.get("encoding", "utf-8"))
        rows = pd.Series([line for line in text.replace("\r\n", "\n").split("\n") if line], dtype=str)
        split = rows.str.rsplit if options.get("from_right") else rows.str.split
        cells = split(options["sep"], n=len(header) - 1, expand=True)
        if cells.shape[1] != len(header) or cells.isna().any(axis=None):
            raise Damaged(f"has a line that does not split into {len(header)} at {options['sep']!r}")
        frames.append(cells.set_axis(header, axis=1))
    return stacked(frames, list(content), table)


def json_rows(content: dict[str, bytes], table: Table) -> pd.DataFrame:
    """Rows of JSON, in one of three forms.

    A list of lists, its columns named by `header`; an object of such lists, whose name goes to the column `key`; an
    object of objects with a list of objects under `records`: a row for each of these, beside what stands around it.
    """
    options, frames = table.options, []
    for raw in content.values():
        found = json.loads(archives.unpack(raw))
        if "records" in options:
            items = [item | {"key": key} for key, item in found.items()]
            around = [name for name in items[0] if name != options["records"]]
            frames.append(pd.json_normalize(items, options["records"], around))
            continue
        groups = found if "key" in options else {"": found}
        parts = [pd.DataFrame(rows, columns=options["header"]) for rows in groups.values()]
        names = np.repeat(np.array(list(groups), object), [len(part) for part in parts])
        frame = pd.concat(parts, ignore_index=True)
        frames.append(frame.assign(**{options["key"]: names}) if "key" in options else frame)
    return stacked(frames, list(content), table)


def arrow(content: dict[str, bytes], table: Table) -> pd.DataFrame:
    """An Arrow IPC stream whose columns are all text (utf8), without compression or dictionaries.

    Written out here because the course has one such file of 1 MB, and the library that reads them all takes 150 MB:
    https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc
    """
    [raw] = content.values()
    names, batches, place = [], [], 0
    while place + 8 <= len(raw):
        mark, size = struct.unpack_from("<Ii", raw, place)
        if mark != 0xFFFFFFFF or size < 0 or place + 8 + size > len(raw):
            raise Damaged(f"is not an Arrow stream at byte {place:,}")
        if size == 0:
            break
        message = _Flat(raw[place + 8 : place + 8 + size])
        place += 8 + size
        kind, head, length = message.number(1, "<B"), message.table(2), message.number(3, "<q")
        if kind == 1:  # a schema: for each field its name (0) and the number of its type (2), 5 for utf8
            fields = [_Flat(head.raw, at) for at in head.list(1, 4)]
            if any(each.number(2, "<B") != 5 for each in fields):
                raise Damaged("has a column that is not text")
            names = [each.text(0) for each in fields]
        elif kind == 3:  # a batch: its rows (0), and for each column three buffers: validity, offsets, letters
            buffers = [struct.unpack_from("<qq", head.raw, at) for at in head.list(2, 16)]
            batches.append(_batch(raw[place : place + length], head.number(0, "<q"), buffers, names))
        else:
            raise Damaged(f"holds a message of kind {kind}")
        place += length
    return pd.concat(batches, ignore_index=True)


def _batch(body: bytes, rows: int, buffers: list[tuple[int, int]], names: list[str]) -> pd.DataFrame:
    if len(buffers) != 3 * len(names):
        raise Damaged(f"has {len(buffers)} buffers for {len(names)} columns")
    columns = {}
    for name, (_, (start, _), (letters, size)) in zip(names, zip(*[iter(buffers)] * 3, strict=True), strict=True):
        ends = np.frombuffer(body, "<i4", rows + 1, start)
        text = body[letters : letters + size]
        columns[name] = [text[a:b].decode() for a, b in itertools.pairwise(ends)]
    return pd.DataFrame(columns)


class _Flat:
    """A table of a FlatBuffer: a vtable says where each numbered field lies (https://flatbuffers.dev/internals/)."""

    def __init__(self, raw: bytes, at: int = 0):
        self.raw, self.at = raw, at + struct.unpack_from("<I", raw, at)[0]
        self.vtable = self.at - struct.unpack_from("<i", raw, self.at)[0]

    def place(self, field: int) -> int:
        """Where the field lies, 0 when it is not there."""
        size = struct.unpack_from("<H", self.raw, self.vtable)[0]
        offset = 4 + 2 * field
        here = struct.unpack_from("<H", self.raw, self.vtable + offset)[0] if offset < size else 0
        return self.at + here if here else 0

    def number(self, field: int, form: str) -> int:
        return struct.unpack_from(form, self.raw, self.place(field))[0] if self.place(field) else 0

    def table(self, field: int) -> _Flat:
        return _Flat(self.raw, self.place(field))

    def list(self, field: int, width: int) -> list[int]:
        """Where the items of a list lie."""
        start = self.place(field) + struct.unpack_from("<I", self.raw, self.place(field))[0]
        count = struct.unpack_from("<I", self.raw, start)[0]
        if start + 4 + count * width > len(self.raw):
            raise Damaged("has a list that runs out of its message")
        return [start + 4 + width * i for i in range(count)]

    def text(self, field: int) -> str:
        start = self.place(field) + struct.unpack_from("<I", self.raw, self.place(field))[0]
        return self.raw[start + 4 : start + 4 + struct.unpack_from("<I", self.raw, start)[0]].decode()
