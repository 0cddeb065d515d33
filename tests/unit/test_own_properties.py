"""Whatever a file of one's own holds: a number comes back as it was written or not at all, and errors are clear."""

import contextlib
import csv
import io

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from helpers import datasets
from helpers.errors import CourseError

N = 200
OUTCOME = [i % 2 for i in range(N)]
NAMES = st.text(st.characters(codec="cp1252", exclude_characters="\x00"), min_size=1, max_size=12)
STYLES = st.fixed_dictionaries(
    {
        "places": st.sampled_from([3, 0, 1, 2, 4]),
        "least": st.sampled_from([1.0, 1_000.0, 0.0]),
        "size": st.sampled_from([9.0, 2e3, 5e6, 1.0]),
        "grouped": st.booleans(),
        "trimmed": st.booleans(),
        "unit": st.sampled_from(["{}", "{} €", "€ {}", "${}", "{}%", "£{}", "{} "]),
        "gaps": st.sampled_from([0.0, 0.1, 0.9]),
        "words": st.sampled_from([0, 0, 3, 100]),
        "negative": st.booleans(),
    }
)
FILES = st.fixed_dictionaries(
    {
        "separator": st.sampled_from(",;\t|"),
        "decimal": st.sampled_from(".,"),
        "end": st.sampled_from(["\n", "\r\n", "\r"]),
        "encoding": st.sampled_from(["utf-8", "utf-8-sig", "cp1252"]),
        "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
        "told": st.booleans(),
    }
)


def written(value: float, style: dict, decimal: str) -> str:
    """A number as a person or a program would write it in that style."""
    text = f"{value:{',' if style['grouped'] else ''}.{style['places']}f}"
    if style["trimmed"] and "." in text:
        text = text.rstrip("0").rstrip(".")
    if decimal == ",":
        text = text.translate(str.maketrans(".,", ",."))
    return style["unit"].format(text)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("own") / "own.csv"


def read(place, content: bytes, **options):
    place.write_bytes(content)
    with contextlib.redirect_stdout(io.StringIO()):
        return datasets.read_own(place, **options)


@given(FILES, st.lists(STYLES, min_size=1, max_size=3), NAMES, st.integers(0, 2**32 - 1))
def test_a_number_comes_back_as_itself_or_not_at_all(place, file, styles, name, seed):
    rng = np.random.default_rng(seed)
    columns, texts = {}, {}
    for i, style in enumerate(styles):
        values = np.round(style["least"] + rng.random(N) * style["size"], style["places"])
        if style["negative"]:
            values = values * rng.choice([-1.0, 1.0], N)
        cells = [written(value, style, file["decimal"]) for value in values]
        for row in np.flatnonzero(rng.random(N) < style["gaps"]):
            cells[row], values[row] = "", np.nan
        for row in rng.choice(N, style["words"], replace=False):
            cells[row], values[row] = "unknown", np.nan
        columns[f"{name.strip()} {i}"], texts[f"{name.strip()} {i}"] = values, cells
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=file["separator"], lineterminator=file["end"], quoting=file["quoting"])
    writer.writerow([*columns, "default"])
    writer.writerows(zip(*texts.values(), OUTCOME, strict=True))
    options = {"decimal": file["decimal"]} if file["told"] else {}
    try:
        frame = read(place, buffer.getvalue().encode(file["encoding"]), keep=list(columns), **options)
    except CourseError as problem:
        event("refused")
        assert len(str(problem)) < 1_000
        return
    event("read")
    assert frame["default"].tolist() == OUTCOME
    for column in frame.columns.drop("default"):
        found, wanted = frame[column], columns[column]
        if found.dtype == "float64":
            known = found.notna().to_numpy()
            np.testing.assert_allclose(found[known], wanted[known], rtol=1e-12, atol=0, err_msg=column)
        else:
            assert set(found.dropna()) <= {cell.strip() for cell in texts[column]}


@given(st.binary(max_size=300), st.sampled_from([b"", b"a,default\n", b"a;b;default\r\n", b'"a"\tdefault\r']),
       st.integers(0, 300))  # fmt: skip
def test_random_bytes_end_in_a_frame_or_a_clear_error(place, noise, header, rows):
    separator = next((s for s in b",;\t" if bytes([s]) in header), 44)
    lines = b"".join(bytes([48 + i % 7, separator, 48 + i % 2, 10]) for i in range(rows))
    for content in (header + noise, header + lines + noise, header + noise + b"\n" + lines):
        try:
            frame = read(place, content)
        except CourseError as problem:
            assert len(str(problem)) < 1_000
        else:
            assert frame.columns[-1] == "default" and set(frame["default"]) == {0, 1}
