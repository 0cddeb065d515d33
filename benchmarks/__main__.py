"""`python -m benchmarks [NAME …]`: run benchmarks one after another, each in a process of its own, and report."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "build" / "bench"
NAMES = (
    "start",
    "windows",
    "fraud_features",
    "worlds",
    "aggregate",
    "training",
    "scores",
    "platform",
    "options",
    "portfolios",
    "recommend",
    "explain",
    "quantised",
    "scaling",
    "mfcc",
    "retrieval",
    "service",
    "data",
    "course",
)


def main() -> int:
    """Run those that were named, or all; the exit code is 1 when one broke (a goal may be missed)."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(NAMES)}")
    parser.add_argument("--into", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    if options.into:
        results = importlib.import_module(f"benchmarks.{options.names[0]}").run()
        Path(options.into).write_text(json.dumps([r.to_dict() for r in results]), encoding="utf-8")
        return 0
    report, broken = _old(), []
    for name in options.names or NAMES:
        print(f"── {name}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            into = Path(folder) / "results.json"
            command = [sys.executable, "-m", "benchmarks", name, "--into", str(into)]
            done = subprocess.run(command, cwd=ROOT, env=os.environ | {"COURSE_PROGRESS": "off"}, check=False)
            if done.returncode:
                broken.append(name)
                continue
            results = json.loads(into.read_text(encoding="utf-8"))
        report["benchmarks"][name] = {"date": datetime.now(UTC).strftime("%Y-%m-%d"), "results": results}
        for result in results:
            print(_lines(result), flush=True)
        _write(report)
    goals = [goal for part in report["benchmarks"].values() for result in part["results"] for goal in result["goals"]]
    met = sum(goal["met"] for goal in goals)
    print(f"{met} of {len(goals)} goals met. Numbers: {OUT.relative_to(ROOT)}/report.json, figure: figure.png")
    if broken:
        print(f"These broke: {', '.join(broken)}")
    return bool(broken)


def _old() -> dict:
    """Earlier results, so that one benchmark can be renewed alone."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    try:
        report = json.loads((OUT / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        report = {"benchmarks": {}}
    return report | {"machine": machine}


def _lines(result: dict) -> str:
    """A comparison as text: seconds of each way, then its goals."""
    size = f" ({result['rows']:,} rows)" if result["rows"] else ""
    lines = [f"{result['name']}{size}"]
    if result["name"].endswith("by size"):
        lines += [f"    {note}" for note in result["notes"]]
    else:
        lines += [
            f"    {way:<28} {_time(s['median']):>9}  ({_time(s['min'])} to {_time(s['max'])})"
            for way, s in result["summary"].items()
        ]
        lines += [f"    {note}" for note in result["notes"]]
    lines += [f"    {'✓' if g['met'] else '✗'} {g['text']}: {g['value']:.3g}" for g in result["goals"]]
    return "\n".join(lines)


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def _write(report: dict) -> None:
    """report.json and one figure: how many times faster or slower than each alternative."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from helpers import plots

    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")
    plots.style()
    bars = []
    for part in report["benchmarks"].values():
        for result in part["results"]:
            ours = result["summary"]["ours"]["median"]
            for way, seconds in result["summary"].items():
                if way != "ours":
                    limit = way in result.get("limits", [])
                    label = f"{result['name']} {'beside its limit,' if limit else 'against'} {way}"
                    bars.append((label, seconds["median"] / ours, limit))
    if not bars:
        return
    fig, ax = plt.subplots(figsize=(9, 0.28 * len(bars) + 1.4))
    for row, (_, ratio, limit) in enumerate(reversed(bars)):
        colour = plots.GREY if limit else plots.BLUE if ratio >= 1 else plots.ORANGE
        ax.barh(row, ratio - 1, left=1, color=colour)
        text = f"{ratio:,.0f} ×" if ratio >= 100 else f"{ratio:.3g} ×"
        ax.annotate(text, (ratio, row), xytext=(3 if ratio >= 1 else -3, 0), textcoords="offset points",
                    va="center", ha="left" if ratio >= 1 else "right", fontsize=8)  # fmt: skip
    ax.set_yticks(range(len(bars)), [label for label, *_ in reversed(bars)], fontsize=8)
    ax.axvline(1, color="black", lw=0.8)
    ax.set(xscale="log", xlabel="seconds of the alternative / our seconds")
    ax.margins(x=0.15, y=0.01)
    fig.suptitle("Right of the line we are faster (blue), left of it slower (orange); grey: the limit\n"
                 f"Each pair in turn, medians; {report['machine']}", fontsize=10, x=0.01, ha="left")  # fmt: skip
    fig.savefig(OUT / "figure.png")
    plt.close(fig)


if __name__ == "__main__":
    sys.exit(main())
