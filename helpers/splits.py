"""Splits in time: the past trains, the near past validates, the future tests. Nothing here is fitted or shuffled.

For folds without time (credit applications, say) use scikit-learn's StratifiedKFold and RepeatedStratifiedKFold.
"""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass

import numpy as np

from helpers.errors import CourseError


@dataclass(frozen=True)
class Fold:
    """Integer positions, ascending and disjoint: train < validate < test."""

    train: np.ndarray
    validate: np.ndarray
    test: np.ndarray

    @property
    def development(self) -> np.ndarray:
        """Train and validate together: all that a model without early stopping may be fitted on."""
        return np.concatenate([self.train, self.validate])


def chronological(data: Sized | int, *, validate: float = 0.2, test: float = 0.2, purge: int = 0) -> Fold:
    """One split in time of `n` rows; `validate` and `test` are shares of n in (0, 1).

    `purge` rows are dropped before each later part, as many as the label looks ahead, so that no training
    label overlaps a later feature window (López de Prado 2018, Advances in Financial Machine Learning, §7.4.1).
    Raises CourseError when a part would be empty.
    """
    n = _length(data)
    if not (0 < validate < 1 and 0 < test < 1 and validate + test < 1):
        raise CourseError(f"validate={validate} and test={test} must be shares between 0 and 1 that leave a rest.")
    test_start, validate_start = n - round(n * test), n - round(n * test) - round(n * validate)
    return _fold(n, 0, validate_start, test_start, n, purge)


def walk_forward(
    data: Sized | int,
    *,
    train: int,
    validate: int,
    test: int,
    step: int | None = None,
    purge: int = 0,
    embargo: int = 0,
    expanding: bool = True,
) -> list[Fold]:
    """Folds that move forward through `n` rows, each tested on rows that nothing before it has touched.

    train, validate, test: rows of each part (with `expanding`, `train` is the first fold's size and later ones start
    at row 0 as well). `step` rows lie between one test start and the next (default: `test`, so that tests do not
    overlap). `purge` rows are dropped before validate and before test; `embargo` further rows before test, for
    features that remember longer than labels look ahead (López de Prado 2018, §7.4). The last fold may have a
    shorter test part. Raises CourseError when not one fold fits.
    """
    n = _length(data)
    step = test if step is None else step
    if min(train, validate, test, step) < 1 or min(purge, embargo) < 0:
        raise CourseError(
            "walk_forward needs train, validate, test and step of at least 1, purge and embargo of at least 0."
        )
    starts = range(train + validate, n, step)
    if not starts:
        raise CourseError(f"No fold fits: {n} rows, but train + validate is {train + validate}.")
    return [
        _fold(
            n,
            0 if expanding else start - validate - train,
            start - validate,
            start,
            min(start + test, n),
            purge,
            embargo,
        )
        for start in starts
    ]


def prequential(
    day: np.ndarray, *, start: int, train: int, validate: int, test: int, delay: int, step: int | None = None
) -> list[Fold]:
    """Folds for outcomes that become known late, as in fraud detection: each tested on days that nothing has touched.

    day (n,): the day of each row, ascending. The first test part begins on day `start`, later ones every `step` days
    (default: `test`), as long as whole test parts fit. All parts are numbers of days: before the test lie `delay` days
    whose labels are not known yet and are left out, before them `validate` and before that `train` days (Dal Pozzolo
    et al. 2018, IEEE TNNLS 29(8); Le Borgne et al. 2022, ch. 5). Raises CourseError for days out of order, a start too
    early, or a part without rows.
    """
    day, step = np.asarray(day), test if step is None else step
    if min(train, validate, test, step) < 1 or delay < 0:
        raise CourseError("prequential needs parts and step of at least 1 day, and a delay of at least 0.")
    if len(day) == 0 or (np.diff(day) < 0).any():
        raise CourseError("prequential needs the rows in order of time, oldest first: sort them by day.")
    before = start - delay - validate - train
    if before < day[0] or start + test > day[-1] + 1:
        raise CourseError(
            f"No fold fits: train, validate and delay before day {start} begin on day {before}, the test ends with day "
            f"{start + test - 1}, and the rows cover days {day[0]} to {day[-1]}."
        )
    folds = []
    for first in range(start, int(day[-1]) + 2 - test, step):
        known = first - delay
        edges = np.searchsorted(day, [known - validate - train, known - validate, known, first, first + test])
        fold = Fold(*(np.arange(edges[i], edges[i + 1]) for i in (0, 1, 3)))
        if min(map(len, (fold.train, fold.validate, fold.test))) == 0:
            raise CourseError(f"The fold whose test begins on day {first} has a part without rows.")
        folds.append(fold)
    return folds


def _fold(n: int, begin: int, validate: int, test: int, end: int, purge: int, embargo: int = 0) -> Fold:
    fold = Fold(np.arange(begin, validate - purge), np.arange(validate, test - purge - embargo), np.arange(test, end))
    if min(map(len, (fold.train, fold.validate, fold.test))) == 0:
        raise CourseError(
            f"A part of the split is empty: {n} rows are too few for these sizes with a purge of {purge}."
        )
    return fold


def _length(data: Sized | int) -> int:
    return data if isinstance(data, int) else len(data)
