"""The server: FastAPI on 127.0.0.1 only. It checks, scores, writes to the ledger, and then answers."""

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
import threading
import time
from collections import Counter, deque
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from helpers.errors import CourseError
from helpers.service import card as cards
from helpers.service.contract import LONGEST, Contract, Refused, parse, refused
from helpers.service.ledger import Ledger
from helpers.service.monitor import Monitor

HOST = "127.0.0.1"
WAITING = 1_000  # applications that may wait for the ledger; more are told to come again
PATIENCE = 5.0  # seconds for a body to arrive
START = 'helpers/service needs FastAPI and uvicorn: pip install -e ".[serve]" brings them.'


class Service:
    """Decides applications: those that wait are scored together and share one fsync (group commit)."""

    def __init__(self, model: cards.Model, ledger: Ledger, shadow: cards.Model | None = None, group: int = 64) -> None:
        """`group`: most decisions with one fsync. Raises CourseError where ledger or shadow do not fit the model."""
        if shadow and shadow.names != model.names:
            raise CourseError("The shadow needs other fields than the model in service, so it cannot see its requests.")
        self.model, self.ledger, self.shadow, self.group = model, ledger, shadow, group
        self.contract, self.known = Contract(model.card), {record["id"]: record for record in ledger.records}
        reference = model.card["reference"]
        self.monitor = Monitor(reference["edges"], reference["shares"], reference["window"], reference["limit"])
        mine = [record["p"] for record in ledger.records if record["version"] == model.version]
        self.monitor.add(np.array(mine, float))
        self.counts: Counter[str] = Counter()
        self.seconds: deque[float] = deque(maxlen=10_000)
        self.pending: dict[str, tuple[dict, asyncio.Future]] = {}
        self.waiting: asyncio.Queue = asyncio.Queue()

    async def decide(self, applications: list[dict]) -> list[dict]:
        """Records of these applications, all on disk. An id that is known gets the decision that it got before."""
        if self.ledger.broken:
            raise refused(503, "ledger", "a failed write", "a ledger that can be written", self.ledger.broken)
        if len(self.pending) + len(applications) > WAITING:
            raise refused(503, "service", "too many requests", f"{WAITING:,} waiting", "try again in a second")
        for one in applications:
            known = self.known.get(one["id"]) or self.pending.get(one["id"], (None,))[0]
            if known and known["fields"] != {name: one[name] for name in self.model.names}:
                todo = "a retry repeats the request; a new request takes a new id"
                raise refused(409, "id", one["id"], "an id for one application only", todo)
        # all are entered before the first wait, so that no other request can come between check and entry
        return await asyncio.gather(*[asyncio.shield(self._entered(one)) for one in applications])

    def repeated(self, sent: Any) -> list[dict] | None:
        """The record of a single request that is in the ledger already, whatever version decided it; else None."""
        name = sent.get("id") if isinstance(sent, dict) else None
        record = self.known.get(name) if isinstance(name, str) else None
        if record is None or any(isinstance(value, bool) for value in sent.values()):  # in Python True equals 1
            return None
        if sent != {"id": name, **record["fields"]} | ({"version": record["version"]} if "version" in sent else {}):
            return None
        self.counts["repeated"] += 1
        return [record]

    def _entered(self, one: dict) -> asyncio.Future:
        """The record to come of an application, which waits for the ledger from now on."""
        future = asyncio.get_running_loop().create_future()
        if record := self.known.get(one["id"]):
            self.counts["repeated"] += 1
            future.set_result(record)
            return future
        if one["id"] not in self.pending:
            record = {"id": one["id"], "fields": {name: one[name] for name in self.model.names}}
            self.pending[one["id"]] = record, future
            self.waiting.put_nowait(self.pending[one["id"]])
        return self.pending[one["id"]][1]

    async def write(self) -> None:
        """For ever: take all that wait, at most `group`, score them, write them, answer them."""
        loop = asyncio.get_running_loop()
        while True:
            group = [await self.waiting.get()]
            while len(group) < self.group and not self.waiting.empty():
                group.append(self.waiting.get_nowait())
            records = asked = [record for record, _ in group]
            problem: Exception | None = None
            try:
                records = self.scored(asked)
                await loop.run_in_executor(None, self.ledger.append, records)
            except CourseError as error:
                problem = refused(503, "ledger", "a failed write", "a ledger that can be written", str(error))
            except Exception as error:  # whatever it was, those who wait are told, and the next are served
                problem = error
            for (_, future), record in zip(group, records, strict=True):
                self.pending.pop(record["id"], None)
                if problem:
                    future.set_exception(problem)
                    future.exception()  # seen, even where the client has gone
                else:
                    self.known[record["id"]] = record
                    self.counts[record["decision"]] += 1
                    future.set_result(record)
            if not problem:
                with suppress(Exception):  # a monitor that cannot count stops no decision
                    self.monitor.add(np.array([record["p"] for record in records]))

    def scored(self, records: list[dict]) -> list[dict]:
        """Records with time, version, probability and decision, and the shadow's, which decides nothing."""
        rows = [[record["fields"][name] for name in self.model.names] for record in records]
        now, ours = datetime.now(UTC).isoformat(timespec="seconds"), self.model.scores(rows).tolist()
        out = [
            {"id": r["id"], "at": now, "version": self.model.version, "fields": r["fields"], "p": p}
            | {"decision": self.model.decision(p)}
            for r, p in zip(records, ours, strict=True)
        ]
        if other := self.shadow:
            with suppress(Exception):  # a shadow that fails stops no decision
                for record, p in zip(out, other.scores(rows).tolist(), strict=True):
                    if np.isfinite(p):
                        record["shadow"] = {"version": other.version, "p": p, "decision": other.decision(p)}
        return out

    def metrics(self) -> dict:
        """Counts, times and drift; nothing about a single client."""
        times = np.sort(np.array(self.seconds))
        at = {f"p{q}_ms": round(1e3 * float(np.quantile(times, q / 100)), 3) for q in (50, 99)} if len(times) else {}
        return {
            "version": self.model.version,
            "shadow": self.shadow and self.shadow.version,
            "decisions": len(self.ledger.records),
            "since_start": dict(self.counts),
            "syncs": self.ledger.syncs,
            "answer_times": {"n": len(times)} | at,
            "drift": self.monitor.state(),
        }


