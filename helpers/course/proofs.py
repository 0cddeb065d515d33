"""Proofs by change: what is too slow for every run, done once for each state of a notebook and kept on record.

A proof is of one notebook and one kind. Its key covers all that could change its outcome; while the key on record in
results/proofs.json is the key of today, it stands. Only what has passed is written there, one proof a line, and the
last line is always the same: so Git can unite two branches line by line (merge=union) into valid JSON.
"""

from __future__ import annotations

import ast
import contextlib
import datetime
import functools
import hashlib
import importlib.metadata
import json
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from helpers.course import runner
from helpers.course.controls import ASSERT
from helpers.errors import CourseError
from helpers.notebooks import Notebook, catalogue, root, tags, text, work, write_atomically

HOME = Path(__file__).parents[2]
KINDS = {
    "stand-ins": "without a network, on stand-in data",
    "controls": "in its wrong worlds",
    "seed": "under a seed that nobody has seen",
    "jax": "on Keras with JAX",
    "torch": "on Keras with PyTorch",
    "colab": "on Colab's packages",
    "browser": "in JupyterLab",
}
OUTSIDE = ("jax", "torch", "colab", "browser")  # in an environment of their own, by a process of their own
MORE = {  # what a kind rests on besides the notebook and its rooms
    "controls": ("helpers/course/controls.py",),
    "colab": ("helpers/course/colab.py", "helpers/course/templates/setup_cell.py", "tests/colab/test_colab.py"),
    "browser": ("tests/browser/test_jupyterlab.py",),
}
CLOSED = "http://127.0.0.1:9"  # the discard port: nothing listens there
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
SETUP_SECONDS = 120  # to make an environment, where it is not there yet
SPARING = "from helpers.course import controls\n\ncontrols.spare_exercises()\n"
LENIENT = "from helpers.course import controls\n\ncontrols.lenient()\n"
LAST = '"": "One proof a line, the newest counts; written by `course proof` and `course seeds` alone."'


class Unavailable(CourseError):
    """A package or a program that this kind of proof needs cannot be had here."""


# --- keys -----------------------------------------------------------------------------------------------------------


@functools.cache
def _imports(source: str, package: str) -> tuple[str, ...]:
    """Dotted names below `helpers` that a source imports, at its top or later, or names in a string."""
    source = re.sub(r"^(\s*)[%!?].*$", r"\1pass", source, flags=re.M)  # a notebook's magics
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ("helpers.",)  # cannot be read: it may reach everything
    names, bound = [], {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            bound |= {alias.asname or alias.name: f"{module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names += re.findall(r"^helpers(?:\.\w+)*\.?$", node.value)  # for importlib; a dot at the end: all in it
    # worlds.garch11 needs the file of garch11 alone; worlds by itself, as in getattr(worlds, name), all of them
    dotted = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)]
    whole = {id(node.value) for node in dotted}
    bare = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in whole}
    used = [f"{bound[node.value.id]}.{node.attr}" for node in dotted if node.value.id in bound]
    seen = {name.rpartition(".")[0] for name in used}
    names += used + [name for alias, name in bound.items() if name not in seen or alias in bare]
    return tuple(name for name in names if name.split(".")[0] == "helpers")


@functools.cache
def _window(source: str) -> dict[str, str]:
    """Where the names of a package are from whose __init__ does nothing but import them (name → module), else {}."""
    *body, last = ast.parse(source).body or [None]
    imports = [node for node in body if isinstance(node, ast.ImportFrom)]
    plain = isinstance(last, ast.Assign) and len(imports) >= len(body) - 1 and all(i.level == 0 for i in imports)
    return {alias.name: node.module for node in imports for alias in node.names} if plain else {}


