"""Data sets when things go wrong, for real: a server that cuts, lies and stalls, kills, full and read-only disks."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from helpers import datasets
from helpers.datasets import catalogue, parsers, sources
from helpers.errors import DataError

LOAD = "from helpers import datasets; f = datasets.load('german_credit'); print(f.attrs['origin'], len(f))"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The same retries without the waits."""
    monkeypatch.setattr(sources, "BACKOFF", (0.0, 0.0))
    monkeypatch.setattr(sources, "_spare_folder", None)


@pytest.fixture
def at_mirror(monkeypatch, offline):
    """Make a server the mirror."""
    return lambda server: monkeypatch.setenv("COURSE_DATA_MIRROR", server.url)


@pytest.fixture
def publishers(monkeypatch, tmp_path, offline):
    """Make two servers UCI and GitHub, in a copy of the catalogue."""

    def use(uci, github):
        text = catalogue.CATALOGUE.read_text(encoding="utf-8")
        text = text.replace("https://archive.ics.uci.edu", uci.url if uci else "http://127.0.0.1:9")
        text = text.replace("https://raw.githubusercontent.com", github.url if github else "http://127.0.0.1:9")
        (tmp_path / "catalogue.toml").write_text(text, encoding="utf-8")
        monkeypatch.setattr(catalogue, "CATALOGUE", tmp_path / "catalogue.toml")

    return use


def left_in(cache: Path) -> list[str]:
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file())


def python(code: str, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


# ------------------------------------------------------------------------------------------------------ bad connections


def test_good_mirror_then_cache(serve, at_mirror, offline):
    server = serve()
    at_mirror(server)
    assert datasets.load("german_credit").attrs["origin"] == "real"
    assert datasets.load("german_credit").attrs["origin"] == "real"
    assert server.paths == ["/german_credit/german.data"], "the second load reads the cache"
    assert left_in(offline) == ["german_credit/german.data"]


@pytest.mark.parametrize("fault", ["cut", "500"])
def test_a_passing_fault_is_retried(fault, serve, at_mirror, offline):
    server = serve(fault, fault)
    at_mirror(server)
    assert datasets.load("german_credit").attrs["origin"] == "real"
    assert len(server.paths) == 3
    assert left_in(offline) == ["german_credit/german.data"]


@pytest.mark.parametrize(
    ("fault", "cause"),
    [("cut", "connection cut"), ("404", "not found (404)"), ("500", "server error (500)"), ("stall", "timed out")],
)
def test_a_lasting_fault_ends_in_the_stand_in_which_says_why(
    fault, cause, serve, at_mirror, offline, monkeypatch, capsys
):
    monkeypatch.setattr(sources, "TIMEOUT", (2.0, 0.2))
    server = serve(then=fault)
    at_mirror(server)
    frame = datasets.load("german_credit")
    assert frame.attrs["origin"] == "simulated"
    banner = capsys.readouterr().out
    assert f"mirror: {cause}" in banner and "SIMULATED" in banner
    assert left_in(offline) == [], "nothing half-fetched stays"
    server.then = "good"
    server.release.set()
    assert datasets.load("german_credit").attrs["origin"] == "real", "healed"


def test_a_dripping_server_is_given_up(serve, at_mirror, offline, monkeypatch, capsys):
    monkeypatch.setattr(sources, "TIMEOUT", (2.0, 0.3))
    monkeypatch.setattr(sources, "SLOWEST", 1_000_000)
    at_mirror(serve(then="drip"))
    assert datasets.load("german_credit").attrs["origin"] == "simulated"
    assert "mirror: too slow" in capsys.readouterr().out
    assert left_in(offline) == []


@pytest.mark.parametrize("fault", ["wrong", "longer"])
def test_wrong_bytes_are_an_error_and_never_a_stand_in(fault, serve, at_mirror, offline):
    server = serve(then=fault)
    at_mirror(server)
    with pytest.raises(DataError, match=r"german\.data has changed or been tampered with: mirror gave") as error:
        datasets.load("german_credit")
    assert "course data fetch german_credit" in str(error.value)
    assert left_in(offline) == []
    assert len(server.paths) == 1, "asking again would not help"
    server.then = "good"
    assert datasets.load("german_credit").attrs["origin"] == "real"


@pytest.mark.parametrize("fault", ["404", "wrong", "cut", "stall"])
def test_the_next_source_helps(fault, serve, publishers, offline, monkeypatch):
    monkeypatch.setattr(sources, "TIMEOUT", (2.0, 0.2))
    uci, github = serve(then=fault), serve()
    publishers(uci, github)
    assert datasets.load("german_credit").attrs["origin"] == "real"
    assert uci.paths and github.paths[0].endswith("german-original.data")
    assert left_in(offline) == ["german_credit/german.data"]


def test_the_publishers_zip_is_the_last_way(serve, publishers, offline):
    uci = serve("404")  # the plain file; then the zip
    publishers(uci, None)
    assert datasets.load("german_credit").attrs["origin"] == "real"
    assert uci.paths[-1].endswith("statlog+german+credit+data.zip")
    assert left_in(offline) == ["german_credit/german.data"]


def test_a_changed_zip_is_refused(serve, publishers):
    publishers(serve("404", then="wrong"), None)
    with pytest.raises(DataError, match="gave a zip with SHA-256"):
        datasets.load("german_credit")


# ------------------------------------------------------------------------------------------------------------ the cache


@pytest.mark.parametrize("damage", [lambda raw: raw[:-100], lambda raw: b"", lambda raw: raw[:-1] + b"9"])
def test_a_damaged_cache_heals(damage, serve, at_mirror, offline):
    server = serve()
    at_mirror(server)
    datasets.load("german_credit")
    path = offline / "german_credit" / "german.data"
    good = path.read_bytes()
    path.write_bytes(damage(good))
    assert datasets.verify("german_credit")["german.data"] == "corrupt"
    assert datasets.load("german_credit").attrs["origin"] == "real"
    assert path.read_bytes() == good and len(server.paths) == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows does not replace a file that is open")
def test_a_file_is_replaced_and_never_written_over(serve, at_mirror, offline):
    at_mirror(serve())
    path = offline / "german_credit" / "german.data"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"old")
    with open(path, "rb") as reader:
        assert datasets.load("german_credit").attrs["origin"] == "real"
        assert reader.read() == b"old", "who has the old file open goes on reading the old file"
    assert path.stat().st_size == 79_793


