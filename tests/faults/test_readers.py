"""The catalogue's readers on files that are cut, edited, packed wrongly or hostile: one DataError that says where."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from helpers import datasets
from helpers.datasets import catalogue, readers
from helpers.datasets.readers import archives
from helpers.errors import DataError


def raw(folder: Path, name: str, table: str) -> tuple[catalogue.Dataset, dict[str, bytes]]:
    entry = datasets.info(name)
    files = [entry.file(path) for path in entry.tables[table].files]
    return entry, {file.path: (folder / file.mirror).read_bytes() for file in files}


TABLES = [
    (name, table)
    for name in datasets.names()
    for table in datasets.info(name).tables
    if (name, table) != ("ulb_creditcard", "transactions")
]


@pytest.mark.parametrize(("name", "table"), TABLES)
@pytest.mark.parametrize("keep", [0.0, 0.001, 0.5])
def test_a_truncated_file(name, table, keep, mirror_folder):
    entry, content = raw(mirror_folder, name, table)
    cut = {path: whole[: int(len(whole) * keep)] for path, whole in content.items()}
    with pytest.raises(DataError, match=rf"^{name}, table {table} \(.*course data verify {name}"):
        readers.parse(entry, table, cut)


def test_a_table_cut_at_a_line_names_the_rows(mirror_folder):
    entry, content = raw(mirror_folder, "sp500_ohlcv", "gspc")
    lines = content["GSPC.csv"].splitlines(keepends=True)
    with pytest.raises(DataError, match="has 24,113 rows instead of 24,114"):
        readers.parse(entry, "gspc", {"GSPC.csv": b"".join(lines[:-1])})


EDITS = [  # set, table, what is replaced by what in one of its files, what the error must say
    ("sp500_ohlcv", "gspc", b"Close", b"Last", r"has no column 'close' \(found 'last' instead\)"),
    ("sp500_ohlcv", "gspc", b"Date,", b"Day,", "has no column 'Date'"),
    ("sp500_ohlcv", "gspc", b"17.65999984741211", b"n/k", "column 'open' is not a number in row 0: 'n/k'"),
    ("sp500_ohlcv", "gspc", b"1928-01-03", b"1928-13-03", "column 'Date' is not a date in row 1: '1928-13-03'"),
    ("sp500_ohlcv", "gspc", b"1928-01-03", b"1927-12-30", "dates that are missing, repeated or out of order"),
    ("sp500_ohlcv", "gspc", b"1927-12-30", b"1927-12-29", r"runs 1927-12-29\.\.2023-12-28 instead of 1927-12-30"),
    ("vix", "vix", b"17.240000\r", b"1724\r", r"column 'close' leaves 1\.\.100: it runs 9\.14\.\.1724"),
    ("vix", "vix", b"17.240000\r", b"\r", "column 'close' has 1 missing cells instead of 0"),
    ("vix", "vix", b"OPEN,HIGH", b"OPEN,TOP", "has no column 'HIGH'"),
    ("german_credit", "applicants", b"A11 6", b"A19 6", "'checking_status' has the unknown value 'A19'"),
    ("german_credit", "applicants", b"A11 6", b"A11 six", "column 'duration_months' is not a number in row 0: 'six'"),
    ("german_credit", "applicants", b" 1169 ", b" 1169.5 ", "column 'credit_amount' holds fractions"),
    ("taiwan_default", "clients", b"X5,", b"AGE,", "has no column 'X5'"),
    ("skfolio", "prices", b"MSFT", b"MSFX", r"has no column 'MSFT' \(found 'MSFX' instead\)"),
    ("cc_general", "customers", b"TENURE", b"MONTHS", r"has no column 'tenure' \(found 'months' instead\)"),
    ("bank_churners", "customers", b"Attrition_Flag", b"Attrited", "has no column 'Attrition_Flag'"),
    ("bank_churners", "customers", b"Existing Customer", b"Customer", "column 'churned' is not a number in row 0"),
    (
        "bank_churners",
        "customers",
        b"Total_Trans_Ct",
        b"Trans_Ct",
        r"has no column 'total_trans_ct' \(found 'trans_ct'",
    ),
    ("treasury_h15", "yields", b'Period","RIFLGFCM01_N.B', b'Period","DGS1MO', "has no column 'RIFLGFCM01_N.B'"),
    ("fama_french", "industries5", b"HiTec", b"Tech", "has no column 'hitec'"),
    ("banking77", "messages", b"card_arrival", b"card_lost", "column 'intent' has the unknown value 'card_lost'"),
    ("polish_bankruptcy", "companies", b"@attribute Attr2 ", b"@note Attr2 ", "has 65 columns for 64 attributes"),
    ("polish_bankruptcy", "companies", b"0.088238", b"0,088238", "has 66 columns for 65 attributes"),
    ("sms_spam", "messages", b"ham\tOk", b"ham Ok", r"has a line that does not split into 2 at '\\t'"),
    ("sms_spam", "messages", b"ham\tOk", b"egg\tOk", "column 'spam' is not a number in row 1: 'egg'"),
    ("finfe_zh", "posts", b", 2]", b", 3]", "column 'sentiment' has the unknown value '3'"),
    ("clinc150", "questions", b'"oos_val"', b'"oos_new"', "column 'split' has the unknown value 'oos_new'"),
    ("fiqa", "headlines", b"-0.374", b"-3.74", r"column 'sentiment_score' leaves -1\.\.1"),
    ("danish_fire", "losses", b"1.68374816983895", b"0.5", r"column 'loss' leaves 1\.\.270: it runs 0\.5"),
    ("shiller_sp500", "months", b"1871-02-01,4.5", b"1871-02-01,n/k", "column 'sp500' is not a number in row 1"),
    ("cfbenchmark_zh", "news", b"\xff\xff\xff\xff", b"\xff\xff\xff\xfe", "is not an Arrow stream at byte 0"),
    ("lean_equity", "aapl_factors", b"20000620", b"20001320", "column 'date' is not a date in row 1: '20001320'"),
    ("banking77", "messages", b"category", b"intent", "has no column 'category' in train.csv"),
]


@pytest.mark.parametrize(("name", "table", "old", "new", "message"), EDITS)
def test_an_edited_file(name, table, old, new, message, mirror_folder):
    entry, content = raw(mirror_folder, name, table)
    for path, whole in content.items():
        text = gzip.decompress(whole) if path.endswith(".gz") else whole
        if old in text:
            text = text.replace(old, new, 1)
            content[path] = gzip.compress(text) if path.endswith(".gz") else text
            break
    else:
        pytest.fail(f"{old!r} is in no file of {name}")
    with pytest.raises(DataError, match=message):
        readers.parse(entry, table, content)


def test_a_column_dropped_from_a_file_inside_zips(mirror_folder):
    entry, content = raw(mirror_folder, "bank_marketing", "bank")
    inner = zipfile.ZipFile(io.BytesIO(content["bank+marketing.zip"])).read("bank.zip")
    table = pd.read_csv(io.BytesIO(zipfile.ZipFile(io.BytesIO(inner)).read("bank.csv")), sep=";")
    packed = pack("bank.zip", pack("bank.csv", table.drop(columns="duration").to_csv(sep=";", index=False).encode()))
    with pytest.raises(DataError, match=r"bank_marketing, table bank .*: has no column 'duration'"):
        readers.parse(entry, "bank", {"bank+marketing.zip": packed})
    packed = pack("bank.zip", pack("other.csv", b"a;b"))
    with pytest.raises(DataError, match=r"cannot be read .*bank\.csv"):
        readers.parse(entry, "bank", {"bank+marketing.zip": packed})


RETAIL = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
LINE = "536365,85123A,HEART,6,2010-12-01 08:26:00,2.55,17850.0,France"


@pytest.mark.parametrize(
    ("days", "message"),
    [
        ([f"{RETAIL}\n{LINE}"], "has 1 rows instead of 541,909"),
        ([f"{RETAIL}\n{LINE}", f"{RETAIL.lower()}\n{LINE}"], "2 daily files with 2 different headers"),
        ([f"{RETAIL.replace('UnitPrice', 'Price')}\n{LINE}"], "has no column 'UnitPrice'"),
        ([f"{RETAIL}\n{LINE.replace('12-01', '13-01')}"], "column 'time' is not a date in row 0: '2010-13-01"),
        ([], "0 daily files"),
    ],
)
def test_daily_files_in_a_tar(days, message):
    members = {f"by-day/{i}.csv": text.encode() for i, text in enumerate(days)}
    content = {"online_retail_by_day.tar.gz": tar_gz(members)}
    with pytest.raises(DataError, match=message):
        readers.parse(datasets.info("online_retail"), "lines", content)


def test_a_tar_cannot_write_link_or_swell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert archives.untar(tar_gz({"../../evil.csv": b"x"}, link="b.csv"), ".csv") == {"../../evil.csv": b"x"}
    assert not list(tmp_path.iterdir()) and not (tmp_path.parent / "evil.csv").exists(), "nothing is written"
    bomb = {"online_retail_by_day.tar.gz": tar_gz({"zeros.csv": bytes(65 << 20)})}
    with pytest.raises(DataError, match="unpacks to more than 67,108,864 bytes"):
        readers.parse(datasets.info("online_retail"), "lines", bomb)
    for damaged in (gzip.compress(b"no tar" * 200), b"no gzip"):
        with pytest.raises(DataError, match=r"online_retail, table lines .*: cannot be read"):
            readers.parse(datasets.info("online_retail"), "lines", {"online_retail_by_day.tar.gz": damaged})


def tar_gz(members: dict[str, bytes], link: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for name, content in members.items():
            head = tarfile.TarInfo(name)
            head.size = len(content)
            tar.addfile(head, io.BytesIO(content))
        if link:
            head = tarfile.TarInfo(link)
            head.type, head.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(head)
    return buffer.getvalue()


def pack(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        zipped.writestr(name, content)
    return buffer.getvalue()