async def _body(request: Any) -> bytes:
    """The request's bytes; stops reading where they are too many or too slow."""
    from starlette.requests import ClientDisconnect

    content = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for chunk in request.stream():
                content += chunk
                if len(content) > LONGEST:
                    raise refused(413, "body", "more than that", f"{LONGEST:,} bytes at most", "send smaller batches")
    except ClientDisconnect:
        raise refused(400, "body", "a part", "the whole body", "send it again") from None
    except TimeoutError:
        raise refused(408, "body", "a part", f"the whole body in {PATIENCE:g} s", "send it at once") from None
    return bytes(content)


def application(service: Service) -> Any:
    """The FastAPI application around a service."""
    try:
        from fastapi import FastAPI, Request
        from fastapi.responses import JSONResponse
        from starlette.exceptions import HTTPException
        from starlette.middleware.trustedhost import TrustedHostMiddleware
    except ImportError:
        raise CourseError(START) from None

    @asynccontextmanager
    async def life(_: FastAPI) -> Any:
        writer = asyncio.create_task(service.write())
        yield
        writer.cancel()

    app = FastAPI(lifespan=life, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])

    def answer(status: int, errors: list[dict]) -> JSONResponse:
        service.counts[f"refused {status}"] += 1
        close = {"connection": "close"} if status in (408, 413) else {}
        return JSONResponse({"errors": errors}, status, close)

    @app.exception_handler(Refused)
    async def _(_: Request, error: Refused) -> JSONResponse:
        return answer(error.status, error.errors)

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> JSONResponse:
        came, allowed = f"{request.method} {request.url.path}"[:80], "POST /decide; GET /health, /card, /metrics"
        return answer(error.status_code, [{"field": "address", "came": came, "allowed": allowed, "todo": "correct it"}])

    @app.exception_handler(Exception)
    async def _(_: Request, error: Exception) -> JSONResponse:
        todo = "nothing was decided unless a retry with the same id says so; tell the operator"
        return answer(500, [{"field": "service", "came": "a fault of ours", "allowed": "an answer", "todo": todo}])

    @app.get("/health")
    async def health() -> JSONResponse:
        sound = not service.ledger.broken
        return JSONResponse({"ready": sound, "why": service.ledger.broken or None}, 200 if sound else 503)

    @app.get("/card")
    async def card() -> dict:
        return service.model.card

    @app.get("/metrics")
    async def metrics() -> dict:
        return service.metrics()

    @app.post("/decide")
    async def decide(request: Request) -> JSONResponse:
        began = time.perf_counter()
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":  # a page in a browser cannot send that here without asking first
            todo = "send the header Content-Type: application/json"
            raise refused(415, "Content-Type", kind[:40] or "nothing", "application/json", todo)
        sent = parse(await _body(request))
        records = service.repeated(sent) or await service.decide(service.contract.check(sent))
        answers = [{part: record[part] for part in ("id", "version", "p", "decision")} for record in records]
        service.seconds.append(time.perf_counter() - began)
        return JSONResponse({"batch": answers} if set(sent) == {"batch"} else answers[0])

    return app


