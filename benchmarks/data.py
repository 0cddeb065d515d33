"""`datasets.load`, warm and cold, against `pandas.read_csv` of the raw file with the same bytes in the disk cache."""

from __future__ import annotations

import gzip
import io
import os
import tempfile
import zipfile

import pandas as pd

from benchmarks.harness import Result, compare, once
from helpers import datasets
from helpers.datasets import sources
from helpers.errors import CourseError


def _inside(raw: bytes, *members: str) -> io.BytesIO:
    """A file in a zip, or in a zip in a zip."""
    for member in members:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            raw = archive.read(member)
    return io.BytesIO(raw)


READ = {  # how a user would open the raw file of a set's first table
    "german_credit": lambda raw: pd.read_csv(io.BytesIO(raw), sep=" ", header=None),
    "bank_marketing": lambda raw: pd.read_csv(
        _inside(raw, "bank-additional.zip", "bank-additional/bank-additional-full.csv"), sep=";"
    ),
    "treasury_h15": lambda raw: pd.read_csv(io.BytesIO(raw), skiprows=5, na_values=["ND"]),
    "skfolio": lambda raw: pd.read_csv(io.BytesIO(gzip.decompress(raw))),
    "fama_french": lambda raw: pd.read_csv(
        _inside(raw, "F-F_Research_Data_Factors_daily.csv"), skiprows=4, on_bad_lines="skip"
    ),
}


def run() -> list[Result]:
    """Every set at hand whose first table is a plain CSV or stands in READ, one result each."""
    results = []
    for name in datasets.names():
        entry = datasets.info(name)
        files = next(iter(entry.tables.values())).files if entry.tables else ()
        if name not in READ and not (files and all(file.endswith(".csv") for file in files)):
            continue
        try:
            origin = datasets.load(name).attrs["origin"]
        except CourseError:
            origin = "missing"
        if origin != "real":
            print(f"  skipped: {name} is not at hand")
            continue
        paths = [sources.locate(entry, entry.file(f)) for f in files]
        read = READ.get(name, lambda raw: pd.read_csv(io.BytesIO(raw), header=None, low_memory=False))

        def raw(paths=paths, read=read) -> list[pd.DataFrame]:
            return [read(path.read_bytes()) for path in paths]

        result = compare(name, {"ours": lambda name=name: datasets.load(name), "pandas.read_csv": raw}, rows=entry.rows)
        result.goal(
            "SHA-256, parsing, every column checked: ≤ 0.2 s more", result.slower_by("pandas.read_csv"), high=0.2
        )
        result.notes.append(f"cold (fetched from the mirror, verified, parsed, checked): {1e3 * _cold(name):.0f} ms")
        results.append(result)
    return results


def _cold(name: str) -> float:
    """Seconds of a first load into an empty cache."""
    before = os.environ.get("COURSE_DATA_DIR")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COURSE_DATA_DIR"] = folder
        try:
            return once(lambda: datasets.load(name))
        finally:
            del os.environ["COURSE_DATA_DIR"]
            if before is not None:
                os.environ["COURSE_DATA_DIR"] = before