def test_a_damaged_cache_without_any_source_is_one_clear_error(serve, at_mirror, offline, monkeypatch):
    at_mirror(serve())
    datasets.load("german_credit")
    path = offline / "german_credit" / "german.data"
    path.write_bytes(path.read_bytes()[:-100])
    monkeypatch.delenv("COURSE_DATA_MIRROR")
    with pytest.raises(DataError, match="is damaged in the cache") as error:
        datasets.load("german_credit")
    assert str(path) in str(error.value) and "course data fetch german_credit" in str(error.value)
    assert path.exists(), "kept: a reader may want to look"


def test_two_processes_fetch_at_once(serve, at_mirror, offline):
    server = serve("together", "together")
    at_mirror(server)
    both = [python(LOAD), python(LOAD)]
    answers = [process.communicate(timeout=60) for process in both]
    assert [out for out, _ in answers] == ["real 1000\n"] * 2, answers
    assert len(server.paths) == 2, "both were in the middle of it at the same time"
    assert left_in(offline) == ["german_credit/german.data"]
    assert datasets.verify("german_credit")["german.data"] == "ok"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_kill_in_the_middle_of_a_fetch(serve, at_mirror, offline):
    server = serve("stall")
    at_mirror(server)
    process = python(LOAD)
    assert server.half_sent.wait(60)
    parts = wait_for_part(offline, process)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    assert left_in(offline) == parts, "only the part file is left, the file itself never appeared"
    server.release.set()
    assert datasets.load("german_credit").attrs["origin"] == "real"
    assert left_in(offline) == ["german_credit/german.data"], "and the next fetch swept it"