def rooms(sources: Iterable[str], home: Path = HOME) -> list[Path]:
    """The files of helpers/ that code reaches through imports, at any depth, sorted; of a package that is a mere list
    of imports, as helpers/worlds is, only the modules whose names are used: a new world changes nobody's key.
    """
    found: set[Path] = set()
    todo = [(source, "") for source in sources]
    while todo:
        for name in _imports(*todo.pop()):
            place, files = home, []
            parts = name.rstrip(".").split(".")
            for depth, part in enumerate(parts, 1):
                place = place / part
                file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
                window = _window(file.read_text(encoding="utf-8")) if place.is_dir() and file.exists() else {}
                if depth < len(parts) and parts[depth] in window:
                    module = home.joinpath(*window[parts[depth]].split(".")).with_suffix(".py")
                    files.append(module)
                    break
                files.append(file)
            if name.endswith("."):
                files += place.rglob("*.py")
            for file in files:
                if file not in found and file.exists():
                    found.add(file)
                    todo.append((file.read_text(encoding="utf-8"), ".".join(file.parent.relative_to(home).parts)))
    return sorted(found)


def pins(code: str, home: Path = HOME) -> list[str]:
    """Lines NAME==VERSION of the lock that `code` can rest on: what it names, the core, TensorFlow and what they need.

    A server or a test tool that joins the lock leaves the results of all others as they were.
    """
    lock = (home / "requirements.txt").read_text(encoding="utf-8") if (home / "requirements.txt").exists() else ""
    known = _core() | {word.replace("_", "-").lower() for word in re.findall(r"[\w.-]+", code)}
    return [line for line in re.findall(r"^[\w.-]+==\S+", lock, re.MULTILINE) if line.split("==")[0] in known]


@functools.cache
def _core() -> frozenset[str]:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found, todo = set(), [("deep-learning-in-finance", "tensorflow"), ("tensorflow", ""), ("tensorflow-cpu", "")]
    while todo:
        name, extra = todo.pop()
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            for line in importlib.metadata.requires(name) or ():
                need = Requirement(line)
                if need.marker is None or need.marker.evaluate({"extra": extra}):
                    for brought in ("", *need.extras):
                        one = (canonicalize_name(need.name), brought)
                        if one not in found:
                            found.add(one)
                            todo.append(one)
    return frozenset(name for name, _ in found)


def controls_of(notebook: Notebook) -> dict[str, str]:
    """Its wrong worlds: name → source."""
    return notebook.raw["metadata"].get("course", {}).get("controls", {})


def base(notebook: Notebook, home: Path = HOME) -> str:
    """SHA-256 over code cells, controls, wrong answers, the rooms they reach, their data sets and the lock's lines."""
    code = [cell for cell in notebook.cells if cell["cell_type"] == "code" and "setup" not in tags(cell)]
    sources = [text(cell["source"]) for cell in code]
    wrong = [cell["metadata"]["course"] for cell in code if cell.get("metadata", {}).get("course")]
    named = set(re.findall(r"[\"'](\w+)[\"']", "\n".join(sources)))
    sets = {name: entry for name, entry in catalogue().items() if name in named}
    whole = "\n".join(sources)  # one cell imports what another uses
    rested = _contents(rooms([whole], home), home)
    parts = [notebook.work_sha256, controls_of(notebook), wrong, sets, rested, pins(whole, home)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def key(notebook: Notebook, kind: str, home: Path = HOME, of: str = "") -> str:
    """SHA-256 over `base` (or `of`, where that is known) and what the kind rests on besides."""
    parts = [kind, of or base(notebook, home), _contents([home / name for name in MORE.get(kind, ())], home)]
    if kind == "colab":
        parts.append(tomllib.loads((home / "pyproject.toml").read_text(encoding="utf-8"))["project"])
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _contents(files: list[Path], home: Path) -> dict[str, str]:
    return {
        file.relative_to(home).as_posix(): work(file.read_text(encoding="utf-8")) for file in files if file.exists()
    }


# --- the record -----------------------------------------------------------------------------------------------------


def read(name: str = "proofs.json") -> dict[str, dict]:
    """What stands in results/NAME ({} where there is none); of two lines for one thing the newer counts."""

    def newest(pairs: list[tuple[str, object]]) -> dict:
        found = {}
        for name, value in pairs:
            dates = [entry.get("date", "") for entry in (value, found.get(name)) if isinstance(entry, dict)]
            if len(dates) < 2 or dates[0] >= dates[1]:
                found[name] = value
        return found

    path = root() / "results" / name
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=newest) if path.exists() else {}
        return {name: entry for name, entry in content.items() if isinstance(entry, dict)}
    except (ValueError, AttributeError) as error:
        raise CourseError(f"results/{path.name} cannot be read ({error}); restore it with Git.") from None


