"""The catalogue: complete, honest about licences and addresses, and its short form read as meant."""

import re
import subprocess
import sys
from datetime import date

import pytest

from helpers import datasets
from helpers.datasets import catalogue
from helpers.datasets.catalogue import Column
from helpers.errors import CourseError

NAMES = datasets.names()
CARDS = catalogue.SETS.parent / "cards"


def test_every_set_has_a_file_and_a_card_and_nothing_lies_beside_them():
    assert {path.name for path in catalogue.SETS.iterdir()} == {"README.md", *(f"{name}.toml" for name in NAMES)}
    assert sorted(path.stem for path in CARDS.iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_entry_is_complete(name):
    entry = datasets.info(name)
    for text in (entry.title, entry.page, entry.licence, entry.citation):
        assert text.strip()
    assert entry.page.startswith("https://") and entry.faults and entry.rows > 0 and entry.columns > 0
    assert re.search(r"https://", entry.citation), "a citation names a DOI, arXiv id or address"
    assert entry.bytes == sum(file.bytes for file in entry.files if not file.sample) > 0
    for file in entry.files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256) and file.bytes > 0
        assert ".." not in file.path and not file.path.startswith("/") and file.mirror.endswith(file.path)
        for url in (*file.urls, *([file.archive["url"]] if file.archive else [])):
            assert url.startswith("https://")
            assert not re.search(r"raw\.githubusercontent\.com/[^/]+/[^/]+/(main|master|HEAD)/", url), "not pinned"


@pytest.mark.parametrize("name", NAMES)
def test_a_file_has_an_address_or_the_catalogue_says_that_it_has_none(name):
    entry = datasets.info(name)
    for file in entry.files:
        assert file.urls or file.archive or "no public address has these bytes" in entry.note


@pytest.mark.parametrize("name", NAMES)
def test_addresses_whose_bytes_change_are_never_tried(name):
    entry = datasets.info(name)
    assert not set(entry.live) & {url for file in entry.files for url in file.urls}


def test_what_may_not_be_passed_on():
    for name in ("fama_french", "sp500_ohlcv", "vix", "skfolio", "cc_general", "sroie_receipts"):
        assert not datasets.info(name).redistribute
    assert datasets.info("german_credit").redistribute


def test_tables_point_at_files_and_have_columns():
    for name in NAMES:
        entry = datasets.info(name)
        for table in entry.tables.values():
            assert all(entry.file(path) for path in table.files)
            assert table.rows > 0 and table.columns and (table.first is None) == (table.last is None)


def test_short_form_of_columns():
    columns = catalogue._columns(
        "columns",
        """
a b: float64 -1.5..2e3, 7 missing
v1..3 pixel_08..10: uint8 0..255
word: text
gap: text, 3 missing
when: time 2010-12-01..2011-12-09
level: one | two,
    or three | four
""",
    )
    number = Column("float64", -1.5, 2000.0, 7)
    assert columns["a"] == columns["b"] == number
    assert list(columns)[2:8] == ["v1", "v2", "v3", "pixel_08", "pixel_09", "pixel_10"]
    assert columns["word"] == Column("text") and columns["gap"] == Column("text", missing=3)
    assert columns["when"] == Column("time", date(2010, 12, 1), date(2011, 12, 9))
    assert columns["level"].levels == ("one", "two, or three", "four")


def test_unknown_names_are_answered_with_close_ones():
    with pytest.raises(CourseError, match="german_credit"):
        datasets.info("german_credits")
    with pytest.raises(CourseError, match=r"Did you mean prices"):
        datasets.load("skfolio", "price")


def test_importing_the_room_is_light():
    code = (
        "import sys, time; start = time.perf_counter(); import helpers.datasets as d; d.info('vix');"
        "print(time.perf_counter() - start, *{'pandas', 'numpy', 'requests', 'tqdm'} & set(sys.modules))"
    )
    seconds, *heavy = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not heavy
    assert float(seconds) < 0.5, "about 0.03 s on an idle machine"