def bound(port: int) -> socket.socket:
    """A socket on the loopback address; port 0 takes a free one. Raises CourseError where the port is taken."""
    # named as TCP, else asyncio does not switch off Nagle's algorithm, and each answer waits 40 ms for an ACK
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name == "posix":  # a port that waits for its last packets may be had; one that is listened to may not
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((HOST, port))
        sock.listen(1024)
    except (OSError, OverflowError) as error:
        sock.close()
        why = "a port is a number from 0 to 65535" if isinstance(error, OverflowError) else os.strerror(error.errno)
        raise CourseError(f"Port {port} on {HOST} cannot be had ({why}). Name another, or 0 for a free one.") from None
    return sock


def serve(service: Service, sock: socket.socket, hello: str) -> None:
    """Serve until Ctrl-C or SIGTERM; answers what is under way first."""
    try:
        import uvicorn
    except ImportError:
        raise CourseError(START) from None
    quiet = {"log_level": "error", "access_log": False, "server_header": False, "date_header": False}
    config = uvicorn.Config(application(service), timeout_graceful_shutdown=5, backlog=1024, **quiet)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # uvicorn raises its signal again when it is done
    print(hello, flush=True)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[sock])


def _end_with_parent() -> None:
    """End when standard input closes: whoever started us has gone."""

    def wait() -> None:
        with suppress(OSError, ValueError):
            while os.read(0, 1024):
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def main(arguments: list[str]) -> None:
    """Serve the current model of a folder; see --help."""
    parser = argparse.ArgumentParser(prog="service", description=__doc__)
    parser.add_argument("folder", type=Path, help="where versions and history.txt lie")
    parser.add_argument("--ledger", type=Path, help="default: ledger.txt in the folder")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--shadow", help="version that scores beside, and decides nothing")
    parser.add_argument("--group", type=int, default=64, help="most decisions with one fsync")
    parser.add_argument("--buffered", action="store_true", help="an error on purpose: answer before the write")
    parser.add_argument("--child", action="store_true", help="say hello in JSON, end with the parent")
    told = parser.parse_args(arguments)
    sock = bound(told.port)
    model = cards.current(told.folder)
    shadow = cards.load(told.folder / told.shadow) if told.shadow else None
    ledger = Ledger(told.ledger or told.folder / "ledger.txt", sync=not told.buffered)
    service = Service(model, ledger, shadow, told.group)
    address = f"http://{HOST}:{sock.getsockname()[1]}"
    if told.child:
        _end_with_parent()
        hello = json.dumps({"port": sock.getsockname()[1], "pid": os.getpid(), "version": model.version})
    else:
        middle = {f["name"]: f["example"] for f in model.card["fields"]}
        body = json.dumps({"id": f"try-{os.getpid():08d}"} | middle)
        torn = f"; {ledger.torn} bytes of a torn last line were cut off" if ledger.torn else ""
        hello = (
            f"Model {model.version} on {address}, {len(ledger.records):,} decisions in the ledger{torn}. "
            "Ctrl-C stops it.\n"
            f"Try: curl -s {address}/decide -H 'Content-Type: application/json' -d '{body}'\n"
            "Also: /card, /metrics, /health"
        )
    serve(service, sock, hello)
    if not told.child:
        print(f"Stopped. The ledger holds {len(ledger.records):,} decisions.")
    ledger.close()


def run(arguments: list[str]) -> None:
    """`main`, with an error in one line."""
    try:
        main(arguments)
    except CourseError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