def now() -> str:
    """The time in UTC, to the second: two branches that meet may have proven the same thing on one day."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def write(entries: dict[str, dict], name: str = "proofs.json") -> None:
    """Put entries into results/NAME, beside what others have put there; in one step, sorted."""
    lines = [
        f"{json.dumps(title)}: {json.dumps(entry, sort_keys=True, ensure_ascii=False)},\n"
        for title, entry in sorted((read(name) | entries).items())
    ]
    write_atomically(root() / "results" / name, "{\n" + "".join(lines) + LAST + "\n}\n")


@dataclass(frozen=True)
class Proof:
    """One thing to prove: its key today, the date it was last proven ('' never), whether that still stands."""

    notebook: Notebook
    kind: str
    key: str
    seconds: float
    date: str = ""
    stands: bool = False

    @property
    def title(self) -> str:
        """How it stands in the record."""
        return f"{self.notebook.number} {self.kind}"


def everything(notebooks: list[Notebook], kinds: Iterable[str] = ()) -> list[Proof]:
    """Every proof of these notebooks and kinds: what is owed and never proven first, then by age."""
    entries, found = read(), []
    unmade = {kind for kind in OUTSIDE if kind != "browser" and not _environment(kind).exists()}
    for notebook in notebooks:
        state = base(notebook)
        for kind in kinds or KINDS:
            if kind == "controls" and not controls_of(notebook):
                continue
            today, entry = key(notebook, kind, of=state), entries.get(f"{notebook.number} {kind}", {})
            times = len(controls_of(notebook)) if kind == "controls" else 1
            seconds = entry.get("seconds") or times * runner.seconds_of(notebook)
            if kind in unmade:  # once
                unmade.remove(kind)
                seconds += SETUP_SECONDS
            found.append(Proof(notebook, kind, today, seconds, entry.get("date", ""), entry.get("key") == today))
    order = list(KINDS)
    return sorted(found, key=lambda proof: (proof.date, order.index(proof.kind), proof.notebook.number))


def affordable(proofs: list[Proof], minutes: float, jobs: int) -> list[Proof]:
    """Of these proofs, in their order, as many as fit into the minutes with `jobs` at a time."""
    left, chosen = minutes * 60 * jobs, []
    for proof in proofs:
        if proof.seconds <= left:
            chosen.append(proof)
            left -= proof.seconds
    return chosen


# --- proving --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What came of a proof: faults (none: it has passed), or why it cannot be had here."""

    proof: Proof
    seen: str = ""
    faults: tuple[str, ...] = ()
    unavailable: str = ""
    seconds: float = 0.0


def run_one(notebook: Notebook, folder: str, **options: object) -> dict:
    """Run one notebook under a plan of its own in build/proof/; returns its line of the report."""
    results = []
    options = {"timeout": runner.QUICK_CELL_TIMEOUT} | options
    plan = runner.Plan([notebook], root() / "build" / "proof" / f"{notebook.number}-{folder}", **options)
    runner.execute(plan, lambda *_: None, lambda _, result: results.append(result))
    return results[0]


def stopped(result: dict) -> list[str]:
    """One line where the run did not reach its end."""
    if result["status"] == "ok":
        return []
    error = result["error"] or {}
    place = f"cell {error['cell']} ({error['line']}): " if error.get("cell") else ""
    return [f"{result['status']} at {place}{error.get('cause', '')}"]


def claims_of(result: dict) -> dict[str, dict]:
    """Text → the claim, without the value that a band adds when it fails; of two with one text the worse."""
    found, order = {}, ("held", "skipped", "failed")
    for claim in result["claim_list"]:
        name = claim["text"].partition(", but this run gave ")[0]
        if name not in found or order.index(claim["status"]) > order.index(found[name]["status"]):
            found[name] = claim
    return found


