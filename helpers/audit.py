"""Does a feature, a scaler, a split or a model see the future or the target? Each check names what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from helpers.errors import CourseError


class LeakError(CourseError, AssertionError):
    """Something knows what it could not know; the message says what, where and how to mend it."""


def assert_no_lookahead(
    feature_fn: Callable[[pd.DataFrame], pd.DataFrame | pd.Series | np.ndarray],
    frame: pd.DataFrame,
    *,
    cuts: int = 3,
    seed: int = 7,
    atol: float = 1e-9,
) -> None:
    """Perturb the future of `frame` and demand that the features of the past stay as they are.

    `feature_fn` maps a frame (n, k), oldest row first, to features with one row for each input row. At `cuts` places
    every later row is replaced twice: by other numbers, and by nothing at all (the frame ends there). Raises
    LeakError that names the first column and row that changed, CourseError for a frame too short or features of
    another length.
    """
    if len(frame) < 10:
        raise CourseError(f"assert_no_lookahead needs at least 10 rows, not {len(frame)}.")
    rng = np.random.default_rng(seed)
    before = _features(feature_fn, frame)
    for cut in np.linspace(0.4, 0.9, cuts):
        row = int(len(frame) * cut)
        for changed, how in ((_scrambled(frame, row, rng), "other values"), (frame.iloc[:row], "no values at all")):
            after = _features(feature_fn, changed)
            for column, first in _changes(before, after, row, atol):
                raise LeakError(
                    f"Look-ahead in feature {column!r}: its value in row {first} ({frame.index[first]}) changed "
                    f"when the rows from {row} on were given {how}. Compute it from rows up to its own only "
                    "(shift, rolling, expanding)."
                )


def assert_labels_arrived(
    feature_fn: Callable[[pd.DataFrame], pd.DataFrame | pd.Series | np.ndarray],
    frame: pd.DataFrame,
    *,
    label: str,
    day: str,
    label_day: str,
    cuts: int = 3,
    atol: float = 1e-9,
) -> None:
    """Turn over the labels that have not arrived and demand that the features of that day, and before it, stay.

    `frame` (n, k), oldest row first, has a 0/1 column `label` and whole numbers `day` (of the row) and `label_day` (on
    which its label is known). A label of yesterday lies in the past, so assert_no_lookahead lets it pass; where labels
    come late it is a leak all the same. Raises LeakError that names the first column and row that changed,
    CourseError for features of another length.
    """
    before = _features(feature_fn, frame)
    days = frame[day].to_numpy()
    for cut in np.linspace(0.4, 0.9, cuts):
        today = days[int(len(frame) * cut)]
        unknown = (frame[label_day] > today).to_numpy()
        after = _features(feature_fn, frame.assign(**{label: frame[label].where(~unknown, 1 - frame[label])}))
        for column, first in _changes(before, after, int(np.searchsorted(days, today, side="right")), atol):
            raise LeakError(
                f"Label that has not arrived in feature {column!r}: its value in row {first} (day {days[first]}) "
                f"changed when labels that arrive after day {today} were turned over. Delay the labels that it uses."
            )


def assert_fitted_on(transformer: Any, train: Any, *, atol: float = 1e-6) -> None:
    """Check that a fitted scikit-learn `transformer` or scaler learned from `train` (n, k) and from nothing else.

    A fresh copy is fitted on `train` and every learned number (attributes ending in "_") compared. Raises LeakError
    that names the attribute which differs, CourseError for a transformer that was not fitted.
    """
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(transformer)
    except NotFittedError:
        raise CourseError(
            f"{type(transformer).__name__} is not fitted yet: call fit on the training data first."
        ) from None
    fresh = clone(transformer).fit(train)
    for name, expected in vars(fresh).items():
        found = getattr(transformer, name, None)
        numeric = isinstance(expected, int | float | np.ndarray) and np.asarray(expected).dtype.kind in "fiu"
        if not name.endswith("_") or name.startswith("_") or not numeric:
            continue
        same = np.shape(found) == np.shape(expected) and np.allclose(
            found, expected, atol=atol, rtol=1e-6, equal_nan=True
        )
        if not same:
            raise LeakError(
                f"{type(transformer).__name__} was not fitted on these training rows: {name} is {_short(found)}, "
                f"the training rows give {_short(expected)}. Fit it after the split, on the training part only."
            )


def target_leaks(X: pd.DataFrame, y: Iterable, *, threshold: float = 0.95) -> dict[str, float]:
    """Name the features that alone explain the target; {column: score}, worst first, empty when none does.

    Two classes: score max(AUC, 1 - AUC) of a shallow tree on the one column (out of fold). Otherwise: the absolute rank
    correlation. Columns of any type; missing values count as a level of their own. A score above `threshold` is a
    place to look: a copy of the target, a field filled in after the outcome, yesterday's price level as "forecast".
    """
    from sklearn.model_selection import cross_val_predict
    from sklearn.tree import DecisionTreeClassifier

    y = pd.Series(np.asarray(y)).reset_index(drop=True)
    if len(X) != len(y):
        raise CourseError(f"X has {len(X)} rows and y {len(y)}.")
    binary = y.nunique() == 2
    codes = pd.Series(pd.factorize(y, sort=True)[0]) if binary else y
    scores = {}
    for name in X.columns:
        column = _numeric(X[name])
        if column.nunique() < 2:
            continue
        if binary:
            tree = DecisionTreeClassifier(max_depth=4, min_samples_leaf=5, random_state=0)
            p = cross_val_predict(tree, column.to_frame().to_numpy(), codes, cv=3, method="predict_proba")[:, 1]
            score = _auc_both_ways(codes.to_numpy(), p)
        else:
            score = abs(column.corr(codes, method="spearman"))
        if score >= threshold:
            scores[str(name)] = round(float(score), 4)
    return dict(sorted(scores.items(), key=lambda item: -item[1]))


def overlap(train: Any, test: Any) -> int:
    """Count the test rows, or windows, that also stand in train, bit for bit (0 is what one wants).

    Both are frames or arrays with the same shape after the first axis; missing values equal one another. For windows
    also try `overlap(train_positions, test_positions)` on the rows they are made of. Raises CourseError for other
    shapes.
    """
    a, b = _rows(train), _rows(test)
    if a.shape[1:] != b.shape[1:]:
        raise CourseError(f"train and test rows differ in shape: {np.shape(train)} and {np.shape(test)}.")
    frame = pd.DataFrame(np.concatenate([a, b]))
    hashes = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    candidates = np.flatnonzero(np.isin(hashes[len(a) :], hashes[: len(a)]))
    if len(candidates) == 0:
        return 0
    known = {row.tobytes() if row.dtype != object else repr(row.tolist()) for row in a}
    return sum((row.tobytes() if row.dtype != object else repr(row.tolist())) in known for row in b[candidates])


def _features(feature_fn: Callable, frame: pd.DataFrame) -> pd.DataFrame:
    out = feature_fn(frame.copy())
    out = pd.DataFrame(np.asarray(out)) if not isinstance(out, pd.DataFrame | pd.Series) else pd.DataFrame(out)
    if len(out) != len(frame):
        raise CourseError(
            f"The features have {len(out)} rows for {len(frame)} input rows: return one each, missing where unknown."
        )
    return out


def _changes(before: pd.DataFrame, after: pd.DataFrame, rows: int, atol: float) -> Iterator[tuple[str, int]]:
    """The columns that differ within the first `rows` rows, each with the first row that does."""
    for column in before.columns:
        different = ~_same(before[column].to_numpy()[:rows], after[column].to_numpy()[:rows], atol)
        if different.any():
            yield column, int(np.flatnonzero(different)[0])


def _scrambled(frame: pd.DataFrame, row: int, rng: np.random.Generator) -> pd.DataFrame:
    changed = frame.copy()
    for name in frame.columns:
        future = frame[name].iloc[row:]
        if pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_bool_dtype(frame[name]):
            factor = rng.uniform(0.5, 1.5, len(future))
            replacement = future.to_numpy(dtype=float) * factor + rng.uniform(0, 1, len(future))
            changed[name] = np.concatenate([frame[name].iloc[:row].to_numpy(dtype=float), replacement])
        else:
            shuffled = future.iloc[rng.permutation(len(future))]
            changed[name] = pd.concat([frame[name].iloc[:row], shuffled]).array
    return changed


def _same(old: np.ndarray, new: np.ndarray, atol: float) -> np.ndarray:
    if old.dtype.kind in "fiu" and new.dtype.kind in "fiu":
        return np.isclose(old.astype(float), new.astype(float), rtol=1e-7, atol=atol, equal_nan=True)
    return (old == new) | (pd.isna(old) & pd.isna(new))


def _numeric(column: pd.Series) -> pd.Series:
    column = column.reset_index(drop=True)
    if pd.api.types.is_numeric_dtype(column):
        filled = column.astype(float)
        return filled.fillna(filled.min() - 1 if filled.notna().any() else 0.0)
    return pd.Series(pd.factorize(column.astype(str), sort=True)[0]).astype(float)


def _auc_both_ways(labels: np.ndarray, score: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    auc = roc_auc_score(labels, score)
    return max(auc, 1 - auc)


def _rows(data: Any) -> np.ndarray:
    values = data.to_numpy() if isinstance(data, pd.DataFrame | pd.Series) else np.asarray(data)
    rows = values.reshape(len(values), -1)
    if rows.dtype.kind == "f":
        rows = np.where(np.isnan(rows), np.nan, rows) + 0.0  # one bit pattern for every NaN and for ±0
    return np.ascontiguousarray(rows)


def _short(value: Any) -> str:
    return "missing" if value is None else np.array2string(np.asarray(value), precision=4, threshold=4)
