"""Windows over sequences: views where a view serves, and never a look at what lies ahead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from helpers.errors import CourseError


def sequences(features: np.ndarray, length: int) -> np.ndarray:
    """Every run of `length` consecutive rows of `features` (n, f), as a read-only view (n - length + 1, length, f).

    Window i holds rows i … i + length - 1: it may be used to predict anything later than row i + length - 1.
    A one-dimensional array counts as one feature. Raises CourseError when fewer than `length` rows are there.
    """
    array = np.asarray(features)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or not 1 <= length <= len(array):
        raise CourseError(f"Windows of {length} rows do not fit an array of shape {np.shape(features)}.")
    return sliding_window_view(array, length, axis=0).transpose(0, 2, 1)


def supervised(
    features: np.ndarray, target: np.ndarray, length: int, horizon: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pair each window with the target `horizon` rows after its last row.

    features (n, f), target (n,) or (n, k), aligned row by row. Returns X (m, length, f) as a view, y (m, …) and the
    positions (m,) of each window's last row, m = n - length + 1 - horizon. With horizon=0 the target must already be
    shifted into the future by its maker. Raises CourseError when lengths differ or nothing is left.
    """
    if len(features) != len(target):
        raise CourseError(f"features has {len(features)} rows and target {len(target)}; they must be aligned.")
    if horizon < 0:
        raise CourseError(f"horizon is {horizon}; a negative one would predict the past.")
    X = sequences(features, length)
    m = len(X) - horizon
    if m < 1:
        raise CourseError(f"{len(features)} rows are too few for windows of {length} and a horizon of {horizon}.")
    last = np.arange(length - 1, length - 1 + m)
    return X[:m], np.asarray(target)[last + horizon], last


def rolling_mean(values: np.ndarray, length: int) -> np.ndarray:
    """Mean of the last `length` values up to and including each row; the first length - 1 rows are NaN. Shape (n,)."""
    values = np.asarray(values, dtype=float)
    if not 1 <= length <= len(values):
        raise CourseError(f"A rolling mean of {length} rows does not fit {len(values)} values.")
    out = np.full(values.shape, np.nan)
    out[length - 1 :] = sliding_window_view(values, length).mean(axis=-1)
    return out


def per_key(
    key: np.ndarray, time: np.ndarray, values: np.ndarray, spans: Sequence[int], *, delay: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Count and mean of `values` over the rows of the same key within each span of time before a row.

    key (n,): whole numbers from 0; time (n,): whole numbers, oldest row first; spans: lengths in the unit of `time`.
    Row i uses the rows of its key in (time_i - delay - span, time_i - delay]; without delay that includes itself, and
    of rows of the same moment those above it. With a delay d a value is used no sooner than d after its row: right
    for labels that arrive late. Returns counts and means, each (n, len(spans)); a mean over no rows is 0. Raises
    CourseError for rows out of order. Equal to pandas' groupby-rolling by time, without its pass over each key.
    """
    order, axis, _ = _by_key(key, time, delay + max(spans))
    total = np.concatenate([[0.0], np.cumsum(np.asarray(values, dtype=float)[order])])
    end = np.searchsorted(axis, axis - delay, side="right") if delay else np.arange(1, len(axis) + 1)
    counts, means = np.empty((2, len(spans), len(axis)), dtype=np.float64)
    for count, mean, span in zip(counts, means, spans, strict=True):
        start = np.searchsorted(axis, axis - (delay + span), side="right")
        number = end - start
        count[order] = number
        mean[order] = (total[end] - total[start]) / np.maximum(number, 1)
    return counts.T, means.T


def history(
    key: np.ndarray, time: np.ndarray, length: int, *, delay: int = 0, rows: np.ndarray | None = None
) -> np.ndarray:
    """Positions of the last `length` rows of the same key, oldest first, -1 where the key has no more: (m, length).

    Arguments as in `per_key`; without delay a row is the last entry of its own history, with one only rows at least
    `delay` older count. `rows` (m,): the rows whose history is wanted (default: all). Positions index any table
    aligned with the rows: table[positions] are sequences (m, length, columns) whose -1 entries must be masked. int32.
    """
    order, axis, step = _by_key(key, time, delay)
    rank = np.empty(len(axis), dtype=np.int64)
    rank[order] = np.arange(len(axis))
    rank = rank if rows is None else rank[rows]
    end = np.searchsorted(axis, axis[rank] - delay, side="right") if delay else rank + 1
    start = np.searchsorted(axis, axis[rank] // step * step)  # where the key begins
    place = end[:, None] + np.arange(-length, 0)
    return np.where(place >= start[:, None], order[np.maximum(place, 0)], -1).astype(np.int32)


def _by_key(key: np.ndarray, time: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray, int]:
    """The order by key and time; key * step + time in that order, ascending; the step, beyond any reach back."""
    key, time = np.asarray(key), np.asarray(time)
    if key.shape != time.shape or key.ndim != 1 or len(key) == 0 or key.dtype.kind not in "iu" or key.min() < 0:
        raise CourseError("Windows per key need a key (whole numbers from 0) and a time for every row.")
    if time.dtype.kind not in "iu" or time[0] < 0 or (np.diff(time) < 0).any() or reach < 0:
        raise CourseError("Windows per key need times in whole numbers, oldest row first: sort the rows by time.")
    order = np.argsort(key.astype(np.uint16) if key.max() < 2**16 else key, kind="stable")
    step = int(time[-1]) + int(reach) + 1
    return order, key[order].astype(np.int64) * step + time[order], step
