"""Set files and data files that are not as they should be: a frame or a CourseError, never anything else."""

from __future__ import annotations

import copy
import dataclasses
import functools
import gzip
import io
import json
import os
import struct
import tarfile
import tomllib
import zipfile
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import datasets
from helpers.datasets import catalogue, readers
from helpers.errors import CourseError, DataError

PATH = Path("data/sets/toy.toml")
TOY = """
title = "Toy"
page = "https://example.org"
licence = "none"
redistribute = false
rows = 3
columns = 2
dates = ""
faults = ["made up"]
citation = "https://example.org"
files = [{ path = "toy.csv", bytes = 30, sha256 = "SHA", urls = ["https://example.org/toy.csv"] }]

[tables.rows]
files = ["toy.csv"]
rows = 3
reader = "csv"
stand_in = { make = "people", share = 0.3 }
columns = '''
amount: float64 0..10, 1 missing
kind: small | large
label: int8 0..1
'''
[tables.rows.options]
sep = ";"
codes = { kind = ["S", "L"] }
""".replace("SHA", "0" * 64)
CONTENT = {"toy.csv": b"amount;kind;label\n1.5;S;0\n;L;1\n9;L;0\n"}


def described(text: str) -> catalogue.Dataset:
    return catalogue.dataset(PATH, tomllib.loads(text))


def test_a_plain_csv_needs_nothing_but_its_file():
    frame = readers.parse(described(TOY), "rows", CONTENT)
    assert frame["kind"].tolist() == ["small", "large", "large"] and frame["amount"].isna().tolist() == [0, 1, 0]
    assert frame.dtypes.astype(str).to_dict() == {"amount": "float64", "kind": "category", "label": "int8"}


FAULTS = [  # what is replaced by what, and what the error must say beside the file
    ('title = "Toy"', "title = 7", r"title must be text, not 7"),
    ('title = "Toy"', "", r"title is missing"),
    ('title = "Toy"', 'title = "Toy"\ntitel = "Toy"', r"titel is not a key of a set's file\. Did you mean title"),
    ("redistribute = false", "redistribute = 0", r"redistribute must be true or false, not 0"),
    ("rows = 3\ncolumns", "rows = true\ncolumns", r"rows must be a whole number, not True"),
    ('faults = ["made up"]', 'faults = "made up"', r"faults must be a list"),
    ('faults = ["made up"]', "faults = [[]]", r"faults\[0\] must be text"),
    ("bytes = 30", "bytes = -1", r"files\[0\]\.bytes cannot be -1"),
    ("0" * 64, "0" * 63, r"files\[0\]\.sha256 cannot be '0000"),
    ('urls = ["https:', 'urls = ["file:', r"files\[0\]\.urls\[0\] cannot be 'file://example"),
    ("[tables.rows]", "[tables.'../rows']", r"tables\.\.\./rows \(its name\) cannot be"),
    ('files = ["toy.csv"]', 'files = ["toy.txt"]', r"tables\.rows\.files names 'toy\.txt', which is none"),
    ('files = ["toy.csv"]', "files = []", r"tables\.rows\.files is empty"),
    ('reader = "csv"', 'reader = "cvs"', r"tables\.rows\.reader cannot be 'cvs'\. Did you mean csv"),
    ('sep = ";"', 'sep = ";;"', r"tables\.rows\.options\.sep cannot be ';;'"),
    ('sep = ";"', 'separator = ";"', r"tables\.rows\.options\.separator is not a key"),
    ("share = 0.3", 'share = "0.3"', r"tables\.rows\.stand_in\.share must be a number"),
    (
        'make = "people"',
        'make = "person"',
        r"tables\.rows\.stand_in\.make cannot be 'person'\. Did .*people\? Mend it",
    ),
    ('["S", "L"]', '["S"]', r"tables\.rows\.options\.codes\.kind has 1 codes for 2 levels"),
    ("codes = { kind", "codes = { size", r"tables\.rows\.options\.codes names 'size', which is none of the columns"),
    (
        "float64 0..10",
        "float64 10..0",
        r"tables\.rows\.columns says of 'amount' 'float64 10\.\.0, 1 missing': the ra",
    ),
    ("float64 0..10", "float46 0..10", r"tables\.rows\.columns says of 'amount' .*unknown kind 'float46'"),
    ("float64 0..10", "float64 a..10", r"tables\.rows\.columns says of 'amount' .*could not convert"),
    ("small | large", "small | small", r"tables\.rows\.columns says of 'kind'"),
    ("label: int8", "kind: int8", r"tables\.rows\.columns names 'kind' twice"),
    ("1 missing", "4 missing", r"tables\.rows\.columns has more gaps than rows in 'amount'"),
    ('reader = "csv"', 'reader = "csv"\nfirst = 2020-01-01', r"tables\.rows\.first and last must both be there"),
]


