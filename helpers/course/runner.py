"""Runs notebooks through papermill, each in its own worker process, and keeps account."""

from __future__ import annotations

import contextlib
import datetime
import importlib.util
import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from helpers.errors import CourseError
from helpers.notebooks import Notebook, code_hash, dumps, outputs_hash, root, tags, text, write_atomically

DEFAULT_BACKEND = "tensorflow"
SEED = 7
QUICK_CELL_TIMEOUT = 600
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def check_backend(backend: str) -> None:
    """Raise CourseError, saying what to type, when the backend's package is not installed."""
    if importlib.util.find_spec(backend) is None:
        raise CourseError(f"The backend {backend!r} is not installed. Type: python -m pip install -e '.[{backend}]'")


@dataclass
class Plan:
    """What to run and how; seconds of `timeout` are per cell."""

    notebooks: list[Notebook]
    out: Path
    profile: str = "quick"
    backend: str = DEFAULT_BACKEND
    jobs: int = 1
    timeout: int | None = None
    seed: int = SEED
    running: list[subprocess.Popen] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)


def _environment(plan: Plan, records: Path) -> dict[str, str]:
    return os.environ | {
        "KERAS_BACKEND": plan.backend,
        "COURSE_RECORD": str(records),
        "COURSE_PROGRESS": "off",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "JUPYTER_PREFER_ENV_PATH": "1",
        "PYTHONUNBUFFERED": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def _lines(path: Path) -> list[dict]:
    """The records of a run; a line cut short by a kill is left out."""
    found = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
    return found


def run_one(notebook: Notebook, plan: Plan, tell: Callable[[Notebook, dict], None]) -> dict:
    """Run one notebook to its end, whatever the end; returns its line of the report."""
    stem = plan.out / notebook.path.stem
    output, records, log = (stem.with_suffix(end) for end in (".ipynb", ".records", ".log"))
    for path in (output, records, log):
        path.unlink(missing_ok=True)
    order = {
        "notebook": str(notebook.path),
        "output": str(output),
        "cwd": str(notebook.path.parent),
        "parameters": {"PROFILE": plan.profile, "SEED": plan.seed},
        "timeout": plan.timeout,
    }
    began, end, last = time.monotonic(), {}, 0
    with log.open("w", encoding="utf-8") as errors:
        worker = subprocess.Popen(
            [sys.executable, "-m", "helpers.course.worker"],
            env=_environment(plan, records),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            cwd=Path(__file__).parents[2],  # not the user's, where a file html.py would stand before the library's
            start_new_session=True,  # Ctrl-C is for the runner, which then ends its workers in order
        )
        plan.running.append(worker)
        with contextlib.suppress(OSError):  # a worker that dies at once is told by its exit code below
            worker.stdin.write(json.dumps(order) + "\n")
            worker.stdin.flush()
        if plan.stopping.is_set():
            worker.kill()
        for line in worker.stdout:
            event = json.loads(line)
            if event["event"] == "end":
                end = event
            last = event.get("done", last)
            tell(notebook, event)
        code = worker.wait()
        with contextlib.suppress(OSError):
            worker.stdin.close()
        plan.running.remove(worker)
    tail = log.read_text(encoding="utf-8", errors="replace").strip()
    if not tail or end.get("status") == "ok":
        log.unlink()
    if not end:
        why = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        hint = f"; its log ends: {tail.splitlines()[-1]}" if tail and code > 0 else ""
        error = {"name": "Worker died", "message": f"the process that ran it ended {why}{hint}", "cell": None}
        end = {"status": "killed", "error": error, "first_output": None, "peak_mb": None}
    if plan.stopping.is_set() and end["status"] != "ok":
        end = end | {"status": "interrupted", "error": {}}
    lines = _lines(records)
    records.unlink(missing_ok=True)
    claims = [{"text": line["text"], "status": line["status"]} for line in lines if line["kind"] == "claim"]
    counts = {status: sum(claim["status"] == status for claim in claims) for status in ("held", "failed", "skipped")}
    session = next((line for line in lines if line["kind"] == "session"), {})
    error = end["error"]
    data, origins = {}, {}
    for line in lines:
        if line["kind"] == "data":  # one line a load: tables of one set may lie in different files
            data.setdefault(line["name"], {}).update(line.get("sha256") or {})
            if origins.get(line["name"], "real") == "real":
                origins[line["name"]] = line["origin"]
    if error:
        cell = notebook.cells[error["cell"] - 1] if error.get("cell") else {}
        first = (text(cell.get("source")).strip().splitlines() or [""])[0]
        message = ANSI.sub("", error["message"]).strip().splitlines() or [""]
        cause = f"{error['name']}: {message[0][:400]}".rstrip(": ")
        error = {"cell": error.get("cell"), "line": first[:160], "cause": cause}
    return {
        "number": notebook.number,
        "notebook": notebook.path.name,
        "title": notebook.title,
        "status": end["status"],
        "seconds": round(time.monotonic() - began, 1),
        "first_output_seconds": end["first_output"],
        "peak_mb": end["peak_mb"],
        "claims": counts,
        "claim_list": claims,
        "error": error or None,
        "data": data,
        "origins": origins,
        "metrics": [{k: v for k, v in line.items() if k != "kind"} for line in lines if line["kind"] == "metric"],
        "device": session.get("device", ""),
        "versions": session.get("versions", {}),
        "profile": plan.profile,
        "backend": plan.backend,
        "seed": plan.seed,
        "code_sha256": notebook.code_sha256,
        "date": datetime.date.today().isoformat(),
        "output": str(output),
    }


def execute(plan: Plan, tell: Callable[[Notebook, dict], None], done: Callable[[Notebook, dict], None]) -> None:
    """Run the plan, `jobs` at a time; `tell` and `done` are called from this thread only.

    Ctrl-C ends the workers, calls `done` for those that were running, and is raised again.
    """
    plan.out.mkdir(parents=True, exist_ok=True)
    todo, events = queue.SimpleQueue(), queue.SimpleQueue()
    for notebook in plan.notebooks:
        todo.put(notebook)

    def work() -> None:
        while not plan.stopping.is_set():
            try:
                notebook = todo.get_nowait()
            except queue.Empty:
                return
            try:
                events.put((done, notebook, run_one(notebook, plan, lambda *event: events.put((tell, *event)))))
            except Exception as error:
                events.put((None, notebook, error))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(max(1, min(plan.jobs, len(plan.notebooks))))]
    for thread in threads:
        thread.start()

    def drain() -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                call, notebook, what = events.get(timeout=0.1)  # short, so that Windows sees Ctrl-C
                if call is None:
                    raise what
                call(notebook, what)

    try:
        while any(thread.is_alive() for thread in threads):
            drain()
        drain()
    except BaseException:
        plan.stopping.set()
        for worker in list(plan.running):  # closing its input tells a worker to end its kernel and itself
            with contextlib.suppress(OSError):
                worker.stdin.close()
        for thread in threads:
            thread.join(timeout=10)
        with contextlib.suppress(Exception):
            drain()
        raise


