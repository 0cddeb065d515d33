"""Bytes of a data set's file: from the cache, the mirror or the publisher, never used before their SHA-256 fits.

A file appears in the cache whole or not at all: it is written under another name in the same folder and then renamed,
so two processes may fetch at once and one may be killed at any moment.
"""

from __future__ import annotations

import atexit
import errno
import hashlib
import io
import os
import platform
import re
import secrets
import shutil
import stat
import sys
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

from helpers.datasets.catalogue import Dataset, File
from helpers.errors import DataError

TIMEOUT = (8.0, 20.0)  # seconds to connect, seconds between two pieces
GRACE, SLOWEST = 30.0, 10_000  # seconds that a source has, retries and all, and bytes that each further one must bring
BACKOFF = (0.5, 2.0)  # seconds before the second and the third try of the same address
NO_CONNECTION = "no connection"
REDIRECTS = 5
MAX_ARCHIVE = 64 << 20
USER_AGENT = "deep-learning-in-finance course (data fetch; python-requests)"


class Unreachable(Exception):
    """No source answered with the file; its args are one short line for each source tried."""

    def __str__(self) -> str:
        """The causes in one line."""
        return "; ".join(self.args)


class _NotHere(Exception):
    """This source did not give the file (message: why); the next may."""


class _Wrong(Exception):
    """This source gave other bytes than the catalogue's."""


def cache_dir() -> Path:
    """The folder that keeps fetched files: COURSE_DATA_DIR, or the user's cache folder."""
    if chosen := os.environ.get("COURSE_DATA_DIR"):
        return _folder(chosen, "COURSE_DATA_DIR")
    import platformdirs

    return Path(platformdirs.user_cache_dir("deep-learning-in-finance", appauthor=False))


def _folder(place: str, setting: str) -> Path:
    try:
        return Path(place).expanduser()
    except RuntimeError:
        raise DataError(f"{setting} names the home of a user who is not there: {place[:60]!r}. Change it.") from None


def mirror() -> str:
    """The mirror's folder or address, from COURSE_DATA_MIRROR; empty when there is none."""
    return os.environ.get("COURSE_DATA_MIRROR", "").strip()


def source() -> str:
    """Where a file that is not in the cache would come from, in words."""
    return f"mirror {_without_password(mirror())}, then the publishers" if mirror() else "the publishers"


def _without_password(address: str) -> str:
    """A mirror as it may be shown: an address without user, password and query, all hidden where they are not clear."""
    if not _is_address(address):
        return address
    clear = re.fullmatch(r"([^:]+:/+)(?:[^/?#@]*@)?([^?#@]*)(?:\?[^@]*)?", address)
    return clear[1] + clear[2] if clear else address.partition(":")[0] + ":…"


def _is_address(place: str) -> bool:
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", place))  # not C:/, a drive


def locate(entry: Dataset, file: File) -> Path:
    """Where the file is kept: in the cache, or in this program's spare folder when the cache cannot be written."""
    spare = _spare_folder and _spare_folder / entry.name / file.path
    return spare if spare and spare.exists() else cache_dir() / entry.name / file.path


def state(entry: Dataset, file: File) -> str:
    """State of a file in the cache: "ok", "missing" or "corrupt"."""
    path = cache_dir() / entry.name / file.path
    return "ok" if _read(path, file) is not None else "corrupt" if os.path.lexists(path) else "missing"