def wait_for_part(cache: Path, process: subprocess.Popen) -> list[str]:
    """The part file's name, once the process has opened it (it does before it asks the server)."""
    (part,) = left_in(cache)
    assert part.endswith(".part") and f"~{process.pid}~" in part
    return [part]


def test_the_part_file_of_a_living_process_is_left_alone(serve, at_mirror, offline):
    at_mirror(serve())
    folder = offline / "german_credit"
    folder.mkdir(parents=True)
    node = sources.platform.node()
    mine, strange = folder / f".german.data~{node}~{os.getpid()}~x.part", folder / ".german.data~elsewhere~1~x.part"
    old = folder / ".german.data~elsewhere~1~y.part"
    for path in (mine, strange, old):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    datasets.load("german_credit")
    assert mine.exists() and strange.exists() and not old.exists()


@contextlib.contextmanager
def tmpfs(folder: Path, options: str):
    """A small file system of its own; skips where mounting is not allowed."""
    folder.mkdir(parents=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"may not mount a tmpfs: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


needs_mount = pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs, as Linux does")


@needs_mount
@pytest.mark.parametrize("over_http", [True, False])
def test_full_cache(over_http, serve, at_mirror, offline, mirror_folder, monkeypatch):
    if over_http:
        at_mirror(serve())
    else:
        monkeypatch.setenv("COURSE_DATA_MIRROR", str(mirror_folder))
    with tmpfs(offline, "size=48k"):
        with pytest.raises(DataError, match=r"No room for german\.data \(0\.1 MB\).*COURSE_DATA_DIR"):
            datasets.load("german_credit")
        assert left_in(offline) == []


@needs_mount
def test_read_only_cache(serve, at_mirror, offline, capsys):
    server = serve()
    at_mirror(server)
    with tmpfs(offline, "size=1m,ro"):
        assert datasets.load("german_credit").attrs["origin"] == "real"
        note = capsys.readouterr().out
        assert note.count("\n") == 1 and "cannot be written" in note and "COURSE_DATA_DIR" in note
        assert datasets.load("german_credit").attrs["origin"] == "real"
        assert capsys.readouterr().out == "" and len(server.paths) == 1, "kept for the session, said once"
        (path,) = [p for p in datasets.fetch("german_credit") if p.name == "german.data"]
        assert path.exists()


@pytest.mark.skipif(os.name == "nt", reason="file size limits are Unix's")
def test_quota(serve, at_mirror, offline):
    at_mirror(serve())
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000));"
    out, error = python(limit + LOAD).communicate(timeout=60)
    assert "DataError: No room for german.data" in error and out == ""
    assert left_in(offline) == []


def test_a_file_where_the_cache_should_be(serve, at_mirror, offline, capsys):
    at_mirror(serve())
    offline.write_text("in the way")
    assert datasets.load("german_credit").attrs["origin"] == "real"
    assert "cannot be written" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------------ nothing to be reached


