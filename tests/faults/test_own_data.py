"""A reader's own file, wrong in every way we could think of: one error each, with the cause and the next step."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from helpers import datasets
from helpers.errors import DataError

N = 300


def good(n: int = N) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "income": rng.lognormal(8, 0.5, n).round(2),
            "job": rng.choice(["clerk", "nurse", "driver"], n),
            "default": (rng.random(n) < 0.3).astype(int),
        }
    )


def written(path, content) -> str:
    if isinstance(content, pd.DataFrame):
        content.to_csv(path, index=False)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def changed(**columns) -> pd.DataFrame:
    return good().assign(**columns)


TARGETS = {
    "yes and no": (changed(default=np.where(good()["default"] == 1, "yes", "no")), "not 0 and 1", "astype"),
    "1 and 2": (changed(default=good()["default"] + 1), "not 0 and 1", "Write 1 for the outcome"),
    "three classes": (changed(default=np.arange(N) % 3), "not 0 and 1", "Choose one event"),
    "numbers": (changed(default=good()["income"]), "not 0 and 1", "Choose one event"),
    "one class": (changed(default=0), "is 0 in every row", "Add rows"),
    "missing outcomes": (
        changed(default=good()["default"].where(np.arange(N) > 4)),
        "missing in 5 of 300 rows",
        "Remove",
    ),
    "no outcomes": (changed(default=np.nan), "is empty", "Fill it"),
    "too few rows": (good().head(100), "has 100 rows", "at least 200"),
    "too few ones": (changed(default=(np.arange(N) < 20).astype(int)), "20 of the rarer outcome", "at least"),
    "no target": (good().drop(columns="default"), "no column 'default'", "Its columns: income, job"),
    "nearly": (good().rename(columns={"default": "Defaults"}), "no column 'default'", "Did you mean 'Defaults'"),
    "a leak": (changed(days_late=90 * good()["default"]), "'days_late' alone tells 'default'", "OWN_LEAVE_OUT"),
    "only the target": (good()[["default"]].assign(id=np.arange(N)), "no column is left", "Add columns"),
    "only useless columns": (
        good()[["default"]].assign(id=[f"C{i}" for i in range(N)], country="PT", gone=np.nan),
        "no column is left",
        "it is 'PT' in every row",
    ),
}
FILES = {
    "empty": (b"", "is empty", "export it once more"),
    "blank": (b" \n\n", "is empty", "export it once more"),
    "a spreadsheet": (b"PK\x03\x04" + bytes(100), "not a CSV", "save it as CSV"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), "not a CSV", "save it as CSV"),
    "a web page": (b"<!DOCTYPE html>, <html>; nothing", "not a CSV", "Save it"),
    "JSON": (b'{"default": 1, "a": 2}', "not a CSV", "Save it"),
    "prose": (b"Dear colleague\nhere is the file\n", "not a CSV", "Save it"),
    "a torn line": (b"a,default\n1,0\n2,1,7,8,9\n", "not a clean CSV", "line 3"),
    "cells without a name": (
        b"a,default\n" + b"1,2,0\n" * 300,
        "more cells than the header",
        "Give every column a name",
    ),
    "two columns of a name": (b"a,a,default\n" + b"1,2,0\n" * 300, "'a' occurs more than once", "Rename"),
    "only a header": (b"a,b,default\n", "the target 'default' is empty", "Fill it"),
}


@pytest.mark.parametrize(("content", "cause", "step"), [*TARGETS.values(), *FILES.values()], ids=[*TARGETS, *FILES])
def test_a_wrong_file_gets_one_error_with_cause_and_next_step(content, cause, step, tmp_path):
    path = written(tmp_path / "loans.csv", content)
    with pytest.raises(DataError) as caught:
        datasets.read_own(path, "default")
    message = str(caught.value)
    assert cause in message and step in message, message
    assert "loans.csv" in message and len(message) < 600


def test_a_file_that_is_not_there_names_the_place_and_a_near_name(tmp_path):
    written(tmp_path / "loans.csv", good())
    with pytest.raises(DataError, match=r"There is no file .*loan\.csv\. Did you mean loans\.csv\?"):
        datasets.read_own(tmp_path / "loan.csv")
    with pytest.raises(DataError, match="is a folder"):
        datasets.read_own(tmp_path)


def test_a_column_to_leave_out_must_exist(tmp_path):
    path = written(tmp_path / "loans.csv", good())
    with pytest.raises(DataError, match=r"no column 'jobs'.*Did you mean 'job'"):
        datasets.read_own(path, leave_out=["jobs"])


def test_a_leak_can_be_left_out_or_vouched_for(tmp_path):
    path = written(tmp_path / "loans.csv", TARGETS["a leak"][0])
    assert "days_late" not in datasets.read_own(path, leave_out=["days_late"])
    assert "days_late" in datasets.read_own(path, keep=["days_late"])
