"""Claims, bands and cards: what a notebook asserts on every run, and what its full run gave."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers import record
from helpers.errors import ClaimError, CourseError

if TYPE_CHECKING:
    import pandas as pd

RESULTS = Path(__file__).resolve().parents[1] / "results"


def claim(text: str, held: bool, on: Any = None, label_free: bool = False) -> None:
    """Assert a finding: print `✓ text` where it holds, raise ClaimError where it does not.

    `held` must be a plain truth value. `on` is the frame, or the frames, that the claim speaks about: unless
    all of them are real data the claim is not checked, and the line says so. `label_free` marks a claim that no
    wrong world (shuffled outcomes, a dead network) can break, such as the size of a data set; the record carries it.
    """
    if not isinstance(held, bool | np.bool_):
        raise CourseError(f"claim({text!r}, …) needs True or False, not {type(held).__name__}.")
    if not _real(on):
        record.write("claim", text=text, status="skipped", label_free=label_free)
        print(f"– not checked on {'data of your own' if _own(on) else 'stand-in data'}: {text}")
        return
    record.write("claim", text=text, status="held" if held else "failed", label_free=label_free)
    if not held:
        raise ClaimError(f"This run does not bear out the claim: {text}")
    print(f"✓ {text}")


def band(
    text: str, value: float, low: float, high: float, on: Any = None, digits: int = 3, label_free: bool = False
) -> None:
    """Claim that `low <= value <= high`; the printed line shows the band, so that it is the same on every run."""
    inside = bool(math.isfinite(value) and low <= value <= high)
    line = f"{text}: between {low:.{digits}f} and {high:.{digits}f}"
    claim(line if inside or not _real(on) else f"{line}, but this run gave {value:.{digits}f}", inside, on, label_free)


def metric(name: str, values: float | Iterable[float], unit: str = "") -> None:
    """Record a headline number, one value a seed or fold, for the card that a full run writes."""
    array = np.atleast_1d(np.asarray(values, dtype=float))
    if not np.isfinite(array).all():
        raise CourseError(f"The metric {name!r} is not finite: {array.tolist()}.")
    record.write(
        "metric",
        name=name,
        values=array.tolist(),
        mean=float(array.mean()),
        std=float(array.std(ddof=1)) if array.size > 1 else None,
        n=int(array.size),
        unit=unit,
    )


def card(number: int) -> pd.DataFrame | None:
    """Return what the full run of notebook `number` gave, one row a metric (columns mean, spread, n, unit).

    Prints where and when the run was made, and whether the notebook's code has changed since. None, and a line that
    says how to make one, while no full run is on record.
    """
    import pandas as pd

    path = RESULTS / f"{number:02d}.json"
    if not path.exists():
        print(f"No full run on record. `course run {number:02d} --profile full` makes one.")
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    stale = _code_changed(number, content)
    note = " The notebook's code has changed since: read these numbers as an earlier version's." if stale else ""
    print(
        f"Full run of {content['date'][:10]} on {content['device']} with Keras on {content['backend']}, "
        f"{content['seconds']:.0f} s.{note}"
    )
    rows = [[m["name"], m["mean"], m["std"], m["n"], m["unit"]] for m in content["metrics"]]
    return pd.DataFrame(rows, columns=["metric", "mean", "spread", "n", "unit"]).set_index("metric")


def _code_changed(number: int, content: dict) -> bool:
    from helpers import notebooks  # late: only this needs it

    try:
        [notebook] = notebooks.select([f"{number:02d}"])
    except CourseError:
        return False
    return not notebook.gave(content)


def _real(on: Any) -> bool:
    if on is None:
        return True
    frames = list(on) if isinstance(on, list | tuple) else [on]
    origins = [getattr(frame, "attrs", {}).get("origin") for frame in frames]
    if None in origins:
        raise CourseError("claim(…, on=…) takes frames that datasets.load returned: their attrs say the origin.")
    return all(origin == "real" for origin in origins)


def _own(on: Any) -> bool:
    frames = list(on) if isinstance(on, list | tuple) else [on]
    return any(frame.attrs["origin"] == "own" for frame in frames)
