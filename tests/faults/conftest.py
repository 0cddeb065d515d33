"""A local HTTP server that misbehaves on demand, and an environment from which nothing else can be reached."""

from __future__ import annotations

import gzip
import os
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

CLOSED = "http://127.0.0.1:9"  # the discard port: nothing listens there


class Server(ThreadingHTTPServer):
    """Serves the files of a folder by their last name; `plan` says how each request in turn is treated, then `then`."""

    daemon_threads = True
    scheme = "http"

    def __init__(self, root: Path):
        super().__init__(("127.0.0.1", 0), Handler)
        self.root, self.plan, self.then, self.paths = root, [], "good", []
        self.half_sent, self.release = threading.Event(), threading.Event()
        self.meeting = threading.Barrier(2)
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def encrypt(self, certificate: Path, key: Path):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket, self.scheme = context.wrap_socket(self.socket, server_side=True), "https"

    def handle_error(self, request, client_address):
        """A client that was killed or gave up is what these tests are about."""


class Handler(BaseHTTPRequestHandler):
    alias = {"german-original.data": "german.data"}  # noqa: RUF012

    def do_GET(self):
        server: Server = self.server
        with server.lock:
            server.paths.append(self.path)
            how = server.plan.pop(0) if server.plan else server.then
        name = self.path.rsplit("/", 1)[1].replace("%2B", "+")
        content = next(server.root.rglob(self.alias.get(name, name))).read_bytes()
        if how in ("404", "500"):
            self.send_error(int(how))
            return
        if how.startswith("to "):
            self.send_response(302)
            self.send_header("Location", how[3:])
            self.end_headers()
            self.endless(b"x" * 65_536)
            return
        if how == "drip headers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not server.release.wait(0.02):
                self.wfile.write(b"X")
            return
        if how == "always about to":
            while not server.release.wait(0.005):
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        if how in ("gzip without end", "half a gzip", "no gzip"):
            self.send_response(200)
            self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            if how == "gzip without end":
                self.endless(gzip.compress(bytes(10_000_000)))
            else:
                self.wfile.write(gzip.compress(content)[:3_000] if how == "half a gzip" else content)
            return
        if how == "wrong":
            content = bytes(content[:-1]) + b"?"
        if how == "longer":
            content += b"more"
        self.send_response(200)
        self.send_header("Content-Length", "abc" if how == "length abc" else str(len(content)))
        self.end_headers()
        half = len(content) // 2
        if how == "cut":
            self.wfile.write(content[:half])
        elif how == "stall":
            self.wfile.write(content[:half])
            self.wfile.flush()
            server.half_sent.set()
            server.release.wait(30)
        elif how == "drip":
            for i in range(len(content)):
                self.wfile.write(content[i : i + 1])
                if server.release.wait(0.001):
                    break
        elif how == "together":
            server.meeting.wait(30)
            self.wfile.write(content)
        else:
            self.wfile.write(content)
        self.close_connection = True

    def endless(self, piece: bytes):
        while not self.server.release.is_set():
            self.wfile.write(piece)

    def log_message(self, *_):
        pass


@pytest.fixture
def mirror_folder() -> Path:
    """The real files, from the folder COURSE_DATA_MIRROR names."""
    folder = Path(os.environ.get("COURSE_DATA_MIRROR", "") or "-")
    if not (folder / "german_credit" / "german.data").exists():
        pytest.skip("needs the real files: set COURSE_DATA_MIRROR to a folder that has them")
    return folder


@pytest.fixture
def serve(mirror_folder):
    """Start a server on the files of german_credit; all are stopped at the end."""
    servers = []

    def start(*plan: str, then: str = "good") -> Server:
        server = Server(mirror_folder / "german_credit")
        server.plan, server.then = list(plan), then
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.release.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def offline(monkeypatch, tmp_path) -> Path:
    """An empty cache, no mirror, and a proxy that is not there: only 127.0.0.1 answers. Returns the cache."""
    cache = tmp_path / "cache"
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, CLOSED)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    for name in ("ALL_PROXY", "all_proxy", "COURSE_DATA_MIRROR", "COURSE_RECORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COURSE_DATA_DIR", str(cache))
    monkeypatch.setenv("COURSE_PROGRESS", "off")
    return cache


@pytest.fixture
def tree(tmp_path, monkeypatch) -> Path:
    """A course of no notebooks yet: see toys.add."""
    monkeypatch.setenv("COURSE_ROOT", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.course]\nrepository = "ada/course"\nbranch = "main"\n')
    return tmp_path
