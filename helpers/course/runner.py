"""Runs notebooks through papermill, each in its own worker process, and keeps account."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
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

from helpers.course import folder
from helpers.errors import CourseError
from helpers.notebooks import Notebook, code_hash, dumps, outputs_hash, root, tags, text, write_atomically

DEFAULT_BACKEND = "tensorflow"
SEED = 7
QUICK_CELL_TIMEOUT = 600
USUAL_SECONDS, USUAL_MB = 45, 1300  # of a notebook that has no stamp yet
# What makes this processor compute like a plainer one, with other last digits: other kernels, one thread.
OTHER_PROCESSOR = {
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_NUM_INTRAOP_THREADS": "1",
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4",
}
MOST_LOG = 10_000_000  # bytes that a log may hold
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
STATUSES = ("ok", "failed", "killed", "interrupted")
CLAIM_STATUSES = ("held", "failed", "skipped")
# What the lines of a record, and the results of a report, must be like to be read at all.
RECORDS = {
    "claim": {"text": str, "status": str},
    "data": {"name": str, "origin": str, "sha256": (dict, type(None))},
    "metric": {"name": str, "values": list},
    "session": {"device": str, "versions": dict},
    "exercise": {"cell": int, "wrong": int, "why": str},
}
NUMBER, MAYBE = (int, float), (int, float, type(None))
RESULT = {name: str for name in ("number", "notebook", "title", "status", "profile", "backend", "date", "output")}
RESULT |= {name: dict for name in ("claims", "data", "origins", "versions")} | {"claim_list": list, "metrics": list}
RESULT |= {"seconds": NUMBER, "peak_mb": MAYBE, "first_output_seconds": MAYBE, "error": (dict, type(None))}
RESULT |= {"seed": int, "code_sha256": str, "device": str, "notes": list}


def check_backend(backend: str) -> None:
    """Raise CourseError, saying what to type, when the backend's package is not installed."""
    if importlib.util.find_spec(backend) is None:
        raise CourseError(f"The backend {backend!r} is not installed. Type: python -m pip install -e '.[{backend}]'")


@dataclass
class Plan:
    """What to run and how; seconds of `timeout` are per cell.

    `inject` is the source of one cell to run behind the imports, `env` is added to the worker's environment. With
    `stamping` the claims of the run need not be those of the last stamp; `confine` is what a strange notebook may do.
    """

    notebooks: list[Notebook]
    out: Path
    profile: str = "quick"
    backend: str = DEFAULT_BACKEND
    jobs: int = 1
    timeout: int | None = None
    seed: int = SEED
    inject: str = ""
    env: dict[str, str] = field(default_factory=dict)
    stamping: bool = False
    confine: dict | None = None
    running: list[subprocess.Popen] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def is_stamped(self, notebook: Notebook) -> bool:
        """Whether this runs what the notebook's stamp tells of: its code, quick, with its seed, on its backend."""
        stamp = {name: notebook.stamp.get(name) for name in ("code_sha256", "profile", "seed", "backend")}
        mine = {"profile": self.profile, "seed": self.seed, "backend": self.backend}
        return stamp == {"code_sha256": notebook.code_sha256} | mine and not self.inject


def seconds_of(notebook: Notebook) -> float:
    """How long a quick run takes by itself, from the stamp."""
    return notebook.stamp.get("seconds") or USUAL_SECONDS


def jobs_for(notebooks: list[Notebook], jobs: int | str = "auto") -> int:
    """How many to run at a time: a number as it is, "auto" as many as cores and free memory have room for."""
    if jobs != "auto":
        return int(jobs)
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    room = 0.9 * psutil.virtual_memory().available / 2**20
    with contextlib.suppress(OSError, ValueError):  # a container's own limit
        limit, used = (int(Path("/sys/fs/cgroup", f"memory.{name}").read_text()) for name in ("max", "current"))
        room = min(room, 0.9 * (limit - used) / 2**20)
    largest = sorted((nb.stamp.get("peak_mb") or USUAL_MB for nb in notebooks), reverse=True)
    fitting = sum(sum(largest[: n + 1]) <= room for n in range(min(cores, len(largest))))
    return max(1, fitting)


def expected_seconds(notebooks: list[Notebook], jobs: int) -> float:
    """How long a quick run of these will take, from their stamps."""
    each = [seconds_of(notebook) for notebook in notebooks]
    return max(max(each), sum(each) / jobs)


