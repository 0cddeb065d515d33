"""Time our way and the alternatives in turn (A B A B …), several times; medians, spreads and ratios. No timed tests."""

from __future__ import annotations

import ast
import gc
import importlib.util
import json
import statistics
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

OURS = "ours"


@dataclass
class Result:
    """One comparison: seconds of every way, one number a round, and the goals that were set for it.

    limits: ways that do less than ours, such as only drawing the random numbers; nothing can be faster than they are.
    """

    name: str
    seconds: dict[str, list[float]]
    rows: int = 0
    goals: list[dict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)

    def median(self, way: str = OURS) -> float:
        """Median seconds of one way."""
        return statistics.median(self.seconds[way])

    def faster_than(self, way: str) -> float:
        """How many times faster we are: the median over the rounds of (its seconds / ours), so that drift cancels."""
        pairs = zip(self.seconds[way], self.seconds[OURS], strict=True)
        return statistics.median(theirs / ours for theirs, ours in pairs)

    def slower_by(self, way: str) -> float:
        """How many seconds we take longer: the median over the rounds of (ours - its seconds)."""
        pairs = zip(self.seconds[OURS], self.seconds[way], strict=True)
        return statistics.median(ours - theirs for ours, theirs in pairs)

    def goal(self, text: str, value: float, *, low: float = -float("inf"), high: float = float("inf")) -> None:
        """Record a goal and whether it was met."""
        self.goals.append({"text": text, "value": value, "met": low <= value <= high})

    def at_least(self, times: float, way: str) -> None:
        """Goal: at least `times` times as fast as `way`, where that was measured."""
        if way in self.seconds:
            self.goal(f"≥ {times:g} × as fast as {way}", self.faster_than(way), low=times)

    def at_most(self, times: float, way: str) -> None:
        """Goal: at most `times` times the seconds of `way`, where that was measured."""
        if way in self.seconds:
            self.goal(f"≤ {times:g} × the time of {way}", 1 / self.faster_than(way), high=times)

    def limit(self, times: float, way: str) -> None:
        """Goal: at most `times` times the seconds of `way`, which is the least that the work can take."""
        self.limits.append(way)
        self.at_most(times, way)

    def to_dict(self) -> dict:
        """What goes into the report."""
        stats = {way: {"median": statistics.median(s), "min": min(s), "max": max(s)} for way, s in self.seconds.items()}
        return asdict(self) | {"summary": stats}


def compare(name: str, ways: dict[str, Callable[[], object]], *, repeats: int = 5, rows: int = 0) -> Result:
    """Run every way once to warm up, then all in turn `repeats` times. The first way is ours.

    What takes less than 20 ms runs several times a turn, and a turn's seconds are those of one run.
    """
    if next(iter(ways)) != OURS:
        raise ValueError("the first way must be 'ours'")
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    runs = {}
    for label, way in ways.items():
        way()
        runs[label] = max(1, min(1000, int(0.02 / once(way))))
    for _ in range(repeats):
        for label, way in ways.items():
            gc.collect()
            started = time.perf_counter()
            for _ in range(runs[label]):
                way()
            seconds[label].append((time.perf_counter() - started) / runs[label])
    return Result(name, seconds, rows)


def once(way: Callable[[], object]) -> float:
    """Seconds of a single run, for what is too slow to repeat."""
    started = time.perf_counter()
    way()
    return time.perf_counter() - started


def peak_mb(way: Callable[[], object]) -> float:
    """Largest memory that Python and NumPy allocate during a run, in MB (timed apart: tracing slows)."""
    gc.collect()
    tracemalloc.start()
    way()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def installed(*packages: str) -> bool:
    """Whether all packages of an alternative are here; says so when not."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        print(f"  skipped: {', '.join(missing)} not installed")
    return not missing


def slope(name: str, make: Callable[[float], tuple[Callable[[], object], int]], scales: tuple = (1, 10, 100)) -> Result:
    """Time per row at growing sizes; `make(scale)` gives what to run and its rows. Goal: it stays flat.

    The slope is that of log(seconds) on log(rows) between the first and the last size: 1 means flat time per row.
    """
    import math

    points, notes = [], []
    for scale in scales:
        way, rows = make(scale)
        way()
        seconds = min(once(way) for _ in range(3))
        points.append((rows, seconds))
        notes.append(f"{rows:,} rows: {1e9 * seconds / rows:,.0f} ns a row, peak {peak_mb(way):,.0f} MB")
    (r0, s0), (r1, s1) = points[0], points[-1]
    result = Result(f"{name}, by size", {OURS: [s for _, s in points]}, r1, notes=notes)
    result.goal("slope of log time on log rows ≤ 1.1", math.log(s1 / s0) / math.log(r1 / r0), high=1.1)
    return result


def lesson(number: str, space: dict, tag: str = "functions") -> dict:
    """Notebook `number`'s own cells with this tag, run in `space`, which is returned: for benchmarks and tests."""
    (file,) = (Path(__file__).parents[1] / "notebooks").glob(f"{number}_*.ipynb")
    for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
        if tag in cell["metadata"].get("tags", []):
            exec("".join(cell["source"]), space)
    return space


def defined(number: str, space: dict, names: str = "") -> dict:
    """Functions and classes of notebook `number` (all, or those in `names`), defined in `space`, which is returned."""
    (file,) = (Path(__file__).parents[1] / "notebooks").glob(f"{number}_*.ipynb")
    wanted = set(names.split())
    for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code" and not {"setup", "solution", "check"} & {*cell["metadata"].get("tags", [])}:
            body = ast.parse("".join(cell["source"])).body
            kept = [part for part in body if isinstance(part, ast.FunctionDef | ast.ClassDef)]
            kept = [part for part in kept if not wanted or part.name in wanted]
            exec(compile(ast.Module(kept, []), file.name, "exec"), space)
    assert wanted <= set(space), f"notebook {number} no longer defines {', '.join(sorted(wanted - set(space)))}"
    return space
