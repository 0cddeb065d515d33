"""Windows over a long table: `helpers.windows` against a loop over rows and against NumPy's own strided view."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks.harness import Result, compare, peak_mb, slope
from helpers import windows

LENGTH = 60


def _loop(table: np.ndarray) -> np.ndarray:
    """What tutorials do: one slice a row, gathered in a list, made an array at the end."""
    parts = []
    for last in range(LENGTH, len(table) + 1):
        parts.append(table[last - LENGTH : last])
    return np.array(parts)


def run() -> list[Result]:
    """A million rows of eight columns as views; the loop must copy, so it gets a tenth of them and is scaled up."""
    table = np.random.default_rng(7).standard_normal((1_000_000, 8)).astype("float32")
    tenth = table[:100_000]
    assert np.array_equal(windows.sequences(tenth[:1000], LENGTH), _loop(tenth[:1000]))

    def limit(data=table):
        return sliding_window_view(data, LENGTH, axis=0).transpose(0, 2, 1)

    def batches(view) -> float:
        """Read every window once in batches of 4,096, as training does."""
        return sum(float(np.ascontiguousarray(view[i : i + 4096])[:, -1].sum()) for i in range(0, len(view), 4096))

    views = compare(
        "windows, made and read in batches",
        {"ours": lambda: batches(windows.sequences(table, LENGTH)), "NumPy's strided view": lambda: batches(limit())},
        rows=len(table),
    )
    views.limit(1.1, "NumPy's strided view")
    loop = compare(
        "windows of 100,000 rows",
        {"ours": lambda: windows.sequences(tenth, LENGTH), "a loop over rows": lambda: _loop(tenth)},
        repeats=3,
        rows=len(tenth),
    )
    loop.at_least(100, "a loop over rows")
    loop.notes.append(
        f"peak memory: ours {peak_mb(lambda: windows.sequences(tenth, LENGTH)):.1f} MB (a view), "
        f"the loop {peak_mb(lambda: _loop(tenth)):,.0f} MB"
    )

    def make(scale):
        part = np.resize(table, (int(20_000 * scale), 8))
        return lambda: batches(windows.sequences(part, LENGTH)), len(part)

    return [views, loop, slope("windows, made and read", make)]
