"""A table that is kept after parsing comes back the same, and only while nothing it was made from has changed."""

import os

import pandas as pd
import pytest

from helpers import datasets
from helpers.datasets import parsed, parsers

SETS = [(name, table) for name in datasets.names() for table in datasets.info(name).tables]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path))
    return tmp_path


def real(name, table):
    try:
        frame = datasets.load(name, table, allow_sample=True)
    except datasets.DataError:
        pytest.skip("the whole file is not here")
    if frame.attrs["origin"] == "simulated":
        pytest.skip("no network and no mirror")
    return frame


@pytest.mark.parametrize(("name", "table"), SETS)
def test_the_kept_table_is_the_parsed_one(name, table, cache, monkeypatch):
    first = real(name, table)
    assert parsed.read(datasets.info(name), first.attrs["table"]) is not None
    monkeypatch.setattr(parsers, "parse", lambda *_: pytest.fail("parsed again"))
    second = datasets.load(name, table, allow_sample=True)
    pd.testing.assert_frame_equal(first, second, check_exact=True, check_freq=True)
    assert second.attrs == first.attrs


def test_a_kept_table_can_be_changed_without_harm(cache):
    frame = real("vix", "vix")
    frame.iloc[:, 0] = 0.0
    assert (datasets.load("vix")["open"] > 0).all()


@pytest.mark.parametrize("harm", [b"", b"\x80\x04", b"nonsense" * 100])
def test_a_damaged_kept_table_heals(harm, cache):
    first = real("vix", "vix")
    place = parsed._place(datasets.info("vix"), "vix")
    whole = place.read_bytes()
    for damage in (harm, whole[:8], whole[: len(whole) // 2], whole[:-1], whole[:3000] + b"~" + whole[3001:]):
        place.write_bytes(damage)
        pd.testing.assert_frame_equal(datasets.load("vix"), first)
        assert place.stat().st_size == len(whole)


def test_a_kept_table_is_not_used_for_a_file_that_changed(cache):
    real("vix", "vix")
    entry = datasets.info("vix")
    file = datasets.sources.locate(entry, entry.files[0])
    os.utime(file, ns=(1, 1))
    assert parsed.read(entry, "vix") is None
    file.write_bytes(file.read_bytes().replace(b"17.24", b"99.99"))
    assert datasets.load("vix")["close"].iloc[0] == 17.24  # the hash does not fit: fetched again
    file.unlink()
    assert parsed.read(entry, "vix") is None


def test_nothing_is_left_when_it_cannot_be_kept(cache, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    parsed.keep(datasets.info("vix"), "vix", pd.DataFrame({"open": [1.0]}))
    assert not list(cache.rglob("*.part"))