def _stand_ins(notebook: Notebook) -> tuple[str, list[str]]:
    with tempfile.TemporaryDirectory() as cache:
        nowhere = dict.fromkeys(PROXIES, CLOSED) | {"NO_PROXY": "", "no_proxy": ""}
        env = nowhere | {"COURSE_DATA_DIR": cache, "COURSE_DATA_MIRROR": ""}
        result = run_one(notebook, "stand-ins", env=env, inject=SPARING)
    faults, skipped = stopped(result), result["claims"]["skipped"]
    if not faults:
        copy = Path(result["output"]).read_text(encoding="utf-8")
        for name, origin in result["origins"].items():
            if origin != "simulated":
                faults.append(f"{name} was {origin} though nothing could be reached")
            elif f"STAND-IN DATA: {name} " not in copy:
                faults.append(f"no banner for {name}")
        if result["origins"] and not skipped:
            faults.append("no claim was left unchecked: name the frame that a claim speaks of (on=…)")
    return f"{skipped} claims on real data left unchecked", faults


def judge_controls(worlds: dict[str, dict]) -> list[str]:
    """What is wrong with a notebook's claims, from its runs in wrong worlds (name → line of the report)."""
    faults = [f"world {name!r}: {line}" for name, result in worlds.items() for line in stopped(result)]
    faults += [
        f"world {name!r} ran on stand-in data for {names}; set COURSE_DATA_MIRROR or run `course data fetch`"
        for name, result in worlds.items()
        if (names := runner.stand_ins(result))
    ]
    if faults:
        return faults
    found = {name: claims_of(result) for name, result in worlds.items()}
    for claim in dict.fromkeys(claim for claims in found.values() for claim in claims if not claim.startswith(ASSERT)):
        states = {name: claims[claim] for name, claims in found.items() if claim in claims}
        broken = [name for name, state in states.items() if state["status"] == "failed"]
        if all(state["status"] == "skipped" for state in states.values()):
            continue
        if any(state["label_free"] for state in states.values()):
            if broken:
                faults.append(f"marked label_free, but world {broken[0]!r} breaks it: {claim}")
        elif not broken:
            faults.append(f"survives every wrong world: {claim}")
    for name, claims in found.items():
        if not any(state["status"] == "failed" and not claim.startswith(ASSERT) for claim, state in claims.items()):
            faults.append(f"world {name!r} breaks no claim")
    return faults


def _controls(notebook: Notebook) -> tuple[str, list[str]]:
    worlds = {
        name: run_one(notebook, f"control-{number}", inject=LENIENT + source)
        for number, (name, source) in enumerate(controls_of(notebook).items(), 1)
    }
    failed = {name: sum(c["status"] == "failed" for c in claims_of(result).values()) for name, result in worlds.items()}
    return ", ".join(f"{name}: {count} break" for name, count in failed.items()), judge_controls(worlds)


def _seed(notebook: Notebook) -> tuple[str, list[str]]:
    from helpers.course import seeds

    if many := seeds.proven(notebook):
        return f"every claim holds in 19 of 20, over {many} seeds", []
    seed = int(key(notebook, "seed")[:7], 16)  # a change of the notebook brings a seed that nobody can have tuned to
    result = run_one(notebook, "seed", inject=LENIENT, seed=seed)
    faults = stopped(result)
    faults += [f"seed {seed}: {name}" for name, claim in claims_of(result).items() if claim["status"] == "failed"]
    if faults:
        faults.append(f"how often that happens: course seeds {notebook.number}")
    if names := runner.stand_ins(result):
        faults.append(f"ran on stand-in data for {names}; set COURSE_DATA_MIRROR or run `course data fetch`")
    return f"seed {seed}: {result['claims']['held']} claims held", faults


def _environment(kind: str) -> Path:
    return HOME / "build" / f"venv-{kind}"


_alone = {kind: threading.Lock() for kind in OUTSIDE}  # each makes an environment: one of a kind at a time


