"""A reader's own file, wrong in every way we could think of: one error each, with the cause and the next step."""

from __future__ import annotations

import itertools
import os
import re
import time

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
    with pytest.raises(DataError, match=re.escape(cause)) as caught:
        datasets.read_own(path, "default")
    message = str(caught.value)
    assert step in message, message
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


# ----------------------------------------------------------------------------------------- numbers as people write them


def read(path, cells, separator=";", quote="", others=(), **options):
    """Column a as it comes out of a file whose cells are these, in turn; columns of `others` stand beside it."""
    columns = [cells, *others]
    names = ["a", *(f"other{i}" for i in range(len(others))), "default"]
    lines = [
        separator.join([*(f"{quote}{column[row % len(column)]}{quote}" for column in columns), str(row // 7 % 2)])
        for row in range(N)
    ]
    return datasets.read_own(written(path / "f.csv", "\n".join([separator.join(names), *lines])), **options)["a"]


@pytest.mark.parametrize(
    ("cells", "values", "options"),
    [
        (["0,105", "1,105", "1,230"], [0.105, 1.105, 1.230], {}),
        (["1,105 €", "0,5 €"], [1.105, 0.5], {}),
        (["1,105 €", "12,50 €", "1.234,00 €"], [1.105, 12.5, 1234.0], {}),
        (["0,105", "2,250"], [0.105, 2.25], {"separator": ",", "quote": '"'}),
        (["1,105", "2,250"], [1.105, 2.25], {"others": [["0,5", "0,7"]]}),
        (["1,105", "2,250"], [1105, 2250], {"others": [["0.5", "0.7"]]}),
        (["1.105", "2.250"], [1105, 2250], {"others": [["0,5", "0,7"]]}),
        (["1,105", "2,250"], [1.105, 2.25], {"decimal": ","}),
        (["1,105", "2,250"], [1105, 2250], {"decimal": "."}),
        (["1,234,567", "1,105"], [1234567, 1105], {}),
        (["1.234.567", "1.105"], [1234567, 1105], {}),
        (["1'234.5", "12’345.25"], [1234.5, 12345.25], {}),
        (["1 234,567", "12\u202f345,2"], [1234.567, 12345.2], {}),
        (["−5", "- 7", "$-1.25", "-$1.5"], [-5, -7, -1.25, -1.5], {}),
        (["1e3", "2.5E-3", ".5", "3.", "1.234e3"], [1000, 0.0025, 0.5, 3, 1234], {}),
        (["1.234e3", "2.500e2"], [1234, 250], {}),
        (["007", "12"], [7, 12], {}),
        (["5 %", "7,5%"], [5, 7.5], {}),
    ],
)
def test_a_number_is_read_as_it_was_meant(cells, values, options, tmp_path):
    column = read(tmp_path, cells, **options)
    assert column.head(len(values)).tolist() == values and column.notna().all()


@pytest.mark.parametrize(
    ("cells", "message", "options"),
    [
        (["1,105", "2,250"], r"column 'a' can be read two ways: '1,105' is 1105 .* 1\.105 .*decimal=','", {}),
        (["1.105", "2.250"], r"column 'a' can be read two ways: '1\.105' is 1\.105 .* 1105 .*decimal='\.'", {}),
        (["1,105 €", "2,250 €"], "column 'a' can be read two ways: '1,105 €'", {}),
        (["1,105"], "two ways", {"separator": ",", "quote": '"'}),
        (["1,105", "2,250"], "two ways", {"others": [["0,5", "0,7"], ["0.5", "0.7"]]}),
        (["1,5", "2.5"], r"a decimal point in '2\.5' and a decimal comma in '1,5'.*leave_out=\['a'\]", {}),
        (["1,105"] * 59 + ["5,6"], "two ways", {}),  # one slip of the finger proves nothing for the others
        (["5 %", "0.05"], "mixes per cent and plain numbers", {}),
        (["€ 5", "$ 5"], r"mixes \$ and €", {}),
        (["1", "1e39"], r"column 'a' holds '1e39', more than a network.*3\.4e38", {}),
        (["1", "-" + "9" * 50], "more than a network", {}),
    ],
)
def test_a_number_that_could_be_another_is_refused(cells, message, options, tmp_path):
    with pytest.raises(DataError, match=message):
        read(tmp_path, cells, **options)


def test_a_column_of_two_minds_can_be_left_out(tmp_path):
    frame = good().assign(rate=np.where(np.arange(N) % 2, "1,5", "2.5"))
    path = written(tmp_path / "f.csv", frame)
    with pytest.raises(DataError, match="column 'rate' has a decimal point"):
        datasets.read_own(path)
    assert list(datasets.read_own(path, leave_out=["rate"])) == ["income", "job", "default"]


@pytest.mark.parametrize(
    ("cells", "note"),
    [(["inf", "-inf", ""], "every cell is empty or infinite"), (["  ", " "], "every cell is empty")],
)
def test_a_column_without_a_value_is_left_out(cells, note, tmp_path, capsys):
    path = written(tmp_path / "f.csv", good().assign(a=[cells[i % len(cells)] for i in range(N)]))
    assert "a" not in datasets.read_own(path)
    assert f"a: left out, {note}" in capsys.readouterr().out


def test_numbers_that_are_taken_as_words_are_said_to_be(tmp_path, capsys):
    read(tmp_path, ["1.5", "2.5", "3.5", "12.5-"])
    assert "a: taken as words, as 75 cells such as '12.5-' are no numbers" in capsys.readouterr().out


def test_infinite_cells_are_said_to_be_missing(tmp_path, capsys):
    frame = good()
    frame.loc[:4, "income"] = np.inf
    assert datasets.read_own(written(tmp_path / "f.csv", frame))["income"].isna().sum() == 5
    assert "income: text read as numbers, 5 infinite cells taken as missing" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------------- files of every kind


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_every_line_end_is_read(end, tmp_path):
    frame = datasets.read_own(written(tmp_path / "f.csv", good().to_csv(index=False).replace("\n", end)))
    assert len(frame) == N and frame["income"].tolist() == good()["income"].tolist()


def test_a_long_header_is_read_and_never_repeated_at_length(tmp_path, capsys):
    long = "x" * 200_000
    path = written(tmp_path / "f.csv", good().rename(columns={"income": long}))
    assert long in datasets.read_own(path)
    with pytest.raises(DataError, match="no column 'incme'") as caught:
        datasets.read_own(path, leave_out=["incme"])
    assert len(str(caught.value)) < 600
    path = written(tmp_path / "f.csv", good().rename(columns={"income": long}).assign(**{"y" * 200_000: "PT"}))
    datasets.read_own(path)
    assert len(capsys.readouterr().out) < 1_000


HUGE = {
    "target cells": (changed(default=["yes" * 2_000_000, *["no"] * (N - 1)]), "not 0 and 1"),
    "a constant": (good()[["default"]].assign(a="z" * 50_000), "no column is left"),
    "the first line": ("q" * 5_000_000, "not a CSV"),
    "two names": ("q" * 2_500_000 + ",a," + "q" * 2_500_000 + "\n1,2,3\n", "occurs more than once"),
    "a torn line": ("a,default\n1,2\n" + ",".join(["w" * 100] * 50_000), "not a clean CSV"),
}


@pytest.mark.parametrize(("content", "cause"), HUGE.values(), ids=HUGE)
def test_a_message_is_short_whatever_the_file_holds(content, cause, tmp_path):
    with pytest.raises(DataError, match=cause) as caught:
        datasets.read_own(written(tmp_path / "f.csv", content))
    assert len(str(caught.value)) < 1_000


def test_control_characters_of_a_file_do_not_reach_the_screen(tmp_path, capsys):
    datasets.read_own(written(tmp_path / "f.csv", good().assign(**{"\x1b]0;owned\x07": "PT"})))
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("names", ["a, a ,default", 'a,"a ",default', 'a, "a",default'])
def test_names_that_are_equal_after_stripping(names, tmp_path):
    with pytest.raises(DataError, match="'a' occurs more than once"):
        datasets.read_own(written(tmp_path / "f.csv", f"{names}\n" + "1,2,0\n" * 300))


def test_many_columns_are_looked_through_or_refused_at_once(tmp_path):
    many = ",".join(f"c{i}" for i in range(40_000))
    start = time.perf_counter()
    with pytest.raises(DataError, match="has 40,001 columns; up to 1,000"):
        datasets.read_own(written(tmp_path / "f.csv", f"{many},default\n" + "\n".join([",".join(["1"] * 40_001)] * 50)))
    assert time.perf_counter() - start < 5


def pipe(folder):
    os.mkfifo(folder / "f.csv")
    return folder / "f.csv"


def sparse(folder):
    with open(folder / "f.csv", "wb") as file:
        file.truncate(2_500_000_000)
    return folder / "f.csv"


PLACES = {
    "a pipe": (pipe, "not a regular file"),
    "a device": (lambda folder: "/dev/zero", "not a regular file"),
    "2.5 GB of nothing": (sparse, "more than 100,000,000 bytes"),
    "another's home": (lambda folder: "~nobody-of-that-name/f.csv", "home directory"),
    "a long path": (lambda folder: "x" * 5_000 + ".csv", "name too long"),
    "a file as a folder": (lambda folder: written(folder / "f.csv", "a") + "/f.csv", "Not a directory"),
    "a null character": (lambda folder: "f\0.csv", "null"),
    "a loop of links": (lambda folder: (folder / "l").symlink_to(folder / "l") or folder / "l", "symbolic links"),
    "a link to nowhere": (lambda folder: (folder / "l").symlink_to(folder / "no") or folder / "l", "There is no file"),
}


@pytest.mark.skipif(os.name == "nt", reason="these are Unix's")
@pytest.mark.parametrize(("place", "cause"), PLACES.values(), ids=PLACES)
def test_a_place_that_holds_no_file_to_read(place, cause, tmp_path):
    with pytest.raises(DataError, match=cause) as caught:
        datasets.read_own(place(tmp_path))
    assert len(str(caught.value)) < 600


@pytest.mark.skipif(os.name == "nt", reason="Unix's permissions")
def test_a_folder_that_may_not_be_opened(tmp_path):
    written(tmp_path / "f.csv", good())
    tmp_path.chmod(0)
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(65534)
        with pytest.raises(DataError, match="cannot be read \\(Permission denied\\)"):
            datasets.read_own(tmp_path / "f.csv")
    finally:
        if root:
            os.seteuid(0)
        tmp_path.chmod(0o700)


def test_an_address_is_no_path_and_its_password_is_not_repeated():
    with pytest.raises(DataError, match="address on the web") as caught:
        datasets.read_own("https://user:secret@example.org/f.csv")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"leave_out": "job"}, r"leave_out must be a list of column names, such as leave_out=\['job'\], not 'job'"),
        ({"leave_out": 5}, "leave_out must be a list"),
        ({"leave_out": [["job"]]}, "leave_out must be a list"),
        ({"leave_out": itertools.count()}, "leave_out must be a list"),
        ({"keep": b"job"}, "keep must be a list"),
        ({"keep": None}, "keep must be a list"),
        ({"target": 3}, "target must be the name of a column"),
        ({"target": ["default"]}, "target must be the name of a column"),
        ({"path": 5}, "path must be text"),
        ({"path": b"f.csv"}, "path must be text"),
        ({"path": None}, "path must be text"),
        ({"path": ["f.csv"]}, "path must be text"),
        ({"decimal": "comma"}, "decimal must be"),
        ({"decimal": ["."]}, "decimal must be '.' or ',', not a list"),
        ({"decimal": np.array([".", ","])}, "decimal must be '.' or ',', not a ndarray"),
        ({"leave_out": ["default"]}, "'default' is the target and in leave_out"),
        ({"leave_out": ["income"], "keep": ["jbo"]}, "no column 'jbo'.*Did you mean 'job'"),
    ],
)
def test_an_argument_of_the_wrong_kind(arguments, message, tmp_path):
    path = written(tmp_path / "f.csv", good())
    with pytest.raises(DataError, match=message):
        datasets.read_own(**{"path": path} | arguments)