@pytest.mark.parametrize(("old", "new", "message"), FAULTS)
def test_a_fault_is_named_with_file_and_key(old, new, message):
    assert old in TOY
    with pytest.raises(CourseError, match=rf"^data/sets/toy\.toml: {message}"):
        described(TOY.replace(old, new, 1))


@pytest.mark.parametrize(
    "path", ["../toy.csv", "/etc/passwd", "a/../../b", "a/./b", "C:\\\\toy", "a\\\\b", "a//b", "toy/", ".", "a\\u0000b"]
)
@pytest.mark.parametrize("key", ["path", "mirror"])
def test_a_path_outside_the_cache_is_refused(path, key):
    old = 'path = "toy.csv"'
    new = f'path = "{path}"' if key == "path" else f'{old}, mirror = "{path}"'
    with pytest.raises(CourseError, match=rf"toy\.toml: files\[0\]\.{key} leaves the set's folder"):
        described(TOY.replace(old, new, 1))


@pytest.mark.parametrize("content", [b"title = ", b"\xff\xfe", b"a = 1\na = 2", b"", b"a = " + b"[" * 100_000])
def test_a_file_that_is_no_toml(content, tmp_path, monkeypatch):
    (tmp_path / "toy.toml").write_bytes(content)
    monkeypatch.setattr(catalogue, "SETS", tmp_path)
    with pytest.raises(CourseError, match=r"toy\.toml(: title is missing| cannot be read)"):
        datasets.load("toy")


def test_one_bad_file_does_not_hide_the_other_sets(tmp_path, monkeypatch):
    (tmp_path / "bad.toml").write_text("[")
    (tmp_path / "toy.toml").write_text(TOY)
    monkeypatch.setattr(catalogue, "SETS", tmp_path)
    assert datasets.names() == ["bad", "toy"] and datasets.info("toy").title == "Toy"


# ---------------------------------------------------------------------------------------------------------- properties

WORDS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["", "csv", "people", "../x", "a: b", "1..2", "NaN", "1e999", "9" * 40, "text", "\n", "[", "%Q"]),
)
VALUES = st.recursive(
    st.one_of(st.integers(), st.floats(), st.booleans(), WORDS, st.dates(), st.just(datetime(2020, 1, 1))),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=6,
)
DOCUMENTS = {path.stem: catalogue.toml(path) for path in sorted(catalogue.SETS.glob("*.toml"))} | {
    "toy": tomllib.loads(TOY)
}


