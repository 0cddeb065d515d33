import numpy as np
import pandas as pd
import pytest

from helpers import audit, splits, windows, worlds
from helpers.errors import CourseError

DAY = worlds.DAY


@pytest.fixture(scope="module")
def handbook():
    return worlds.payments()


@pytest.fixture(scope="module")
def small():
    return worlds.payments(600, 1200, 100, bursts=(60, 80), seed=3)


def test_the_world_has_the_size_and_the_frauds_of_the_handbook(handbook):
    frame = handbook.transactions
    # the handbook's own run: 1,754,155 payments, 14,681 frauds of which 978, 9,099 and 4,604 of the three kinds
    assert len(frame) == pytest.approx(1_754_155, rel=0.03)
    assert frame["fraud"].mean() == pytest.approx(0.0084, abs=0.0005)
    kinds = frame["kind"].value_counts()
    for kind, count in ((1, 978), (2, 9099), (3, 4604)):
        assert kinds[kind] == pytest.approx(count, rel=0.12)
    assert len(handbook.customers) == 5_000 and len(handbook.terminals) == 10_000


def test_rows_are_in_order_of_time_and_labels_come_late(small):
    frame = small.transactions
    assert (np.diff(frame["time"]) >= 0).all() and frame["time"].min() >= 0
    assert (frame["day"] == frame["time"] // DAY).all() and frame["day"].between(0, 99).all()
    assert (frame["label_day"] - frame["day"] == 7).all()
    assert ((frame["kind"] > 0) == (frame["fraud"] == 1)).all()


def test_customers_pay_near_home(small):
    frame = small.transactions
    home = small.customers[["x", "y"]].to_numpy()[frame["customer"]]
    shop = small.terminals.to_numpy()[frame["terminal"]]
    assert np.linalg.norm(home - shop, axis=1).max() <= 5


def test_amounts_and_frequencies_follow_the_customer(handbook):
    frame = handbook.transactions
    honest = frame[frame["fraud"] == 0].groupby("customer")["amount"].agg(["size", "mean"])
    often = honest[honest["size"] > 200]
    truth = handbook.customers.loc[often.index]
    # 2.3 % of the draws are negative and replaced by uniform ones, which lifts the mean a little
    assert (often["mean"] / truth["mean_amount"]).median() == pytest.approx(1.02, abs=0.02)
    assert (often["size"] / truth["daily"]).median() == pytest.approx(183 * 0.969, rel=0.02)


def test_a_compromised_terminal_takes_nothing_but_fraud(small):
    frame, hits = small.transactions, small.campaigns.query("kind == 2")
    assert (hits["end"] - hits["onset"] == 28).all()
    for target, onset, end in hits[["target", "onset", "end"]].itertuples(index=False):
        during = frame[(frame["terminal"] == target) & (frame["day"] >= onset) & (frame["day"] < end)]
        assert during["fraud"].eq(1)[during["kind"] != 4].all()
    inside = {(t, d) for t, o, e in hits[["target", "onset", "end"]].itertuples(index=False) for d in range(o, e)}
    of_kind = frame[frame["kind"] == 2]
    assert all(pair in inside for pair in zip(of_kind["terminal"], of_kind["day"], strict=True))


def test_a_stolen_card_pays_five_times_as_much_one_time_in_three(handbook):
    frame, stolen = handbook.transactions, handbook.campaigns.query("kind == 3")
    assert (stolen["end"] - stolen["onset"] == 14).all() and (stolen.groupby("onset").size() == 3).all()
    active = np.zeros((5_000, 183 + 14), dtype=bool)
    for target, onset, end in stolen[["target", "onset", "end"]].itertuples(index=False):
        active[target, onset:end] = True
    on_stolen = frame[active[frame["customer"], frame["day"]]]
    assert (frame.index.isin(on_stolen.index) | (frame["kind"] != 3)).all()
    assert (on_stolen["kind"] == 3).mean() == pytest.approx(1 / 3, abs=0.01)
    fraud = on_stolen[on_stolen["kind"] == 3]
    mean = handbook.customers["mean_amount"].to_numpy()[fraud["customer"]]
    assert (fraud["amount"] / mean).mean() == pytest.approx(5 * 1.02, rel=0.05)


def test_large_amounts_are_fraud(handbook):
    frame = handbook.transactions
    assert frame["fraud"][frame["amount"] > 220].all() and frame["amount"][frame["kind"] == 1].min() > 220


def test_bursts_come_and_go_and_leave_the_rest_of_the_world_as_it_was(small):
    plain = worlds.payments(600, 1200, 100, seed=3).transactions
    frame = small.transactions
    burst = frame[frame["kind"] == 4]
    assert burst["day"].between(60, 79).all() and burst["amount"].between(1, 10).all() and len(burst) > 30
    per_burst = burst.groupby(["customer", "day"])["time"].agg(["size", np.ptp])
    assert per_burst["ptp"].median() < 3600 and per_burst["size"].median() >= 4
    pd.testing.assert_frame_equal(frame[frame["kind"] != 4].reset_index(drop=True), plain)


def test_the_seed_decides():
    def make(seed):
        return worlds.payments(50, 100, 40, seed=seed).transactions

    pd.testing.assert_frame_equal(make(1), make(1))
    assert not make(1).equals(make(2))


@pytest.mark.parametrize("arguments", [{"customers": 0}, {"days": 0}, {"delay": -1}, {"days": 9, "bursts": (5, 10)}])
def test_impossible_payments_are_refused(arguments):
    with pytest.raises(CourseError, match="payments needs sizes of at least 1"):
        worlds.payments(**{"customers": 5, "terminals": 50, "days": 9, **arguments})


@pytest.mark.parametrize("delay", [0, 7])
@pytest.mark.parametrize("key,value", [("customer", "amount"), ("terminal", "fraud")])
def test_windows_per_key_equal_pandas(small, key, value, delay):
    frame = small.transactions
    frame = frame[frame[key] < 80].reset_index(drop=True)
    counts, means = windows.per_key(
        frame[key].to_numpy(), frame["time"].to_numpy(), frame[value].to_numpy(), [DAY, 7 * DAY], delay=delay * DAY
    )
    stamped = frame.assign(stamp=pd.to_datetime(frame["time"], unit="s")).set_index("stamp")
    order = np.argsort(frame[key].to_numpy(), kind="stable")  # groupby's order
    for i, span in enumerate((1, 7)):
        rolled = {}
        for days in (delay, delay + span):
            window = stamped.groupby(key)[value].rolling(f"{days}D") if days else None
            rolled[days] = (window.count().to_numpy(), window.sum().to_numpy()) if days else (0, 0)
        count, total = (long - short for long, short in zip(rolled[delay + span], rolled[delay], strict=True))
        np.testing.assert_array_equal(counts[order, i], count)
        np.testing.assert_allclose(means[order, i], np.where(count > 0, total / np.maximum(count, 1), 0), atol=1e-6)


@pytest.mark.parametrize("delay", [0, 5])
def test_history_finds_the_last_rows_of_the_same_key(small, delay):
    frame = small.transactions.iloc[:6000]
    key, time = frame["terminal"].to_numpy(), frame["time"].to_numpy()
    rows = np.arange(3000, 6000, 37)
    found = windows.history(key, time, 4, delay=delay * DAY, rows=rows)
    assert found.dtype == np.int32
    for row, positions in zip(rows, found, strict=True):
        past = np.flatnonzero((key == key[row]) & (time <= time[row] - delay * DAY) & (np.arange(len(key)) <= row))
        expected = np.concatenate([np.full(4, -1), past])[-4:]
        assert np.array_equal(positions, expected)


@pytest.mark.parametrize(
    "key,time,words",
    [
        ([0, 1], [5, 4], "sort the rows by time"),
        ([0, -1], [1, 2], "need a key"),
        ([0.0, 1.0], [1, 2], "need a key"),
        ([0, 1], [1.0, 2.0], "times in whole numbers"),
        ([], [], "need a key"),
        ([0, 1], [1], "a time for every row"),
    ],
)
def test_windows_per_key_refuse_rows_out_of_order(key, time, words):
    with pytest.raises(CourseError, match=words):
        windows.per_key(np.array(key), np.array(time), np.zeros(len(key)), [1])
    with pytest.raises(CourseError, match=words):
        windows.history(np.array(key), np.array(time), 3)


def risk(frame, delay):
    terminal, time = frame["terminal"].to_numpy(), frame["time"].to_numpy()
    return windows.per_key(terminal, time, frame["fraud"].to_numpy(), [7 * DAY], delay=delay * DAY)[1]


def test_the_audit_lets_known_labels_pass_and_stops_those_that_have_not_arrived(small):
    frame = small.transactions
    late = {"label": "fraud", "day": "day", "label_day": "label_day"}
    audit.assert_labels_arrived(lambda f: risk(f, 7), frame, **late)
    for delay in (0, 1, 6):
        with pytest.raises(audit.LeakError, match="has not arrived"):
            audit.assert_labels_arrived(lambda f, delay=delay: risk(f, delay), frame, **late)
    base = frame[["time", "terminal"]]
    audit.assert_no_lookahead(lambda f: risk(base.iloc[: len(f)].assign(fraud=f["fraud"]), 1), frame[["fraud"]])


@pytest.mark.parametrize("delay", [0, 7])
def test_prequential_folds_know_only_labels_that_have_arrived(small, delay):
    frame = small.transactions
    day = frame["day"].to_numpy()
    folds = splits.prequential(day, start=60, train=20, validate=5, test=7, delay=delay)
    assert len(folds) == 5
    for k, fold in enumerate(folds):
        first = 60 + 7 * k
        assert sorted(set(day[fold.test])) == list(range(first, first + 7))
        assert sorted(set(day[fold.validate])) == list(range(first - delay - 5, first - delay))
        assert sorted(set(day[fold.train])) == list(range(first - delay - 25, first - delay - 5))
        assert (day[fold.development] + delay < first + (delay == 0)).all()
    overlapping = splits.prequential(day, start=60, train=20, validate=5, test=7, delay=7, step=1)
    assert len(overlapping) == 34


@pytest.mark.parametrize(
    "arguments,words",
    [
        ({"start": 20}, "No fold fits"),
        ({"start": 95}, "No fold fits"),
        ({"train": 0}, "at least 1 day"),
        ({"delay": -1}, "a delay of at least 0"),
        ({"step": 0}, "step of at least 1 day"),
        ({"day": np.array([3, 2, 1])}, "oldest first"),
    ],
)
def test_impossible_prequential_splits_are_refused(small, arguments, words):
    settings = {"day": small.transactions["day"].to_numpy(), "start": 60, "train": 20, "validate": 5, "test": 7}
    with pytest.raises(CourseError, match=words):
        splits.prequential(**{**settings, "delay": 7, **arguments})