def _environment(plan: Plan, records: Path) -> dict[str, str]:
    return (
        os.environ
        | {
            "KERAS_BACKEND": plan.backend,
            "COURSE_RECORD": str(records),
            "COURSE_PROGRESS": "off",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "JUPYTER_PREFER_ENV_PATH": "1",
            "PYTHONUNBUFFERED": "1",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }
        | plan.env
    )


def _fits(what: object, shape: dict[str, object]) -> bool:
    return isinstance(what, dict) and all(isinstance(what.get(name), kind) for name, kind in shape.items())


def _lines(path: Path) -> tuple[list[dict], int]:
    """The records of a run, and how many lines could not be read: cut short by a kill, or written by something else."""
    found, odd = [], 0
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            what = json.loads(line)
            sound = _fits(what, RECORDS[what["kind"]])
            sound = sound and (what["kind"] != "claim" or what["status"] in CLAIM_STATUSES)
        except (ValueError, KeyError, TypeError):
            sound = False
        found += [what] if sound else []
        odd += not sound
    return found, odd


def _start_worker(notebook: Notebook, plan: Plan, paths: dict[str, Path]) -> subprocess.Popen:
    """Start the process that runs the notebook, and give it its order."""
    order = {
        "notebook": str(notebook.path),
        "output": str(paths["copy"]),
        "cwd": str(notebook.path.parent),
        "parameters": {"PROFILE": plan.profile, "SEED": plan.seed},
        "timeout": plan.timeout,
        "inject": plan.inject,
        "confine": plan.confine,
    }
    worker = subprocess.Popen(
        [sys.executable, "-m", "helpers.course.worker"],
        env=_environment(plan, paths["records"]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],  # not the user's, where a file html.py would stand before the library's
        start_new_session=True,  # Ctrl-C is for the runner, which then ends its workers in order
    )
    plan.running.append(worker)
    with contextlib.suppress(OSError):  # a worker that dies at once is told by its exit code
        worker.stdin.write(json.dumps(order).encode() + b"\n")
        worker.stdin.flush()
    if plan.stopping.is_set():
        worker.kill()
    return worker


def _keep_log(pipe, path: Path) -> None:
    """Write what comes through a pipe into a file, up to a limit."""
    room = MOST_LOG
    with open(path, "wb") as log:
        while piece := pipe.read1(65536):
            log.write(piece[:room])
            room -= len(piece[:room])


def _end_strays(records: Path) -> None:
    """Kill what a notebook has started and its worker could not end, known by the variable that they inherited."""
    import psutil

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("COURSE_RECORD") == str(records):
                process.kill()


def _attend(notebook: Notebook, plan: Plan, paths: dict[str, Path], tell: Callable[[Notebook, dict], None]) -> dict:
    """Run a worker to its end; returns its last event, or one that says how it died."""
    worker, end = _start_worker(notebook, plan, paths), {}
    log = threading.Thread(target=_keep_log, args=(worker.stderr, paths["log"]), daemon=True)
    log.start()
    for line in worker.stdout:
        event = json.loads(line)
        end = event if event["event"] == "end" else end
        tell(notebook, event)
    code = worker.wait()
    _end_strays(paths["records"])
    log.join(timeout=10)
    with contextlib.suppress(OSError):
        worker.stdin.close()
    plan.running.remove(worker)
    if not end:
        tail = paths["log"].read_text(encoding="utf-8", errors="replace").strip().splitlines()
        why = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        hint = f"; its log ends: {tail[-1]}" if tail and code > 0 else ""
        error = {"name": "Worker died", "message": f"the process that ran it ended {why}{hint}", "cell": None}
        end = {"status": "killed", "error": error, "first_output": None, "peak_mb": None, "exercises": 0, "printed": 0}
    if plan.stopping.is_set() and end["status"] != "ok":
        end |= {"status": "interrupted", "error": {}}
    return end


def _account(lines: list[dict]) -> dict:
    """What the records of a run say, as parts of its result."""
    fields = {"text": "", "status": "", "label_free": False}
    claims = [{k: line.get(k, v) for k, v in fields.items()} for line in lines if line["kind"] == "claim"]
    session = next((line for line in lines if line["kind"] == "session"), {})
    data, origins = {}, {}
    for line in lines:
        if line["kind"] == "data":  # one line a load: tables of one set may lie in different files
            data.setdefault(line["name"], {}).update(line["sha256"] or {})
            if origins.get(line["name"], "real") == "real":
                origins[line["name"]] = line["origin"]
    return {
        "claims": {status: sum(claim["status"] == status for claim in claims) for status in CLAIM_STATUSES},
        "claim_list": claims,
        "data": data,
        "origins": origins,
        "metrics": [{k: v for k, v in line.items() if k != "kind"} for line in lines if line["kind"] == "metric"],
        "device": session.get("device", ""),
        "versions": session.get("versions", {}),
    }