def read_file(path: Path, limit: int) -> bytes:
    """The bytes of a regular file; raises OSError for one that is longer than `limit`, and for a pipe or a device."""
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)), "rb") as handle:
        state = os.fstat(handle.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        if state.st_size > limit:
            raise OSError(errno.EFBIG, f"more than {limit:,} bytes")
        content = handle.read(state.st_size + 1)
    if len(content) != state.st_size:
        raise OSError(errno.EIO, "it changes while it is read")
    return content


def obtain(entry: Dataset, file: File) -> bytes:
    """The file's bytes, verified; fetched into the cache when they are not there or damaged.

    Raises Unreachable when no source has the file and there is nothing in the cache, DataError when what is there
    is wrong and cannot be replaced.
    """
    found = _read(locate(entry, file), file)
    return _fetch(entry, file) if found is None else found


def _read(path: Path, file: File) -> bytes | None:
    """The bytes of a kept file if they are the catalogue's, else None."""
    try:
        content = read_file(path, file.bytes)
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == file.sha256 else None


def _fetch(entry: Dataset, file: File) -> bytes:
    damaged = os.path.lexists(locate(entry, file))
    target = _writable(cache_dir() / entry.name) / file.path
    causes, wrong, dead = [], [], set()
    for host, get in _sources(entry, file):
        if host.split()[0] in dead:
            continue
        try:
            return _store(target, file, get)
        except _Wrong as problem:
            wrong.append(f"{host} gave {problem}")
        except _NotHere as problem:
            causes.append(f"{host}: {problem}")
            if str(problem) == NO_CONNECTION:
                dead.add(host.split()[0])
    here = f"{entry.name}: {file.path}"
    again = f"then run `course data fetch {entry.name}`"
    if wrong:
        raise DataError(
            f"{here} has changed or been tampered with: {'; '.join(wrong)}; the catalogue wants SHA-256 "
            f"{file.sha256[:12]}…, {file.bytes:,} bytes. Nothing was kept. Behind a log-in page or a filtering proxy "
            f"try another network, or set COURSE_DATA_MIRROR to a copy with the right bytes; {again}."
        )
    if damaged:
        raise DataError(
            f"{here} is damaged in the cache ({target}) and no source could replace it ({'; '.join(causes)}). "
            f"Go online or set COURSE_DATA_MIRROR, {again}."
        )
    raise Unreachable(*(causes or ["no public address has these bytes, only a mirror (COURSE_DATA_MIRROR)"]))


def _sources(entry: Dataset, file: File) -> Iterator[tuple[str, Callable[[_Sink], None]]]:
    """Every place the file may come from, in order: a label for messages and a function that writes to a sink."""
    place = mirror()
    if place.lower().startswith(("http://", "https://")):
        yield "mirror", lambda sink: _download(f"{place.rstrip('/')}/{quote(file.mirror)}", sink)
    elif place:
        yield "mirror", lambda sink: _copy(place, file.mirror, sink)
    for url in file.urls:
        yield _host(url), lambda sink, url=url: _download(url, sink)
    if file.archive:
        url = file.archive["url"]
        yield f"{_host(url)} (zip)", lambda sink: _unzip(file.archive, sink)


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


class _Sink:
    """A file being written that takes no more than it should hold, and nothing once it is closed."""

    def __init__(self, handle, limit: int):
        self.handle, self.limit, self.closed = handle, limit, False
        self.size, self.hash = 0, hashlib.sha256()

    def check(self) -> None:
        if self.closed:
            raise _NotHere("given up")

    def write(self, chunk: bytes) -> int:
        self.check()
        self.size += len(chunk)
        if self.size > self.limit:
            raise _Wrong(f"more than {self.limit:,} bytes")
        self.hash.update(chunk)
        return self.handle.write(chunk)

    def restart(self) -> None:
        self.check()
        self.handle.seek(0)
        self.handle.truncate()
        self.size, self.hash = 0, hashlib.sha256()


def _store(target: Path, file: File, get: Callable[[_Sink], None]) -> bytes:
    """Write what `get` gives beside the target, verify it, and put it in place; nothing is left behind otherwise."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        mark = f"{platform.node()}~{os.getpid()}~{secrets.token_hex(4)}"
        part = target.with_name(f".{target.name}~{mark}.part")
        try:
            with open(part, "x+b") as handle:
                sink = _Sink(handle, file.bytes)
                get(sink)
                if sink.hash.hexdigest() != file.sha256:
                    raise _Wrong(f"SHA-256 {sink.hash.hexdigest()[:12]}…, {sink.size:,} bytes")
                handle.flush()
                os.fsync(handle.fileno())
                handle.seek(0)
                content = handle.read()
            try:
                os.replace(part, target)
            except PermissionError:  # Windows, when another process has just put the same file there and reads it
                if _read(target, file) is None:
                    raise
            return content
        finally:
            part.unlink(missing_ok=True)
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DataError(
                f"No room for {file.path} ({file.bytes / 1e6:.1f} MB) in {target.parent}: {problem.strerror}. "
                "Free some space there, or set COURSE_DATA_DIR to a folder with room. Nothing half-written was left."
            ) from None
        raise DataError(f"Could not write {target}: {problem}. Set COURSE_DATA_DIR to a folder of yours.") from None


def _copy(place: str, path: str, sink: _Sink) -> None:
    folder = _folder(place, "COURSE_DATA_MIRROR")
    try:
        if _is_address(place) or not folder.is_dir():
            where = "address" if _is_address(place) else "folder"
            raise _NotHere(f"the {where} {_without_password(place)} is not there (COURSE_DATA_MIRROR)")
        content = read_file(folder / path, sink.limit)
    except OSError as problem:
        if problem.errno == errno.EFBIG:
            raise _Wrong(problem.strerror) from None
        raise _NotHere(f"{problem.strerror}: {path}") from None
    sink.write(content)


def _unzip(archive: dict, sink: _Sink) -> None:
    """Take one member of the publisher's zip, in memory; its hash is checked like any other file's."""
    with io.BytesIO() as buffer:
        whole = _Sink(buffer, MAX_ARCHIVE)
        _download(archive["url"], whole)
        if whole.hash.hexdigest() != archive["sha256"]:
            raise _Wrong(f"a zip with SHA-256 {whole.hash.hexdigest()[:12]}…, {whole.size:,} bytes")
        try:
            with zipfile.ZipFile(buffer) as zipped, zipped.open(archive["member"]) as member:
                shutil.copyfileobj(member, sink, 1 << 20)
        except (KeyError, RuntimeError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as problem:
            raise _Wrong(f"a zip from which {archive['member']} cannot be read ({problem})") from None


def _download(url: str, sink: _Sink) -> None:
    """Fetch an address; raises _NotHere when it does not give the whole file in time.

    A thread does it, as nothing else can stop a server that goes on sending its name, its headers or its body one
    byte at a time; one that is given up ends with its next piece, or with the program.
    """
    problems: list[BaseException | None] = []

    def run() -> None:
        try:
            _try(url, sink)
            problems.append(None)
        except BaseException as problem:
            problems.append(problem)

    thread, start = threading.Thread(target=run, daemon=True), time.monotonic()
    thread.start()
    try:
        while thread.is_alive():
            thread.join(min(GRACE, 0.25))
            if thread.is_alive() and time.monotonic() - start > GRACE + sink.size / SLOWEST:
                raise _NotHere("too slow")
    finally:
        sink.closed = True
    if problems[0] is not None:
        raise problems[0]


def _try(url: str, sink: _Sink) -> None:
    """Fetch an address with retries."""
    import requests
    import urllib3

    for tries, wait in enumerate((*BACKOFF, None), 1):
        try:
            with _answer(url) as answer:
                _receive(answer, sink)
            return
        except requests.HTTPError as problem:
            status = problem.response.status_code
            if status not in (429, 500, 502, 503, 504):
                raise _NotHere(f"not found ({status})" if status in (404, 410) else f"refused ({status})") from None
            cause = f"server error ({status})"
        except requests.ConnectionError as problem:  # a stall in the body comes as one, too
            if isinstance(problem, requests.Timeout) or "timed out" in str(problem):
                raise _NotHere("timed out") from None
            cause = "connection cut" if sink.size else NO_CONNECTION
        except requests.Timeout:
            raise _NotHere("timed out") from None
        except requests.exceptions.ChunkedEncodingError:
            cause = "connection cut"
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as problem:
            raise _NotHere(f"not usable ({type(problem).__name__})") from None
        if wait is None or (cause == NO_CONNECTION and tries == 2):  # offline should not take long to find out
            raise _NotHere(cause)
        sink.restart()
        time.sleep(wait)


def _answer(url: str):
    """The open response at the end of an address's redirects, none of which may leave http(s), or https."""
    import requests

    places: list[str | None] = []

    def take(answer, **_) -> None:  # else requests reads the whole body of a redirect, however long
        places.append(answer.headers.pop("location", None))

    for _ in range(REDIRECTS + 1):
        answer = requests.get(
            url, stream=True, timeout=TIMEOUT, headers={"User-Agent": USER_AGENT}, hooks={"response": take}
        )
        if places[-1] is None or answer.status_code not in (301, 302, 303, 307, 308):
            answer.raise_for_status()
            return answer
        answer.close()
        before, url = urlsplit(url).scheme.lower(), urljoin(url, places[-1])
        if urlsplit(url).scheme.lower() not in ("https", before):
            raise _NotHere(f"leads from {before} to an address that is not {before}")
    raise _NotHere("redirects without end")


def _receive(answer, sink: _Sink) -> None:
    from tqdm import tqdm

    sink.check()
    with tqdm(total=sink.limit, unit="B", unit_scale=True, disable=not _shows_progress()) as bar:
        for chunk in answer.iter_content(1 << 14):
            bar.update(sink.write(chunk))


def _shows_progress() -> bool:
    return os.environ.get("COURSE_PROGRESS") != "off" and (sys.stderr.isatty() or "ipykernel" in sys.modules)


def _sweep(folder: Path) -> None:
    """Remove what fetches that were killed have left: of this machine's dead processes, or an hour old."""
    import psutil

    for part in folder.glob(".*~*.part"):
        try:
            _, node, pid, _ = part.name.rsplit("~", 3)
            dead = node == platform.node() and not psutil.pid_exists(int(pid))
            if dead or time.time() - part.stat().st_mtime > 3600:
                part.unlink(missing_ok=True)
        except (ValueError, OSError):
            continue


_spare_folder: Path | None = None


def _writable(folder: Path) -> Path:
    """The folder if files can be made in it, else one for this process, with a line that says so."""
    global _spare_folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            return folder  # `_store` says it, with the file's size
        if _spare_folder is None:
            _spare_folder = Path(tempfile.mkdtemp(prefix="course-data-"))
            atexit.register(shutil.rmtree, _spare_folder, ignore_errors=True)
            print(
                f"note: the data cache {cache_dir()} cannot be written ({problem.strerror}); files are kept until this "
                "program ends. Set COURSE_DATA_DIR to a folder of yours."
            )
        return _spare_folder / folder.name
