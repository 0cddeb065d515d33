"""Windows over sequences: views where a view serves, and never a look at what lies ahead."""

from __future__ import annotations

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