def _error(notebook: Notebook, error: dict) -> dict | None:
    """An error as the report shows it: cell, its first line, cause."""
    if not error:
        return None
    cell = notebook.cells[error["cell"] - 1] if error.get("cell") else {}
    first = (text(cell.get("source")).strip().splitlines() or [""])[0]
    message = ANSI.sub("", error["message"]).strip().splitlines() or [""]
    cause = f"{error['name']}: {message[0][:400]}".rstrip(": ")
    return {"cell": error.get("cell"), "line": first[:160], "cause": cause}


def _objection(notebook: Notebook, plan: Plan, result: dict, lines: list[dict]) -> dict:
    """Why a notebook whose every cell has run fails all the same ({} where it does not)."""
    for line in lines:
        if line["kind"] == "exercise" and line["why"]:
            message = f"wrong answer {line['wrong']} {line['why']}"
            return {"name": "Exercise", "message": message, "cell": line["cell"]}
    if not (plan.is_stamped(notebook) or plan.stamping) or not set(result["origins"].values()) <= {"real", "sample"}:
        return {}
    from helpers.course import hygiene

    raw = json.loads(Path(result["output"]).read_text(encoding="utf-8"))
    for cell, what, mend, *warning in hygiene._outputs(Notebook(notebook.path, with_outputs(notebook, raw))):
        if not warning:
            return {"name": "Output", "message": f"{what} ({mend})", "cell": cell}
    now, then = result["claims"], notebook.stamp.get("claims")
    if plan.stamping or (
        now == then and notebook.stamp.get("claims_sha256", claims_hash(result)) == claims_hash(result)
    ):
        return {}
    why = f"{now} in this run, {then} in the stamp" if now != then else "other words or another order than in the stamp"
    return {"name": "Claims", "message": f"{why}; if that is meant: course refresh {notebook.number}", "cell": None}


def claims_hash(result: dict) -> str:
    """SHA-256 over the claims of a run, texts and endings, in their order."""
    return hashlib.sha256(json.dumps([[c["text"], c["status"]] for c in result["claim_list"]]).encode()).hexdigest()


def run_one(notebook: Notebook, plan: Plan, tell: Callable[[Notebook, dict], None]) -> dict:
    """Run one notebook to its end, whatever the end; returns its line of the report."""
    house, output = plan.out / folder.HOUSE, plan.out / notebook.path.name
    folder.check(output)
    paths = {"copy": house / notebook.path.name, "records": house / f"{notebook.path.stem}.records"}
    paths["log"] = house / f"{notebook.path.stem}.log"
    for path in (output, *paths.values()):
        path.unlink(missing_ok=True)
    began = time.monotonic()
    end = _attend(notebook, plan, paths, tell)
    seconds = time.monotonic() - began - end["exercises"]
    lines, odd = _lines(paths["records"])
    paths["records"].unlink(missing_ok=True)
    notes = [f"{odd} odd lines of its record were left out"] * bool(odd)
    if os.path.lexists(output):
        notes.append(f"{output} was written by somebody else meanwhile and stays; the copy is {paths['copy']}")
        output = paths["copy"]
    elif paths["copy"].exists():
        os.replace(paths["copy"], output)
    if end["printed"] > MOST_LOG:
        notes.append(
            f"it printed {end['printed'] / 1e6:.0f} MB; what came after the first {MOST_LOG / 1e6:.0f} was dropped"
        )
    result = {
        "number": notebook.number,
        "notebook": notebook.path.name,
        "title": notebook.title,
        "status": end["status"],
        "seconds": round(seconds, 1),
        "first_output_seconds": end["first_output"],
        "peak_mb": end["peak_mb"],
        **_account(lines),
        "profile": plan.profile,
        "backend": plan.backend,
        "seed": plan.seed,
        "code_sha256": notebook.code_sha256,
        "work_sha256": notebook.work_sha256,
        "date": datetime.date.today().isoformat(),
        "output": str(output),
        "notes": notes,
        "exercises": [line for line in lines if line["kind"] == "exercise"],
    }
    error = end["error"]
    if end["status"] == "ok":
        paths["log"].unlink(missing_ok=True)
        if error := _objection(notebook, plan, result, lines):
            result["status"] = "failed"
    return result | {"error": _error(notebook, error)}