@functools.cache
def _made(backend: str) -> str:
    """Make the environment, once; returns why it cannot be made."""
    command = [sys.executable, HOME / "helpers/course/setup.py", "--backend", backend]
    made = subprocess.run(command, capture_output=True, text=True)
    lines = (made.stderr + made.stdout).strip().splitlines() or ["setting up failed"]
    return f"{backend} cannot be had here: {lines[0]}" if made.returncode else ""


def _backend(notebook: Notebook, backend: str) -> tuple[str, list[str]]:
    with _alone[backend]:
        if why := _made(backend):
            raise Unavailable(why)
    python = _environment(backend) / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    out = root() / "build" / "proof" / f"{notebook.number}-{backend}"
    command = ["-c", "from helpers.course.cli import main; main()", "run", notebook.number]
    ran = subprocess.run(
        [python, *command, "--backend", backend, "--out", out], cwd=HOME, capture_output=True, text=True
    )
    result = runner.known(runner.read_report(out)).get(notebook.number)
    if ran.returncode:
        faults = stopped(result) if result else []
        return "", faults or (ran.stdout + ran.stderr).strip().splitlines()[-3:]
    return f"{result['claims']['held']} claims held", []


def _pytest(notebook: Notebook, kind: str) -> tuple[str, list[str]]:
    """The tests of tests/KIND that name this notebook."""
    import xml.etree.ElementTree as tree

    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--junit-xml={report}", f"tests/{kind}"]
        with _alone[kind]:
            ran = subprocess.run([*command, "-k", notebook.path.stem], cwd=HOME, capture_output=True, text=True)
        cases = tree.parse(report).findall(".//testcase") if report.exists() else []
    skipped = [case.find("skipped").get("message", "") for case in cases if case.find("skipped") is not None]
    if skipped:
        raise Unavailable(skipped[0])
    if ran.returncode or not cases:
        return "", [line for line in ran.stdout.splitlines() if line.startswith("E  ")][:5] or [ran.stdout[-400:]]
    return f"{len(cases)} test passed", []


HOW: dict[str, Callable[[Notebook], tuple[str, list[str]]]] = {
    "stand-ins": _stand_ins,
    "controls": _controls,
    "seed": _seed,
}


def prove(proof: Proof) -> Outcome:
    """Do one proof."""
    began, seen, faults, unavailable = time.monotonic(), "", [], ""
    try:
        if proof.kind in HOW:
            seen, faults = HOW[proof.kind](proof.notebook)
        elif proof.kind in ("jax", "torch"):
            seen, faults = _backend(proof.notebook, proof.kind)
        else:
            seen, faults = _pytest(proof.notebook, proof.kind)
    except Unavailable as error:
        unavailable = str(error)
    except CourseError as error:
        faults = [str(error)]
    return Outcome(proof, seen, tuple(faults), unavailable, round(time.monotonic() - began, 1))


def side_by_side(tasks: list, do: Callable, done: Callable, jobs: int) -> None:
    """Call `do` for each task, `jobs` at a time, and `done` with what it returns, in this thread, as it comes.

    On Ctrl-C the threads die with the process, and the workers with the pipes that it held.
    """
    todo, results = queue.SimpleQueue(), queue.SimpleQueue()
    for task in tasks:
        todo.put(task)

    def work() -> None:
        while True:
            try:
                results.put((do(todo.get_nowait()), None))
            except queue.Empty:
                return
            except BaseException as error:
                results.put((None, error))
                return

    for _ in range(min(jobs, len(tasks))):
        threading.Thread(target=work, daemon=True).start()
    for _ in tasks:
        while True:
            with contextlib.suppress(queue.Empty):
                result, error = results.get(timeout=0.2)  # short, so that Windows sees Ctrl-C
                break
        if error:
            raise error
        done(result)


def keep(outcome: Outcome) -> bool:
    """Write what has passed, unless something was changed meanwhile; returns whether it did."""
    proof = outcome.proof
    if key(Notebook.read(proof.notebook.path), proof.kind) != proof.key:
        return False
    entry = {"key": proof.key, "date": now(), "seconds": outcome.seconds}
    write({proof.title: entry | {"seen": outcome.seen}})
    return True
