import numpy as np
import pandas as pd
import pytest

from helpers import windows
from helpers.errors import CourseError


def test_sequences_hold_exactly_the_rows_they_say():
    features = np.arange(20.0).reshape(10, 2)
    X = windows.sequences(features, 4)
    assert X.shape == (7, 4, 2)
    for i in range(7):
        assert np.array_equal(X[i], features[i : i + 4])
    assert np.shares_memory(X, features) and not X.flags.writeable


@pytest.mark.parametrize("horizon", [0, 1, 5])
def test_supervised_pairs_the_past_with_the_future(horizon):
    rows = np.arange(50.0)
    X, y, last = windows.supervised(rows, rows, 7, horizon)
    assert X.shape == (50 - 7 + 1 - horizon, 7, 1)
    assert np.array_equal(X[:, -1, 0], last) and np.array_equal(y, last + horizon)
    assert y[-1] == 49, "the last row is used"


def test_changing_the_future_leaves_the_windows_of_the_past_alone():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((100, 3))
    other = rows.copy()
    other[60:] = rng.standard_normal((40, 3))
    before, after = windows.sequences(rows, 10), windows.sequences(other, 10)
    assert np.array_equal(before[:51], after[:51]) and not np.array_equal(before[51], after[51])


def test_rolling_mean_equals_pandas():
    values = np.random.default_rng(1).standard_normal(200)
    expected = pd.Series(values).rolling(22).mean().to_numpy()
    np.testing.assert_allclose(windows.rolling_mean(values, 22), expected, atol=1e-12)


@pytest.mark.parametrize(
    "call,words",
    [
        (lambda: windows.sequences(np.zeros((3, 2)), 4), "Windows of 4 rows do not fit"),
        (lambda: windows.sequences(np.zeros((3, 2)), 0), "Windows of 0 rows do not fit"),
        (lambda: windows.sequences(np.zeros((3, 2, 2)), 2), r"shape \(3, 2, 2\)"),
        (lambda: windows.supervised(np.zeros(5), np.zeros(4), 2), "must be aligned"),
        (lambda: windows.supervised(np.zeros(5), np.zeros(5), 5, 1), "too few for windows of 5"),
        (lambda: windows.supervised(np.zeros(5), np.zeros(5), 2, -1), "predict the past"),
        (lambda: windows.rolling_mean(np.zeros(5), 6), "rolling mean of 6 rows does not fit"),
    ],
)
def test_windows_that_do_not_fit_are_refused(call, words):
    with pytest.raises(CourseError, match=words):
        call()