def places(document: dict | list, way: tuple = ()) -> list[tuple]:
    """The way to every value of a document, its keys from the outside inwards."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    return [each for key, value in items for each in [(*way, key), *inside(value, (*way, key))]]


def inside(value: object, way: tuple) -> list[tuple]:
    return places(value, way) if isinstance(value, dict | list) else []


@st.composite
def mangled_documents(draw) -> tuple[str, dict]:
    name = draw(st.sampled_from(sorted(DOCUMENTS)))
    document = copy.deepcopy(DOCUMENTS[name])
    for _ in range(draw(st.integers(1, 3))):
        *way, key = draw(st.sampled_from(places(document) or [("title",)]))
        holder = functools.reduce(lambda value, step: value[step], way, document)
        how = draw(st.sampled_from(["replace", "drop", "add", "edit"]))
        if how == "drop" and key in holder:
            holder.pop(key)
        elif how == "add" and isinstance(holder, dict):
            holder[draw(WORDS)] = draw(VALUES)
        elif how == "edit" and isinstance(holder, dict) and isinstance(holder.get(key), str):
            cut = draw(st.integers(0, len(holder[key])))
            holder[key] = holder[key][:cut] + draw(WORDS) + holder[key][cut + draw(st.integers(0, 3)) :]
        else:
            holder[key] = draw(VALUES)
    return name, document


@given(mangled_documents())
def test_a_mangled_set_file_is_a_set_or_one_error(given_document):
    name, document = given_document
    try:
        entry = catalogue.dataset(Path(f"data/sets/{name}.toml"), document)
    except CourseError as error:
        assert str(error).startswith(f"data/sets/{name}.toml: ") and len(str(error)) < 1_500
        return
    for key, table in entry.tables.items():
        content = CONTENT if name == "toy" else small(name, key)[1] if (name, key) in QUICK and MIRROR.is_dir() else {}
        try:
            frame = readers.parse(entry, key, {path: content.get(path, b"") for path in table.files})
        except CourseError as error:
            assert str(error).startswith(f"{name}, table {key}") and len(str(error)) < 1_500
        else:
            assert isinstance(frame, pd.DataFrame)


MIRROR = Path(os.environ.get("COURSE_DATA_MIRROR") or "-")
QUICK = [
    ("bank_marketing", "bank"), ("banking77", "messages"), ("cfbenchmark_zh", "news"), ("clinc150", "questions"),
    ("credit_data", "applicants"), ("fama_french", "momentum"), ("fama_french", "industries5"), ("finfe_zh", "posts"),
    ("financial_phrasebank", "agree_all"), ("fiqa", "headlines"), ("fomc_hawkish_dovish", "sentences"),
    ("free_spoken_digit", "recordings"), ("german_credit", "applicants"), ("lean_equity", "aig"),
    ("mnist_test", "digits"), ("online_retail", "lines"), ("option_chains", "quotes"),
    ("polish_bankruptcy", "companies"), ("shiller_sp500", "months"), ("skfolio", "index"), ("sms_spam", "messages"),
    ("sp500_ohlcv", "gspc"), ("sroie_receipts", "receipts"), ("sroie_receipts", "lines"), ("treasury_h15", "yields"),
]  # fmt: skip
"""A table for every reader and every way to pack a file."""


def shrink(path: str, raw: bytes) -> bytes:
    """The beginning of a file, packed as the whole is."""
    if path.endswith((".zip", ".tar.gz")):
        return repack(raw, lambda members: {name: shrink(name, inner) for name, inner in list(members.items())[:3]})
    if path.endswith(".gz"):
        whole = gzip.decompress(raw)
        if "idx" not in path:
            return gzip.compress(shrink(path[:-3], whole), 1)
        head, width = (16, 784) if "idx3" in path else (8, 1)
        return gzip.compress(whole[:4] + struct.pack(">i", 20) + whole[8 : head + 20 * width], 1)
    if path.endswith(".json") and "key/" not in path:
        whole = json.loads(raw)
        few = whole[:20] if isinstance(whole, list) else dict(list(whole.items())[:20])
        if isinstance(few, dict):
            few = {key: value[:20] if isinstance(value, list) else value for key, value in few.items()}
        return json.dumps(few).encode()
    return raw if path.endswith((".jpg", ".json", ".wav", ".arrow", ".xlsx")) else b"".join(raw.splitlines(True)[:110])


def repack(raw: bytes, change) -> bytes:
    """A zip or tar.gz with its members (bytes by name) changed."""
    out = io.BytesIO()
    if raw[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(out, "w") as new:
            for name, inner in change({name: old.read(name) for name in old.namelist()[:400]}).items():
                new.writestr(name, inner)
    else:
        with (
            tarfile.open(fileobj=io.BytesIO(raw)) as old,
            tarfile.open(
                fileobj=out,
                mode="w:gz",
            ) as new,
        ):
            files = [each for each in old.getmembers() if each.isreg() and each.name.endswith((".wav", ".csv"))][:400]
            for name, inner in change({each.name: old.extractfile(each).read() for each in files}).items():
                head = tarfile.TarInfo(name)
                head.size = len(inner)
                new.addfile(head, io.BytesIO(inner))
    return out.getvalue()


@functools.cache
def small(name: str, key: str) -> tuple[catalogue.Dataset, dict[str, bytes]]:
    """The beginnings of a table's files, and the set as it would be described if there were no more."""
    entry = datasets.info(name)
    table = entry.tables[key]
    paths = [path for path in table.files if name != "sroie_receipts" or Path(path).stem in ("000", "001")]
    content = {path: shrink(path, (MIRROR / entry.file(path).mirror).read_bytes()) for path in paths}
    if "parts" in table.options:
        table = dataclasses.replace(table, options=table.options | {"parts": table.options["parts"][: len(paths)]})
    frame = readers._steps(readers.READERS[table.reader](content, table), table)
    columns = {
        column: dataclasses.replace(wanted, missing=int(frame[column].isna().sum()))
        for column, wanted in table.columns.items()
    }
    ends = {"first": frame.index[0].date(), "last": frame.index[-1].date()} if table.first else {}
    table = dataclasses.replace(table, files=tuple(paths), rows=len(frame), columns=columns, **ends)
    return dataclasses.replace(entry, tables={key: table}), content


