"""Data sets when things go wrong, for real: a server that cuts, lies and stalls, kills, full and read-only disks."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from helpers import datasets
from helpers.datasets import catalogue, sources
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
    """Make two servers UCI and GitHub, in a copy of the set's file."""

    def use(uci, github):
        text = (catalogue.SETS / "german_credit.toml").read_text(encoding="utf-8")
        text = text.replace("https://archive.ics.uci.edu", uci.url if uci else "http://127.0.0.1:9")
        text = text.replace("https://raw.githubusercontent.com", github.url if github else "http://127.0.0.1:9")
        (tmp_path / "german_credit.toml").write_text(text, encoding="utf-8")
        monkeypatch.setattr(catalogue, "SETS", tmp_path)

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


@pytest.mark.parametrize("fault", ["drip", "drip headers", "always about to"])
def test_a_dripping_server_is_given_up(fault, serve, at_mirror, offline, monkeypatch, capsys):
    monkeypatch.setattr(sources, "GRACE", 0.3)
    monkeypatch.setattr(sources, "SLOWEST", 1_000_000)
    at_mirror(serve(then=fault))
    start = time.perf_counter()
    assert datasets.load("german_credit").attrs["origin"] == "simulated"
    assert "mirror: too slow" in capsys.readouterr().out
    assert time.perf_counter() - start < 5 and left_in(offline) == []
    with pytest.raises(DataError, match=r"could not be fetched .*mirror: too slow"):
        datasets.fetch("german_credit")


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


def test_bytes_count_and_not_what_a_header_says_of_them(serve, at_mirror):
    at_mirror(serve("length abc"))
    assert datasets.load("german_credit").attrs["origin"] == "real"


@pytest.mark.parametrize("fault", ["gzip without end", "half a gzip"])
def test_a_compressed_answer_is_bounded_and_checked(fault, serve, at_mirror, offline):
    at_mirror(serve(then=fault))
    with pytest.raises(DataError, match="tampered with: mirror gave"):
        datasets.load("german_credit")
    assert left_in(offline) == []


REDIRECTS = [
    ("file:///etc/passwd", "mirror: leads from http to an address that is not http"),
    ("ftp://127.0.0.1/german.data", "mirror: leads from http to an address that is not http"),
    ("data:,1", "mirror: leads from http to an address that is not http"),
    ("", "mirror: redirects without end"),
    ("/german_credit/german.data", "mirror: redirects without end"),
    ("http://[::1", "mirror: not usable"),
    ("http://127.0.0.1:99999/german.data", "mirror: not usable"),
]


@pytest.mark.parametrize(("to", "cause"), REDIRECTS)
def test_an_odd_redirect_is_not_followed(to, cause, serve, at_mirror, offline):
    server = serve(then=f"to {to}")
    at_mirror(server)
    with pytest.raises(DataError, match=f"could not be fetched .*{cause}"):
        datasets.fetch("german_credit")
    assert len(server.paths) <= 2 * (sources.REDIRECTS + 1) and left_in(offline) == []


def test_a_good_redirect_is_followed(serve, at_mirror):
    there = serve()
    at_mirror(serve(then=f"to {there.url}/german_credit/german.data"))
    assert datasets.load("german_credit").attrs["origin"] == "real"
    assert there.paths == ["/german_credit/german.data"]


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificate")
def test_https_is_not_left_for_http(serve, at_mirror, offline, tmp_path, monkeypatch):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    new += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(new, check=True, capture_output=True)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    plain, safe = serve(), serve()
    safe.encrypt(certificate, key)
    at_mirror(safe)
    assert datasets.load("german_credit").attrs["origin"] == "real", "https itself works"
    (offline / "german_credit" / "german.data").unlink()
    safe.then = f"to {plain.url}/german_credit/german.data"
    with pytest.raises(DataError, match="mirror: leads from https to an address that is not https"):
        datasets.fetch("german_credit")
    assert plain.paths == []


def test_a_mirrors_password_is_never_shown(serve, offline, monkeypatch, capsys):
    port = serve(then="404").server_port
    shown = {
        f"http://me:secret@127.0.0.1:{port}/here?key=secret": f"http://127.0.0.1:{port}/here",
        f"http://me:?/secret@127.0.0.1:{port}": "http:…",
        f"http://me:1@/secret@127.0.0.1:{port}/?key=@secret": "http:…",
        "HTTP://me:secret@127.0.0.1:9": "HTTP://127.0.0.1:9",
        "ftp://me:secret@127.0.0.1/here": "ftp://127.0.0.1/here",
        "https:/me:secret@127.0.0.1": "https:/127.0.0.1",
    }
    for address, clear in shown.items():
        monkeypatch.setenv("COURSE_DATA_MIRROR", address)
        assert datasets.source() == f"mirror {clear}, then the publishers"
        datasets.load("german_credit")
        with pytest.raises(DataError, match="mirror: ") as caught:
            datasets.fetch("german_credit")
        assert "secret" not in capsys.readouterr().out + str(caught.value)


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


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def flagged(archive: bytes, local: int, central: int, value: bytes) -> bytes:
    """A zip with a field of its only member changed in both of its headers."""
    raw, start = bytearray(archive), archive.index(b"PK\x01\x02")
    raw[local : local + 2] = raw[start + central : start + central + 2] = value
    return bytes(raw)


