import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from helpers import audit, windows
from helpers.errors import CourseError

rng = np.random.default_rng(0)
PRICES = pd.DataFrame(
    {"close": 100 * np.exp(0.01 * rng.standard_normal(300).cumsum()), "regime": rng.choice(["calm", "wild"], 300)},
    index=pd.bdate_range("2020-01-01", periods=300, name="date"),
)


def clean(frame):
    log_return = np.log(frame["close"]).diff()
    return pd.DataFrame(
        {"mean": log_return.rolling(5).mean(), "std": log_return.expanding().std(), "before": frame["regime"].shift(1)}
    )


LEAKS = {
    "centred window": lambda f: f["close"].rolling(5, center=True).mean(),
    "tomorrow": lambda f: f["close"].shift(-1),
    "whole-sample scaling": lambda f: (f["close"] - f["close"].mean()) / f["close"].std(),
    "back-filled": lambda f: f["close"].where(f.index.day_of_week == 4).bfill(),
    "a category from tomorrow": lambda f: f["regime"].shift(-1),
    "a sum from the end": lambda f: f["close"][::-1].cumsum()[::-1],
    "as an array": lambda f: np.gradient(f["close"].to_numpy()),
}


def test_clean_features_pass():
    audit.assert_no_lookahead(clean, PRICES)
    audit.assert_no_lookahead(lambda f: windows.rolling_mean(f["close"].to_numpy(), 10), PRICES)


@pytest.mark.parametrize("name", LEAKS)
def test_planted_look_ahead_is_found_and_named(name):
    with pytest.raises(audit.LeakError, match="Look-ahead in feature"):
        audit.assert_no_lookahead(LEAKS[name], PRICES)


def test_a_look_ahead_that_depends_on_the_length_alone_is_found():
    with pytest.raises(audit.LeakError, match="no values at all"):
        audit.assert_no_lookahead(lambda f: pd.Series(np.arange(len(f)) / len(f)), PRICES)


def test_features_of_another_length_are_refused():
    with pytest.raises(CourseError, match="one each"):
        audit.assert_no_lookahead(lambda f: f["close"].diff().dropna(), PRICES)


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler()])
def test_scalers_fitted_on_train_pass_and_on_everything_are_caught(scaler):
    values = rng.standard_normal((200, 3)) + np.arange(200)[:, None] / 50
    train = values[:120]
    audit.assert_fitted_on(scaler.fit(train), train)
    with pytest.raises(audit.LeakError, match="not fitted on these training rows"):
        audit.assert_fitted_on(scaler.fit(values), train)


def test_an_unfitted_scaler_is_told_so():
    with pytest.raises(CourseError, match="not fitted yet"):
        audit.assert_fitted_on(StandardScaler(), np.ones((5, 2)))


def test_target_leaks_names_the_leak_and_only_it():
    y = (rng.random(800) < 0.3).astype(int)
    X = pd.DataFrame(
        {
            "signal": y + 2 * rng.standard_normal(800),
            "copy": 1 - y,
            "stamp": np.where(y == 1, rng.uniform(5, 9, 800), np.nan),
            "outcome_code": np.where(y == 1, "late", "paid"),
            "constant": 1.0,
        }
    )
    assert set(audit.target_leaks(X, y)) == {"copy", "stamp", "outcome_code"}
    assert audit.target_leaks(X[["signal", "constant"]], y) == {}


def test_target_leaks_of_a_number():
    price = 100 + rng.standard_normal(500).cumsum()
    X = pd.DataFrame({"yesterday": price[:-1], "noise": rng.standard_normal(499)})
    assert set(audit.target_leaks(X, price[1:])) == {"yesterday"}


def test_overlap_counts_shared_rows_and_windows():
    values = rng.standard_normal((100, 2))
    X = windows.sequences(values, 5)
    assert audit.overlap(X[:50], X[50:]) == 0
    assert audit.overlap(X[:60], X[50:]) == 10
    frame = pd.DataFrame({"a": [1, 2, np.nan], "b": ["x", "y", "z"]})
    assert audit.overlap(frame, frame.iloc[[2]]) == 1
    assert audit.overlap(frame.iloc[:2], frame.iloc[[2]]) == 0
    assert audit.overlap(np.array([[0.0, np.nan]]), np.array([[-0.0, np.nan]])) == 1
    with pytest.raises(CourseError, match="differ in shape"):
        audit.overlap(values, values[:, :1])