@pytest.mark.parametrize(("name", "key"), QUICK)
def test_the_beginnings_of_the_files_are_read(name, key):
    if not MIRROR.is_dir():
        pytest.skip("no COURSE_DATA_MIRROR")
    entry, content = small(name, key)
    assert len(readers.parse(entry, key, content)) == entry.tables[key].rows > 0


@st.composite
def mangled_bytes(draw, raw: bytes) -> bytes:
    where, length = draw(st.integers(0, len(raw))), draw(st.integers(0, 40))
    odd = draw(st.one_of(st.binary(max_size=12), WORDS.map(lambda word: word.encode("utf-8", "surrogatepass"))))
    return draw(
        st.sampled_from([
            raw[:where],
            raw[:where] + raw[where + length :],
            raw[:where] + odd + raw[where + length :],
            raw[:where] + odd + raw[where:],
            raw + raw[where : where + length],
            raw[:where] + raw[where : where + length] * 3 + raw[where:],
            odd,
        ])
    )  # fmt: skip


@st.composite
def mangled_files(draw) -> tuple[catalogue.Dataset, str, dict[str, bytes]]:
    name, key = draw(st.sampled_from(QUICK))
    entry, content = small(name, key)
    path = draw(st.sampled_from(sorted(content)))
    raw = content[path]

    def member(members: dict[str, bytes]) -> dict[str, bytes]:
        one = draw(st.sampled_from(sorted(members)))
        packed = members[one][:2] == b"PK"
        return members | {one: repack(members[one], member) if packed else draw(mangled_bytes(members[one]))}

    if draw(st.booleans()) or not path.endswith((".zip", ".gz", ".xlsx")):
        changed = draw(mangled_bytes(raw))
    elif path.endswith((".zip", ".tar.gz", ".xlsx")):
        changed = repack(raw, member)
    else:
        changed = gzip.compress(draw(mangled_bytes(gzip.decompress(raw))), 1)
    return entry, key, content | {path: changed}


@pytest.mark.skipif(not MIRROR.is_dir(), reason="no COURSE_DATA_MIRROR")
@given(st.data())
def test_a_mangled_data_file_is_a_frame_or_one_error(data):
    entry, key, content = data.draw(mangled_files())
    try:
        frame = readers.parse(entry, key, content)
    except DataError as error:
        assert str(error).startswith(f"{entry.name}, table {key} (") and len(str(error)) < 1_500
    else:
        assert len(frame) == entry.tables[key].rows and list(frame) == list(entry.tables[key].columns)


def test_a_day_that_is_a_time_is_refused():
    document = tomllib.loads(TOY)
    document["tables"]["rows"] |= {"first": datetime(2020, 1, 1), "last": date(2020, 1, 2)}
    with pytest.raises(CourseError, match=r"tables\.rows\.first must be a day"):
        catalogue.dataset(PATH, document)