ONE = zipped({"german.data": bytes(1_000)})
ZIPS = {
    "an encrypted member": (flagged(ONE, 6, 8, b"\x01\0"), "encrypted"),
    "an unknown compression": (flagged(ONE, 8, 10, b"\x63\0"), "not supported"),
    "an unknown member": (zipped({"other": b"1"}), "no item named"),
    "no zip": (b"PK" + bytes(100), "not a zip"),
    "damaged pieces": (ONE[:45] + b"\xff" * 4 + ONE[49:], "cannot be read"),
    "a bomb": (zipped({"german.data": bytes(50_000_000)}), "more than 79,793 bytes"),
    "a way out": (zipped({"../../german.data": b"1", "german.data": b"2"}), "SHA-256"),
}


@pytest.mark.parametrize(("archive", "cause"), ZIPS.values(), ids=ZIPS)
def test_a_zip_of_the_right_hash_that_is_wrong_inside(archive, cause, serve, offline, tmp_path):
    server = serve()
    server.root = tmp_path
    (tmp_path / "german.zip").write_bytes(archive)
    entry = datasets.info("german_credit")
    place = {"url": f"{server.url}/german.zip", "sha256": hashlib.sha256(archive).hexdigest(), "member": "german.data"}
    file = dataclasses.replace(entry.file("german.data"), urls=(), archive=place)
    with pytest.raises(DataError, match=rf"german\.data has changed .*{cause}"):
        sources.obtain(entry, file)
    assert left_in(offline) == []


# ------------------------------------------------------------------------------------------------------------ the cache


def pipe(path):
    os.mkfifo(path)


def sparse(path):
    with open(path, "wb") as file:
        file.truncate(2_500_000_000)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
@pytest.mark.parametrize("make", [pipe, sparse, lambda path: path.symlink_to("/dev/zero"), lambda path: path.mkdir()])
@pytest.mark.parametrize("where", ["cache", "mirror"])
def test_only_a_regular_file_of_the_right_size_is_read(make, where, serve, at_mirror, offline, tmp_path, monkeypatch):
    folder = {"cache": offline, "mirror": tmp_path / "mirror"}[where] / "german_credit"
    folder.mkdir(parents=True)
    make(folder / "german.data")
    tracemalloc.start()
    if where == "cache":
        assert datasets.verify("german_credit")["german.data"] == "corrupt"
        at_mirror(serve())
        if (folder / "german.data").is_dir():
            with pytest.raises(DataError, match=r"Could not write .*german\.data"):
                datasets.load("german_credit")
        else:
            assert datasets.load("german_credit").attrs["origin"] == "real", "replaced"
    else:
        monkeypatch.setenv("COURSE_DATA_MIRROR", str(folder.parent))
        with pytest.raises(DataError, match=r"mirror(:| gave) (not a regular file|more than 79,793|Is a directory)"):
            datasets.fetch("german_credit")
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_nothing_that_lies_beside_the_files_is_believed(serve, at_mirror, offline):
    """A forged table in the place where an older version kept parsed ones."""
    at_mirror(serve())
    real = datasets.load("german_credit")
    (offline / "german_credit" / ".applicants.table").write_bytes(b"forged" * 1_000)
    pd.testing.assert_frame_equal(datasets.load("german_credit"), real)


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


@pytest.mark.parametrize("setting", ["COURSE_DATA_DIR", "COURSE_DATA_MIRROR"])
def test_a_home_that_is_not_there_is_named(setting, offline, monkeypatch):
    monkeypatch.setenv(setting, "~nobody-of-that-name/data")
    with pytest.raises(DataError, match=f"{setting} names the home of a user who is not there: '~nobody"):
        datasets.load("vix")


def test_a_mirror_that_cannot_be_looked_at(offline, monkeypatch):
    monkeypatch.setenv("COURSE_DATA_MIRROR", "x" * 5_000)
    with pytest.raises(DataError, match="mirror: File name too long") as caught:
        datasets.fetch("german_credit")
    assert len(str(caught.value)) < 600


@pytest.mark.skipif(os.name == "nt", reason="sends a signal as Unix does")
def test_a_fetch_can_be_interrupted(serve, at_mirror, offline):
    server = serve(then="stall")
    at_mirror(server)
    # a shell's background job ignores Ctrl-C, and so would all that it starts
    process = python(LOAD, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    assert server.half_sent.wait(60)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in error and left_in(offline) == []


def test_fetching_says_that_nothing_was_reached(offline):
    with pytest.raises(DataError, match=r"vix-daily\.csv could not be fetched .*no connection"):
        datasets.fetch("vix")
    with pytest.raises(DataError, match="no public address has these bytes"):
        datasets.fetch("online_retail")


def test_the_card_set_has_no_stand_in_for_its_whole(offline):
    with pytest.raises(DataError, match=r"151 MB.*course data fetch ulb_creditcard.*allow_sample=True"):
        datasets.load("ulb_creditcard")
