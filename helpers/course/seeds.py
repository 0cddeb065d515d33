"""How often each claim of a notebook holds under seeds that nobody tuned to; kept in results/seeds.json."""

from __future__ import annotations

import math
from pathlib import Path

from helpers.course import folder, proofs, runner
from helpers.notebooks import Notebook

STEP = 20_261  # the seeds are its multiples, far apart, since notebooks use SEED + 1 and its like within a run
SHARE = 0.95
MANY = 20  # runs that make a verdict


def seeds(count: int) -> list[int]:
    """The first so many seeds: 20261, 40522, …"""
    return [STEP * k for k in range(1, count + 1)]


def key(notebook: Notebook, profile: str) -> str:
    """What the result rests on; see proofs.key."""
    return proofs.key(notebook, f"seeds {profile}")


def entry(notebook: Notebook, profile: str) -> dict:
    """The runs on record of this very state (an empty record where there is none).

    runs: seed → how the run ended ("" well); claims: text → number held and skipped, the seeds in which it failed.
    """
    today, found = key(notebook, profile), proofs.read("seeds.json").get(f"{notebook.number} {profile}", {})
    empty = {"key": today, "seconds": 0.0, "runs": {}, "claims": {}}
    return found if found.get("key") == today else empty


def run(notebook: Notebook, profile: str, seed: int) -> dict:
    """Run the notebook under a seed, going on after claims that fail; returns its line of the report."""
    timeout = runner.QUICK_CELL_TIMEOUT if profile == "quick" else None
    options = {"inject": proofs.LENIENT, "seed": seed, "profile": profile, "timeout": timeout}
    result = proofs.run_one(notebook, f"seed-{seed}", **options)
    if result["status"] == "ok":  # one that failed may be looked at
        folder.clean(Path(result["output"]).parent)
    return result


def keep(notebook: Notebook, profile: str, seed: int, result: dict) -> str:
    """Count a run into the record; returns why it cannot count ('' when it does)."""
    if names := runner.stand_ins(result):
        return f"ran on stand-in data for {names}; set COURSE_DATA_MIRROR or run `course data fetch`"
    if result["status"] not in ("ok", "failed"):
        return "; ".join(proofs.stopped(result))
    record = entry(notebook, profile)
    if record["key"] != key(Notebook.read(notebook.path), profile):
        return "the notebook was changed while it ran"
    for text, claim in proofs.claims_of(result).items():
        count = record["claims"].setdefault(text, {"held": 0, "skipped": 0, "failed": []})
        if claim["status"] == "failed":
            count["failed"] = sorted([*count["failed"], seed])
        else:
            count[claim["status"]] += 1
    runs = record["runs"] | {str(seed): "; ".join(proofs.stopped(result))}
    seconds = (record["seconds"] * len(record["runs"]) + result["seconds"]) / len(runs)
    record |= {"runs": runs, "seconds": round(seconds, 1), "date": proofs.now()}
    proofs.write({f"{notebook.number} {profile}": record}, "seeds.json")
    return ""


def count(record: dict) -> list[tuple[str, int, int, bool]]:
    """For each claim: text, in how many runs it held, of how many, and whether that is enough.

    A run that ended before a claim, or stated it in other words, counts against it; one that could not check it counts
    for nothing.
    """
    found = []
    for text, claim in record["claims"].items():
        of = len(record["runs"]) - claim["skipped"]
        found.append((text, claim["held"], of, claim["held"] >= math.ceil(SHARE * of)))
    return found


def proven(notebook: Notebook, profile: str = "quick") -> int:
    """The number of runs on record if they are enough, and enough for every claim; else 0."""
    record = entry(notebook, profile)
    runs = len(record["runs"])
    return runs if runs >= MANY and record["claims"] and all(good for *_, good in count(record)) else 0