def read_report(out: Path) -> dict:
    """The last report in a folder ({} where there is none, or none that can be read)."""
    try:
        report = json.loads((out / "report.json").read_text(encoding="utf-8"))
        return report if isinstance(report.get("results"), list) else {}
    except (OSError, ValueError, AttributeError):
        return {}


def known(report: dict) -> dict[str, dict]:
    """The last result of every notebook that a report knows, by number."""
    return {result["number"]: result for result in [*report.get("earlier", []), *report.get("results", [])]}


def is_done(result: dict | None, notebook: Notebook, plan: Plan) -> bool:
    """Whether a result says that this very code has passed with this profile and backend."""
    return (
        bool(result)
        and result["status"] == "ok"
        and Path(result["output"]).exists()
        and (result["code_sha256"], result["profile"], result["backend"])
        == (notebook.code_sha256, plan.profile, plan.backend)
    )


def write_report(plan: Plan, results: dict[str, dict], before: dict[str, dict], seconds: float) -> dict:
    """Write report.json; results of notebooks outside this run are carried along as `earlier`."""
    report = {
        "profile": plan.profile,
        "backend": plan.backend,
        "date": datetime.date.today().isoformat(),
        "seconds": round(seconds, 1),
        "results": [results[number] for number in sorted(results)],
        "earlier": [before[number] for number in sorted(before) if number not in results],
    }
    write_atomically(plan.out / "report.json", json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return report


def write_card(result: dict) -> Path | None:
    """Write results/NN.json for a clean full run on real data; returns its path, None for any other run."""
    clean = result["status"] == "ok" and result["profile"] == "full" and not result["claims"]["failed"]
    if not clean or stand_ins(result):
        return None
    fields = (
        "notebook",
        "code_sha256",
        "data",
        "profile",
        "backend",
        "device",
        "versions",
        "metrics",
        "claims",
        "seconds",
        "peak_mb",
        "date",
    )
    card = {name: result[name] for name in fields} | {"seeds": [result["seed"]]}
    path = root() / "results" / f"{result['number']}.json"
    write_atomically(path, json.dumps(card, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    return path


def clean_outputs(cell: dict) -> list[dict]:
    """The outputs of an executed cell as they may be stored: no empty stream, nothing that changes by itself."""
    kept = []
    for output in cell.get("outputs", []):
        if output["output_type"] == "stream" and not text(output["text"]).strip("\n"):
            continue
        output = {key: value for key, value in output.items() if key != "transient"}
        kept.append(output)
    return kept


def stamped(notebook: Notebook, result: dict) -> str:
    """The notebook's file with the outputs of a run and the stamp of that run."""
    executed = json.loads(Path(result["output"]).read_text(encoding="utf-8"))["cells"]
    executed = [cell for cell in executed if "injected-parameters" not in tags(cell)]
    raw, count = json.loads(json.dumps(notebook.raw)), 0
    for cell, ran in zip(raw["cells"], executed, strict=True):
        jupyter = {k: v for k, v in cell.get("metadata", {}).get("jupyter", {}).items() if k.endswith("_hidden")}
        kept = {"tags": tags(cell), "jupyter": jupyter}
        cell["metadata"] = {name: value for name, value in kept.items() if value}
        if cell["cell_type"] != "code":
            continue
        cell["outputs"] = clean_outputs(ran)
        cell["execution_count"] = None
        if text(cell["source"]).strip():
            count += 1
            cell["execution_count"] = count
        for output in cell["outputs"]:
            if "execution_count" in output:
                output["execution_count"] = cell["execution_count"]
    keep = {key: value for key, value in raw["metadata"].get("course", {}).items() if key != "stamp"}
    fields = ("data", "profile", "seed", "backend", "device", "date", "seconds", "peak_mb")
    stamp = {name: result[name] for name in fields}
    stamp |= {"code_sha256": code_hash(raw), "outputs_sha256": outputs_hash(raw), "claims": result["claims"]}
    raw["metadata"] = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "course": keep | {"stamp": stamp},
    }
    return dumps(raw)


def stand_ins(result: dict) -> str:
    """The data sets that were made up; a sample is real rows with a checksum, and its notebook says so."""
    return ", ".join(name for name, origin in result["origins"].items() if origin == "simulated")


def why_not_stamped(result: dict) -> str:
    """One sentence when a passed run may not stamp its notebook ('' when it may)."""
    if unreal := stand_ins(result):
        return f"not stamped: {unreal} was stand-in data; set COURSE_DATA_MIRROR or run `course data fetch`"
    return ""