def test_no_network_and_no_mirror(offline, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_RECORD", str(tmp_path / "record"))
    frames, banners = [], []
    for _ in range(2):
        frames.append(datasets.load("german_credit"))
        banners.append(capsys.readouterr().out)
    pd.testing.assert_frame_equal(*frames)
    assert banners[0] == banners[1], "the banner is the same on every run"
    assert frames[0].attrs["origin"] == "simulated" and frames[0].shape == (1000, 21)
    assert "STAND-IN DATA: german_credit / applicants is SIMULATED, not real" in banners[0]
    assert "archive.ics.uci.edu: no connection" in banners[0]
    assert "course data fetch german_credit" in banners[0]
    line = json.loads((tmp_path / "record").read_text().splitlines()[0])
    assert (line["origin"], line["sha256"]) == ("simulated", {})
    assert left_in(offline) == []


@pytest.mark.parametrize(("name", "table"), [("sp500_ohlcv", None), ("vix", None), ("skfolio", "prices")])
def test_the_sets_of_the_stock_notebook_have_stand_ins(name, table, offline, capsys):
    frame = datasets.load(name, table)
    assert frame.attrs["origin"] == "simulated" and isinstance(frame.index, pd.DatetimeIndex)
    assert "SIMULATED" in capsys.readouterr().out


def test_a_mirror_that_is_not_there_is_named(offline, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_DATA_MIRROR", str(offline / "nowhere"))
    assert datasets.load("vix").attrs["origin"] == "simulated"
    assert f"the folder {offline / 'nowhere'} is not there (COURSE_DATA_MIRROR)" in capsys.readouterr().out


def test_fetching_says_that_nothing_was_reached(offline):
    with pytest.raises(DataError, match=r"vix-daily\.csv could not be fetched .*no connection"):
        datasets.fetch("vix")
    with pytest.raises(DataError, match="no public address has these bytes"):
        datasets.fetch("online_retail")


def test_the_card_set_has_no_stand_in_for_its_whole(offline):
    with pytest.raises(DataError, match=r"151 MB.*course data fetch ulb_creditcard.*allow_sample=True"):
        datasets.load("ulb_creditcard")


# -------------------------------------------------------------------------------------------------------- damaged files


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
        parsers.parse(entry, table, cut)


def test_a_table_cut_at_a_line_names_the_rows(mirror_folder):
    entry, content = raw(mirror_folder, "sp500_ohlcv", "gspc")
    lines = content["GSPC.csv"].splitlines(keepends=True)
    with pytest.raises(DataError, match="has 24,113 rows instead of 24,114"):
        parsers.parse(entry, "gspc", {"GSPC.csv": b"".join(lines[:-1])})


EDITS = [  # set, table, what is replaced by what in one of its files, what the error must say
    ("sp500_ohlcv", "gspc", b"Close", b"Last", "has no column 'Close'"),
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
    ("banking77", "messages", b"category", b"intent", "has no column 'category'"),
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
        parsers.parse(entry, table, content)


def test_a_column_dropped_from_a_file_inside_zips(mirror_folder):
    entry, content = raw(mirror_folder, "bank_marketing", "bank")
    inner = zipfile.ZipFile(io.BytesIO(content["bank+marketing.zip"])).read("bank.zip")
    table = pd.read_csv(io.BytesIO(zipfile.ZipFile(io.BytesIO(inner)).read("bank.csv")), sep=";")
    packed = pack("bank.zip", pack("bank.csv", table.drop(columns="duration").to_csv(sep=";", index=False).encode()))
    with pytest.raises(DataError, match=r"bank_marketing, table bank .*: has no column 'duration'"):
        parsers.parse(entry, "bank", {"bank+marketing.zip": packed})
    packed = pack("bank.zip", pack("other.csv", b"a;b"))
    with pytest.raises(DataError, match=r"cannot be read .*bank\.csv"):
        parsers.parse(entry, "bank", {"bank+marketing.zip": packed})


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
        parsers.parse(datasets.info("online_retail"), "lines", content)


def test_a_tar_cannot_write_link_or_swell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parsers._untar(tar_gz({"../../evil.csv": b"x"}, link="b.csv"), 1 << 20) == {"../../evil.csv": b"x"}
    assert not list(tmp_path.iterdir()) and not (tmp_path.parent / "evil.csv").exists(), "nothing is written"
    bomb = {"online_retail_by_day.tar.gz": tar_gz({"zeros.csv": bytes(65 << 20)})}
    with pytest.raises(DataError, match="unpacks to more than 67,108,864 bytes"):
        parsers.parse(datasets.info("online_retail"), "lines", bomb)
    for damaged in (gzip.compress(b"no tar" * 200), b"no gzip"):
        with pytest.raises(DataError, match=r"online_retail, table lines .*: cannot be read"):
            parsers.parse(datasets.info("online_retail"), "lines", {"online_retail_by_day.tar.gz": damaged})


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
