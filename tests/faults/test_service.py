"""The service when things go wrong, for real: bad requests, kills, full disks, taken ports, changed files."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from helpers.errors import CourseError
from helpers.service import card, client, contract, ledger, monitor, server

for package in ("fastapi", "uvicorn"):
    pytest.importorskip(package)

FIELDS = (("limit", "NT$", False, 10_000, 1_000_000, True), ("state", "code", True, -2, 9, False))
posix = pytest.mark.skipif(os.name == "nt", reason="signals and limits are Unix's")


@pytest.fixture(scope="session")
def shelf(tmp_path_factory) -> Path:
    """Two exported versions, the first one current."""
    import keras
    from keras import layers

    folder = tmp_path_factory.mktemp("models")
    parts = ("name", "unit", "whole", "low", "high", "squeeze")
    more = {"meaning": "a field", "centre": 1.0, "scale": 2.0, "example": 10_000}
    fields = [dict(zip(parts, row, strict=True)) | more for row in FIELDS]
    fields[1]["example"] = 0
    about = {"name": "t", "fields": fields, "threshold": 0.5, "training": {}, "limits": "for tests"}
    about["reference"] = {"edges": [0.4, 0.5, 0.6], "shares": [0.25] * 4, "window": 100, "limit": 20.0}
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        stack = [
            keras.Input((2,)),
            layers.Dense(8, activation="relu"),
            layers.Dense(4, activation="relu"),
            layers.Dense(1),
        ]
        network = keras.Sequential(stack)
        version = card.export(network, about | {"name": f"model {seed}"}, folder)
        x = np.random.default_rng(seed).normal(size=(50, 2)).astype("float32")
        z = keras.ops.convert_to_numpy(network(x))[:, 0].astype(float)
        rows = np.column_stack([np.sign(2 * x[:, 0] + 1) * 1000 * np.expm1(np.abs(2 * x[:, 0] + 1)), 2 * x[:, 1] + 1])
        np.testing.assert_allclose(card.load(folder / version).scores(rows), 1 / (1 + np.exp(-z)), atol=1e-5)
        if seed == 1:
            card.promote(folder, version)
    return folder


def one(i: int, name: str = "test", **change: object) -> dict:
    rng = np.random.default_rng(i)
    return {"id": f"{name}-{i:06d}", "limit": float(rng.uniform(1e4, 1e6)), "state": int(rng.integers(-2, 9))} | change


def bodies(n: int, name: str) -> list[bytes]:
    return [json.dumps(one(i, name)).encode() for i in range(n)]


def other_version(shelf: Path) -> str:
    return next(p.name for p in shelf.iterdir() if p.is_dir() and p.name != card.current(shelf).version)


# -------------------------------------------------------------------------------------------------- requests

BAD = {
    "missing": ({"id": "test-000001", "limit": 20_000}, 422, ["state"]),
    "empty": ({}, 422, ["id", "limit", "state"]),
    "text": (one(1, limit="20000"), 422, ["limit"]),
    "bool": (one(1, state=True), 422, ["state"]),
    "null": (one(1, limit=None), 422, ["limit"]),
    "list": (one(1, limit=[20_000]), 422, ["limit"]),
    "fraction": (one(1, state=1.5), 422, ["state"]),
    "low": (one(1, limit=9_999.9), 422, ["limit"]),
    "high": (one(1, state=10), 422, ["state"]),
    "huge whole number": (one(1, state=10**300), 422, ["state"]),
    "huge number": (one(1, limit=10**300), 422, ["limit"]),
    "unknown": (one(1) | {"name": "A. Client"}, 422, ["name"]),
    "id with a blank": (one(1, id="12345 789"), 422, ["id"]),
    "id with a line feed": (one(1, id="123456789\n"), 422, ["id"]),
    "id too long": (one(1, id="x" * 65), 422, ["id"]),
    "id a number": (one(1, id=123456789), 422, ["id"]),
    "version": (one(1, version="older"), 409, ["version"]),
    "version and a field": (one(1, version="older", state=99), 422, ["state", "version"]),
    "NaN": (b'{"id": "test-000001", "limit": NaN, "state": 1}', 400, ["body"]),
    "-Infinity": (b'{"id": "test-000001", "limit": -Infinity, "state": 1}', 400, ["body"]),
    "1e999": (b'{"id": "test-000001", "limit": 1e999, "state": 1}', 422, ["limit"]),
    "twice": (b'{"id": "test-000001", "limit": 20000, "limit": 30000, "state": 1}', 400, ["body"]),
    "no JSON": (b"limit=20000", 400, ["body"]),
    "nothing": (b"", 400, ["body"]),
    "cut": (b'{"id": "test-0000', 400, ["body"]),
    "Latin-1": (b'{"id": "test-0000\xe9"}', 400, ["body"]),
    "surrogate in a name": (b'{"\\ud800": 1}', 400, ["body"]),
    "surrogate in a value": (json.dumps(one(1, id="\ud800" * 9)).encode(), 422, ["id"]),
    "empty name": ({"": 1} | one(1), 422, [""]),
    "nested value": (b'{"limit": ' + b"[" * 900 + b"]" * 900 + b"}", 422, ["id", "limit", "state"]),
    "NUL": (b"\x00", 400, ["body"]),
    "deep": (b"[" * 60_000, 400, ["body"]),
    "many digits": (b'{"limit": ' + b"9" * 5_000 + b"}", 400, ["body"]),
    "text only": (b'"hello"', 422, ["body"]),
    "null only": (b"null", 422, ["body"]),
    "too long": (b" " * 70_000, 413, ["body"]),
    "empty batch": ({"batch": []}, 422, ["batch"]),
    "batch of 65": ({"batch": [one(i) for i in range(65)]}, 422, ["batch"]),
    "batch no list": ({"batch": one(1)}, 422, ["batch"]),
    "batch beside": ({"batch": [one(1)], "limit": 1}, 422, ["batch", "id", "limit", "state"]),
    "batch, second bad": ({"batch": [one(1), one(2, state="1")]}, 422, ["batch[1].state"]),
    "batch, same id": ({"batch": [one(1), one(1)]}, 422, ["batch[1].id"]),
    "batch, same id for others": ({"batch": [one(1), one(2), one(3) | {"id": one(2)["id"]}]}, 422, ["batch[2].id"]),
    "batch of numbers": ({"batch": [1]}, 422, ["batch[0].body"]),
}


@pytest.fixture(scope="module")
def running(shelf, tmp_path_factory):
    with client.Running(shelf, "--ledger", tmp_path_factory.mktemp("l") / "ledger.txt") as service:
        yield service


@pytest.mark.parametrize("what", BAD)
def test_a_bad_request_gets_one_clear_error_a_field_and_no_decision(what, running):
    sent, status, fields = BAD[what]
    before = running.ask("/metrics")[1]["decisions"]
    code, answer = running.ask("/decide", sent)
    assert code == status and sorted(e["field"] for e in answer["errors"]) == sorted(fields), answer
    for error in answer["errors"]:
        assert set(error) == {"field", "came", "allowed", "todo"} and all(
            error[part] for part in ("came", "allowed", "todo")
        )
        assert (
            len(error["came"]) <= 100 and "Traceback" not in json.dumps(answer) and "pydantic" not in json.dumps(answer)
        )
    assert running.ask("/metrics")[1]["decisions"] == before


def test_addresses_methods_hosts_and_kinds_that_are_not_served(running):
    for path, body in (("/nope", None), ("/decide", None), ("/card", b"x"), ("/docs", None), ("/openapi.json", None)):
        status, answer = running.ask(path, body)
        assert status in (404, 405) and answer["errors"][0]["field"] == "address"
    head = "POST /decide HTTP/1.1\r\nHost: {}\r\nContent-Type: {}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
    for host, kind, status in (("evil.example", "application/json", b"400"), ("127.0.0.1", "text/plain", b"415")):
        with socket.create_connection(("127.0.0.1", running.port), timeout=20) as line:
            line.sendall(head.format(host, kind).encode())
            assert line.recv(100).split()[1] == status


def test_a_body_that_never_ends_is_given_up(running):
    head = client.HEAD % 500 + b"{"
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as line:
        line.sendall(head)
        assert line.recv(200).split()[1] == b"408"
    assert running.ask("/health") == (200, {"ready": True, "why": None})


def test_a_length_that_lies_does_not_fill_the_memory(running):
    head = client.HEAD.replace(b"Content-Length: %d", b"Transfer-Encoding: chunked")
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as line:
        line.sendall(head)
        answer = b""
        with _quiet():
            for _ in range(2_000):
                line.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        with _quiet():
            answer = line.recv(200)
    assert answer == b"" or answer.split()[1] == b"413"
    assert running.ask("/health")[0] == 200


def _quiet():
    import contextlib

    return contextlib.suppress(OSError)


def test_who_closes_in_the_middle_of_a_body_is_no_fault_of_the_server(running):
    before = running.ask("/metrics")[1]["since_start"]
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as line:
        line.sendall(client.HEAD % 500 + b"{")
    for _ in range(100):  # the server sees the end in its own time
        after = running.ask("/metrics")[1]["since_start"]
        if after.get("refused 400", 0) > before.get("refused 400", 0):
            break
    assert after.get("refused 400", 0) == before.get("refused 400", 0) + 1
    assert after.get("refused 500", 0) == before.get("refused 500", 0)


def test_true_is_no_one_in_a_retry_either(running):
    assert running.ask("/decide", one(8, "truth", state=1))[0] == 200
    status, answer = running.ask("/decide", one(8, "truth", state=True))
    assert status == 422 and answer["errors"][0]["field"] == "state"


def test_a_retry_gets_the_first_answer_even_sixteen_at_once(running):
    before = running.ask("/metrics")[1]["decisions"]
    load = client.closed_loop(running.port, [json.dumps(one(7, "same")).encode()] * 64, lines=16)
    assert all(answer == load.answers[0] for answer in load.answers) and load.answers[0]
    assert running.ask("/metrics")[1]["decisions"] == before + 1
    status, answer = running.ask("/decide", one(7, "same", state=one(7)["state"] - 1 if one(7)["state"] > -2 else 0))
    assert status == 409 and answer["errors"][0]["field"] == "id"


def test_a_batch_is_decided_as_its_parts(running):
    rows = [one(i, "batch") for i in range(20)]
    together = running.ask("/decide", {"batch": rows})[1]["batch"]
    alone = [running.ask("/decide", row | {"id": row["id"] + "-x"})[1] for row in rows]
    assert [a["p"] for a in together] == [b["p"] for b in alone] and [a["id"] for a in together] == [
        r["id"] for r in rows
    ]


# -------------------------------------------------------------------------------------------------- crashes


@pytest.mark.parametrize("after", [1, 37, 150])
def test_what_was_answered_survives_a_kill(after, shelf, tmp_path):
    book, seen, wanted = tmp_path / "ledger.txt", [], bodies(300, "kill")
    service = client.Running(shelf, "--ledger", book)

    def count(i: int) -> None:
        seen.append(i)
        if len(seen) == after:
            service.kill()

    with service:
        load = client.closed_loop(service.port, wanted, 8, on_answer=count)
    told = {answer["id"]: answer for answer in load.answers if answer}
    records = {record["id"]: record for record in ledger.read(book.read_bytes())[0]}
    model = card.current(shelf)
    assert len(told) >= after and all(records[name]["p"] == answer["p"] for name, answer in told.items())
    for record in records.values():
        assert model.scores([[record["fields"][name] for name in model.names]])[0] == record["p"]
    with client.Running(shelf, "--ledger", book) as service:
        again = client.closed_loop(service.port, wanted, 8).answers
    assert all(told.get(a["id"], a) == a for a in again)
    ids = [record["id"] for record in ledger.read(book.read_bytes())[0]]
    assert sorted(ids) == sorted(set(ids)) and len(ids) == 300


def test_a_fault_of_one_group_does_not_stop_the_next(shelf, tmp_path):
    """A model that fails once, in this process: those who wait are told, the next are served."""
    import asyncio

    model = card.current(shelf)
    scores, failures = model.scores, iter([ZeroDivisionError("once")])

    def fails_once(rows):
        if error := next(failures, None):
            raise error
        return scores(rows)

    model.scores = fails_once
    service = server.Service(model, ledger.Ledger(tmp_path / "l.txt"))

    async def work():
        writer = asyncio.create_task(service.write())
        first = await asyncio.gather(service.decide([one(1)]), return_exceptions=True)
        async with asyncio.timeout(20):
            second = await service.decide([one(1)])
        writer.cancel()
        return first, second

    first, second = asyncio.run(work())
    assert isinstance(first[0], ZeroDivisionError) and second[0]["id"] == one(1)["id"] and not service.pending
    assert len(ledger.read((tmp_path / "l.txt").read_bytes())[0]) == 1


def test_the_same_id_for_two_applications_at_once_is_decided_once(shelf, tmp_path):
    import asyncio

    service = server.Service(card.current(shelf), ledger.Ledger(tmp_path / "l.txt"))

    async def work():
        writer = asyncio.create_task(service.write())
        pair = (service.decide([one(1)]), service.decide([one(1) | {"limit": 20_000.0}]))
        both = await asyncio.gather(*pair, return_exceptions=True)
        writer.cancel()
        return both

    first, second = asyncio.run(work())
    assert first[0]["fields"]["limit"] == one(1)["limit"] and isinstance(second, contract.Refused)
    assert second.status == 409 and len(service.ledger.records) == 1


def test_a_ledger_of_an_earlier_version_with_other_fields(shelf, tmp_path):
    book, old = tmp_path / "l.txt", {"id": one(1)["id"], "version": "before", "fields": {"income": 3}, "p": 0.5}
    book.write_bytes(ledger.line(old | {"at": "2026-01-01T00:00:00+00:00", "decision": "keep"}))
    with client.Running(shelf, "--ledger", book) as service:
        status, answer = service.ask("/decide", one(1))
        assert status == 409 and answer["errors"][0]["field"] == "id"
        assert service.ask("/decide", one(2))[0] == 200
    with client.Running(_promoted(shelf, tmp_path), "--ledger", book) as service:
        again = service.ask("/decide", one(2) | {"version": card.current(shelf).version})[1]
        assert again["version"] == card.current(shelf).version, "a retry after a promotion keeps its first decision"
        assert service.ask("/decide", one(3))[1]["version"] == other_version(shelf)


def _promoted(shelf: Path, tmp_path: Path) -> Path:
    import shutil

    shutil.copytree(shelf, tmp_path / "other")
    card.promote(tmp_path / "other", other_version(shelf))
    return tmp_path / "other"


def test_the_error_on_purpose_loses_answers(shelf, tmp_path):
    book = tmp_path / "ledger.txt"
    with client.Running(shelf, "--ledger", book, "--buffered") as service:
        assert service.ask("/decide", one(1))[0] == 200
    assert book.read_bytes() == b""


@posix
def test_a_full_disk_is_said_and_nothing_answered_is_lost(shelf, tmp_path, monkeypatch):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000)); "
    monkeypatch.setattr(client, "PROGRAM", limit + client.PROGRAM)
    book = tmp_path / "ledger.txt"
    with client.Running(shelf, "--ledger", book) as service:
        replies = [service.ask("/decide", one(i)) for i in range(30)]
        health = service.ask("/health")
        card_still = service.ask("/card")[0]
    good = [answer["id"] for status, answer in replies if status == 200]
    bad = [answer["errors"] for status, answer in replies if status == 503]
    assert len(good) > 3 and len(good) + len(bad) == 30 and card_still == 200
    assert all(e["field"] == "ledger" and "make room" in e["todo"].lower() for (e,) in bad)
    assert health[0] == 503 and "ledger cannot be written" in health[1]["why"]
    records, end = ledger.read(book.read_bytes())
    assert [record["id"] for record in records] == good and end == book.stat().st_size, "no half line is left"
    monkeypatch.undo()
    with client.Running(shelf, "--ledger", book) as service:
        assert service.ask("/decide", one(29))[0] == 200, "with room again it goes on"


def test_a_torn_last_line_is_cut_off_wherever_it_was_torn(tmp_path):
    whole = b"".join(ledger.line({"id": f"row-{i:05d}", "p": 0.1 * i}) for i in range(3))
    last = whole.rindex(b"\n", 0, -1) + 1
    for length in range(last, len(whole)):
        path = tmp_path / f"{length}.txt"
        path.write_bytes(whole[:length])
        book = ledger.Ledger(path)
        assert [r["id"] for r in book.records] == ["row-00000", "row-00001"] and book.torn == length - last
        book.append([{"id": "new-00000"}])
        book.close()
        assert [r["id"] for r in ledger.read(path.read_bytes())[0]] == ["row-00000", "row-00001", "new-00000"]
        if book.torn and os.name == "posix":
            assert Path(f"{path}.torn").stat().st_mode & 0o077 == 0, "clients' data is nobody else's to read"
    blocks = whole[: last + 4] + b"\0" * 6 + whole[last + 10 :]  # a block of the last line did not reach the disk
    (tmp_path / "blocks.txt").write_bytes(blocks)
    assert len(ledger.Ledger(tmp_path / "blocks.txt").records) == 2


def test_a_damaged_line_inside_is_refused_and_left_alone(tmp_path):
    whole = b"".join(ledger.line({"id": f"row-{i:05d}"}) for i in range(5))
    for place in range(0, whole.rindex(b"\n", 0, -1), 7):
        content = bytearray(whole)
        content[place] ^= 4
        path = tmp_path / f"{place}.txt"
        path.write_bytes(content)
        with pytest.raises(CourseError, match=r"line \d: damaged"):
            ledger.Ledger(path)
        assert path.read_bytes() == content


@posix
def test_two_services_do_not_share_a_ledger(shelf, tmp_path):
    with client.Running(shelf, "--ledger", tmp_path / "l.txt"):
        out = subprocess.run(command(shelf, "--ledger", tmp_path / "l.txt"), capture_output=True, text=True, timeout=60)
    assert (
        out.returncode == 1 and out.stderr.startswith("Another service writes l.txt") and "Traceback" not in out.stderr
    )


# -------------------------------------------------------------------------------------------------- start and stop


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-c", client.PROGRAM, client.ROOT, *map(str, arguments)]


def test_a_taken_port_is_said_in_one_line(shelf, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        out = subprocess.run(command(shelf, "--port", port), capture_output=True, text=True, timeout=60)
    assert out.returncode == 1 and out.stderr.count("\n") == 1
    assert f"Port {port} on 127.0.0.1 cannot be had" in out.stderr and "0 for a free one" in out.stderr
    with pytest.raises(CourseError, match="from 0 to 65535"):
        server.bound(70_000)


@posix
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_says_a_line_that_works_and_stops_cleanly(stop, shelf, tmp_path):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command(shelf, "--ledger", tmp_path / "l.txt"), **pipes) as process:
        try:
            first, second = process.stdout.readline(), process.stdout.readline()
            assert "http://127.0.0.1:" in first and "Ctrl-C stops it" in first
            line = second.removeprefix("Try: ").strip()
            answer = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=30)  # noqa: S602 (ours)
            if answer.returncode != 127:  # curl is here
                assert json.loads(answer.stdout)["decision"] in ("keep", "cut")
            process.send_signal(stop)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0 and "Stopped. The ledger holds" in out and err == ""


def test_it_ends_with_its_parent(shelf, tmp_path):
    process = subprocess.Popen(
        command(shelf, "--child", "--ledger", tmp_path / "l.txt"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        process.stdout.readline()
        process.stdin.close()
        process.wait(timeout=20)
    finally:
        process.kill()
        process.stdout.close()


def test_it_listens_on_the_loopback_address_only(running):
    name = socket.gethostbyname(socket.gethostname())
    if name.startswith("127."):
        pytest.skip("this machine has no other address")
    with pytest.raises(OSError), socket.create_connection((name, running.port), timeout=5):
        pass


# -------------------------------------------------------------------------------------------------- models


def test_any_changed_byte_of_the_card_or_bit_of_the_model_is_refused(shelf, tmp_path):
    version = card.current(shelf).version
    for file, step in (("card.json", 41), ("model.keras", 997)):
        content = (shelf / version / file).read_bytes()
        for place in range(0, len(content), step):
            folder = tmp_path / f"{file}{place}" / version
            folder.mkdir(parents=True)
            for other in (shelf / version).iterdir():
                (folder / other.name).write_bytes(other.read_bytes())
            changed = bytearray(content)
            changed[place] ^= 1
            (folder / file).write_bytes(changed)
            if file == "card.json" and changed[place : place + 1].isspace():
                continue
            with pytest.raises(CourseError, match=r"Export|exported"):
                card.load(folder)


def test_a_missing_file_a_list_and_garbage_are_refused(shelf, tmp_path):
    with pytest.raises(CourseError, match="cannot be read"):
        card.load(tmp_path / "none")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "card.json").write_text("[]", encoding="utf-8")
    (tmp_path / "x" / "model.keras").write_bytes(b"garbage")
    with pytest.raises(CourseError, match="lacks"):
        card.load(tmp_path / "x")
    with pytest.raises(CourseError, match="no Keras model"):
        card._weights(b"garbage")


def test_promotion_goes_there_and_back_and_refuses_what_does_not_load(shelf, tmp_path):
    import shutil

    folder = tmp_path / "models"
    shutil.copytree(shelf, folder)
    first, second = card.current(folder).version, other_version(shelf)
    with pytest.raises(CourseError, match="no earlier version"):
        card.roll_back(folder)
    card.promote(folder, second)
    assert card.current(folder).version == second
    assert card.roll_back(folder) == first and card.current(folder).version == first
    with pytest.raises(CourseError, match="no earlier version"):
        card.roll_back(folder)
    assert card.current(folder).version == first, "going back twice does not return to the bad version"
    (folder / second / "model.keras").write_bytes(b"")
    with pytest.raises(CourseError):
        card.promote(folder, second)
    assert card.current(folder).version == first
    with pytest.raises(CourseError, match="No version"):
        card.current(tmp_path)


def test_scores_do_not_depend_on_the_rows_beside(shelf):
    model, rng = card.current(shelf), np.random.default_rng(3)
    rows = np.column_stack([rng.uniform(1e4, 1e6, 257), rng.integers(-2, 9, 257)])
    whole = model.scores(rows)
    for size in (1, 2, 3, 7, 8, 16, 63, 64):
        parts = [model.scores(rows[i : i + size]) for i in range(0, 257, size)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_the_shadow_scores_and_decides_nothing(shelf, tmp_path):
    book, shadow = tmp_path / "l.txt", other_version(shelf)
    with client.Running(shelf, "--ledger", book, "--shadow", shadow) as service:
        answers = client.closed_loop(service.port, bodies(40, "shadow"), 4).answers
    model, other = card.current(shelf), card.load(shelf / shadow)
    records = ledger.read(book.read_bytes())[0]
    assert all("shadow" not in answer and answer["version"] == model.version for answer in answers)
    for record in records:
        row = [[record["fields"][name] for name in model.names]]
        assert record["p"] == model.scores(row)[0] and record["shadow"]["p"] == other.scores(row)[0]
        assert set(record) == {"id", "at", "version", "fields", "p", "decision", "shadow"}


@pytest.mark.parametrize("wrong", [lambda rows: 1 / 0, lambda rows: np.full(len(rows), np.nan)])
def test_a_shadow_that_fails_stops_no_decision(wrong, shelf, tmp_path):
    import asyncio

    shadow = card.load(shelf / other_version(shelf))
    shadow.scores = wrong
    service = server.Service(card.current(shelf), ledger.Ledger(tmp_path / "l.txt"), shadow)

    async def work():
        writer = asyncio.create_task(service.write())
        async with asyncio.timeout(20):
            records = await service.decide([one(3)])
        writer.cancel()
        return records

    assert "shadow" not in asyncio.run(work())[0]
    assert [record["id"] for record in ledger.read((tmp_path / "l.txt").read_bytes())[0]] == [one(3)["id"]]


def test_layers_and_scales_that_fit_nothing_are_refused(shelf):
    model = card.current(shelf)
    loose = [(kernel[:-1] if number else kernel, bias) for number, (kernel, bias) in enumerate(model.weights)]
    with pytest.raises(CourseError, match="do not fit each other"):
        card.Model(model.card, loose)
    for wrong in (0.0, float("nan")):
        fields = [field | {"scale": wrong} for field in model.card["fields"]]
        with pytest.raises(CourseError, match="finite numbers"):
            card.Model(model.card | {"fields": fields}, model.weights)


# -------------------------------------------------------------------------------------------------- monitor and clients


def test_the_monitor_is_pearsons_test_whatever_the_portions(shelf):
    from scipy import stats

    rng = np.random.default_rng(4)
    scores, edges, shares = rng.random(1_050), [0.2, 0.5, 0.9], [0.2, 0.3, 0.4, 0.1]
    for sizes in ([1_050], [1] * 1_050, [99, 1, 100, 250, 600]):
        watch = monitor.Monitor(edges, shares, 100, 5.0)
        for part in np.split(scores, np.cumsum(sizes)[:-1]):
            watch.add(part)
        expected = [
            stats.chisquare(np.histogram(w, [0, *edges, 1])[0], 100 * np.array(shares)).statistic
            for w in scores[:1_000].reshape(10, 100)
        ]
        assert watch.windows == 10 and watch.last == pytest.approx(expected[-1]) and watch.counts.sum() == 50
        assert watch.alarms == [100 * (k + 1) for k, value in enumerate(expected) if value > 5.0]


def test_a_stopped_server_is_seen_by_the_open_loop_alone(shelf, tmp_path):
    slow = {}
    with client.Running(shelf, "--ledger", tmp_path / "l.txt") as service:
        service.ask("/decide", one(1, "warm"))
        for shape in ("closed", "open"):
            begin = threading.Event()
            stop = threading.Thread(target=lambda begin=begin: begin.wait(60) and service.pause(1.0))
            stop.start()
            if shape == "closed":
                told = lambda i, begin=begin: i > 30 and begin.set()  # noqa: E731
                load = client.closed_loop(service.port, bodies(120, shape), 1, on_answer=told)
            else:
                threading.Timer(0.3, begin.set).start()
                load = client.open_loop(service.port, bodies(120, shape), np.arange(120) / 80)
            stop.join()
            assert all(load.answers)
            slow[shape] = int((load.latency > 0.5).sum())
    assert 1 <= slow["closed"] <= 3 and slow["open"] >= 30


def test_a_load_says_what_was_lost(shelf, tmp_path):
    service = client.Running(shelf, "--ledger", tmp_path / "l.txt")
    service.kill()
    load = client.closed_loop(service.port, bodies(10, "gone"), 2)
    assert load.answers == [None] * 10 and np.isnan(load.latency).all()
    began = time.monotonic()
    with pytest.raises(CourseError):
        client.Running(tmp_path / "no models")
    assert time.monotonic() - began < 30


def test_the_contract_names_everything_in_words(shelf):
    checks = contract.Contract(card.current(shelf).card)
    assert checks.allowed("limit") == "a number from 10,000 to 1,000,000 (NT$)"
    assert checks.allowed("state") == "a whole number from -2 to 9 (code)"
    assert checks.check(one(3)) == [one(3)]
    assert len(contract.shown("x" * 500)) == 40