def execute(plan: Plan, tell: Callable[[Notebook, dict], None], done: Callable[[Notebook, dict], None]) -> None:
    """Run the plan, `jobs` at a time, the longest first; `tell` and `done` are called from this thread only.

    Ctrl-C ends the workers, calls `done` for those that were running, and is raised again.
    """
    with folder.hold(plan.out, plan.notebooks):
        _execute(plan, tell, done)


def _execute(plan: Plan, tell: Callable[[Notebook, dict], None], done: Callable[[Notebook, dict], None]) -> None:
    todo, events = queue.SimpleQueue(), queue.SimpleQueue()
    for notebook in sorted(plan.notebooks, key=seconds_of, reverse=True):
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
        return report if isinstance(report["results"], list) and isinstance(report.get("earlier", []), list) else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def known(report: dict) -> dict[str, dict]:
    """The last result of every notebook that a report knows, by number; what is not of a result's form is left out."""
    results = [*report.get("earlier", []), *report.get("results", [])]
    return {result["number"]: result for result in results if is_result(result)}


def is_result(what: object) -> bool:
    """Whether something in a report is of the form of a result."""
    return _fits(what, RESULT) and what["status"] in STATUSES


def is_done(result: dict | None, notebook: Notebook, plan: Plan) -> bool:
    """Whether a result says that this very code has passed with this profile, backend and seed."""
    return (
        bool(result)
        and result["status"] == "ok"
        and Path(result["output"]).exists()
        and (result["code_sha256"], result["profile"], result["backend"], result["seed"])
        == (notebook.code_sha256, plan.profile, plan.backend, plan.seed)
    )


def write_report(plan: Plan, results: dict[str, dict], before: dict[str, dict], seconds: float) -> dict:
    """Write report.json; results of notebooks outside this run are carried along as `earlier`."""
    report = {
        "profile": plan.profile,
        "backend": plan.backend,
        "seed": plan.seed,
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
        "work_sha256",
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
    card = {name: result[name] for name in fields if name in result} | {"seeds": [result["seed"]]}
    path = root() / "results" / f"{result['number']}.json"
    write_atomically(path, json.dumps(card, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    return path


def clean_outputs(cell: dict) -> list[dict]:
    """The outputs of an executed cell as they may be stored: no empty stream, nothing that changes by itself.

    A kernel sends a stream in pieces that depend on the clock ("done", then its line's end); the pieces are one again.
    """
    kept = []
    for output in cell.get("outputs", []):
        output = {key: value for key, value in output.items() if key != "transient"}
        last = kept[-1] if kept else {}
        if output["output_type"] == last.get("output_type") == "stream" and output["name"] == last["name"]:
            output["text"] = text(last["text"]) + text(output["text"])
            kept.pop()
        kept.append(output)
    return [output for output in kept if output["output_type"] != "stream" or text(output["text"]).strip("\n")]


def with_outputs(notebook: Notebook, executed: dict) -> dict:
    """The notebook's content with the outputs of an executed copy, as they may be stored."""
    cells = [c for c in executed["cells"] if not {"injected-parameters", "papermill-error-cell-tag"} & set(tags(c))]
    raw, count = json.loads(json.dumps(notebook.raw)), 0
    for cell, ran in zip(raw["cells"], cells, strict=True):
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
    return raw


def stamped(notebook: Notebook, result: dict) -> str:
    """The notebook's file with the outputs of a run and the stamp of that run."""
    raw = with_outputs(notebook, json.loads(Path(result["output"]).read_text(encoding="utf-8")))
    for cell in raw["cells"]:
        metadata = cell.get("metadata", {})
        jupyter = {key: value for key, value in metadata.get("jupyter", {}).items() if key.endswith("_hidden")}
        wrong = {key: value for key, value in metadata.get("course", {}).items() if key == "wrong"}
        kept = {"tags": tags(cell), "jupyter": jupyter, "course": wrong, "slideshow": metadata.get("slideshow")}
        cell["metadata"] = {name: value for name, value in kept.items() if value}
    keep = {key: value for key, value in raw["metadata"].get("course", {}).items() if key not in ("stamp", "run")}
    fields = ("data", "profile", "seed", "backend", "device", "date", "seconds", "peak_mb")
    stamp = {name: result[name] for name in fields}
    stamp |= {"code_sha256": code_hash(raw), "outputs_sha256": outputs_hash(raw)}
    stamp |= {"claims": result["claims"], "claims_sha256": claims_hash(result)}
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
