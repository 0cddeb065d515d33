"""The other side: a service in a process of its own, and loads of requests, closed or open."""

from __future__ import annotations

import asyncio
import http.client
import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from helpers.errors import CourseError
from helpers.processes import Child

ROOT = str(Path(__file__).resolve().parents[2])
PROGRAM = "import sys; sys.path.insert(0, sys.argv.pop(1)); from helpers.service.server import run; run(sys.argv[1:])"
HEAD = b"POST /decide HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
BUFFERED = False  # True makes every server that starts here answer before it writes


class Running:
    """A service in a process of its own, on a free port; `with` ends it whatever happens."""

    def __init__(self, folder: Path, *options: object, seconds: float = 60.0) -> None:
        """Start it and wait until it listens; raises CourseError where it does not."""
        options = (*options, "--buffered") if BUFFERED else options
        self._child = Child([sys.executable, "-c", PROGRAM, ROOT, str(folder), "--child", *map(str, options)])
        hello = json.loads(self._child.hear(seconds))
        self.port, self.pid, self.version = hello["port"], hello["pid"], hello["version"]

    def __enter__(self) -> Running:
        """The service itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.kill()

    def kill(self) -> None:
        """End it by a signal that it cannot catch (kill -9)."""
        self._child.close()

    def ask(self, path: str, body: Any = None, seconds: float = 30.0) -> tuple[int, Any]:
        """Status and answer; `body` is bytes as they are, or an object to send as JSON; None means GET."""
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            kind = {"Content-Type": "application/json"}
            line.request("GET" if content is None else "POST", path, content, kind)
            reply = line.getresponse()
            return reply.status, json.loads(reply.read())
        finally:
            line.close()

    def pause(self, seconds: float) -> None:
        """Stop the process for so long, as a full collection of garbage or a busy neighbour does."""
        import psutil

        process = psutil.Process(self.pid)
        process.suspend()
        try:
            time.sleep(seconds)
        finally:
            process.resume()


@dataclass
class Load:
    """What a load saw: seconds from the moment meant to the answer, the answers (None: lost), all in order."""

    meant: np.ndarray
    sent: np.ndarray
    done: np.ndarray
    answers: list[Any]

    @property
    def latency(self) -> np.ndarray:
        """Seconds from the moment at which the request was meant to be sent."""
        return self.done - self.meant

    @property
    def service_time(self) -> np.ndarray:
        """Seconds from the moment at which it was really sent."""
        return self.done - self.sent


class _Line:
    """One connection that is kept open."""

    def __init__(self, port: int) -> None:
        self.port, self.reader, self.writer = port, None, None

    async def ask(self, body: bytes) -> Any:
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.write(HEAD % len(body) + body)
        answer = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(answer.partition("content-length:")[2].split("\r\n", 1)[0])
        content = json.loads(await self.reader.readexactly(length))
        return content if answer.split(" ", 2)[1] == "200" else None


def closed_loop(port: int, bodies: Sequence[bytes], lines: int, on_answer: Callable | None = None) -> Load:
    """`lines` clients, each of which sends its next request when it has its answer."""

    async def client(number: int, load: Load) -> None:
        line = _Line(port)
        with suppress(OSError, asyncio.IncompleteReadError):
            for i in range(number, len(bodies), lines):
                load.meant[i] = load.sent[i] = time.perf_counter()
                load.answers[i] = await line.ask(bodies[i])
                load.done[i] = time.perf_counter()
                if on_answer:
                    on_answer(i)

    return _driven(len(bodies), lambda load: [client(k, load) for k in range(lines)])


def open_loop(port: int, bodies: Sequence[bytes], times: np.ndarray) -> Load:
    """Request i is sent `times[i]` seconds from the start, answered or not those before."""
    free: list[_Line] = []

    async def request(i: int, load: Load, start: float) -> None:
        load.meant[i] = start + times[i]
        await asyncio.sleep(max(0.0, load.meant[i] - time.perf_counter()))
        line = free.pop() if free else _Line(port)
        load.sent[i] = time.perf_counter()
        with suppress(OSError, asyncio.IncompleteReadError):
            load.answers[i] = await line.ask(bodies[i])
            load.done[i] = time.perf_counter()
            free.append(line)

    start = time.perf_counter() + 0.05
    return _driven(len(bodies), lambda load: [request(i, load, start) for i in range(len(bodies))])


def _driven(n: int, clients: Callable[[Load], list], seconds: float = 120.0) -> Load:
    """Run clients in an event loop of a thread of its own, since a notebook's own loop is at work already."""
    load, failed = Load(*np.full((3, n), np.nan), [None] * n), []

    async def all_of_them() -> None:
        async with asyncio.timeout(seconds):
            await asyncio.gather(*clients(load))

    def work() -> None:
        try:
            asyncio.run(all_of_them())
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds + 10)
    if failed:
        raise CourseError(f"The load broke off ({type(failed[0]).__name__}: {failed[0]}).")
    return load
