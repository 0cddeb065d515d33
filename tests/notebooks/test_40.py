"""Notebook 40: cleaning and behaviour see no future, slips go in pairs, small cells are blanked, BG/NBD is right."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special

from benchmarks import harness
from helpers import datasets
from helpers.datasets import standins


@pytest.fixture(scope="module")
def lesson():
    """The functions of the notebook's own cells, found by their tag."""
    names = {"np": np, "pd": pd, "special": special, "optimize": optimize, "SMALLEST_CELL": 10}
    return harness.lesson("40", names, "features")


@pytest.fixture(scope="module")
def lines():
    made = standins.make(datasets.info("online_retail"), "lines")
    return made[made["customer_id"] % 8 == 0].reset_index(drop=True)


@pytest.fixture(scope="module")
def sales(lesson, lines):
    goods, _ = lesson["clean"](lines)
    codes = pd.factorize(goods["customer_id"])[0]
    goods = goods.assign(customer=codes, value=goods["unit_price"] * goods["pieces"])
    return goods[~goods["cancelled"]]


def invoice(number, quantity, time, customer=12_500.0, stock="22423"):
    return {
        "invoice": number, "stock_code": stock, "description": "CAKESTAND", "quantity": quantity,
        "time": pd.Timestamp(time), "unit_price": 12.75, "customer_id": customer, "country": "France",
    }  # fmt: skip


def test_only_cancellations_of_the_same_day_undo_a_sale(lesson):
    frame = pd.DataFrame(
        [
            invoice("1", 4, "2011-03-01 10:00"),  # undone by C3
            invoice("2", 4, "2011-03-01 11:00"),  # one cancellation, so one of the two stays
            invoice("C3", -4, "2011-03-01 12:00"),
            invoice("4", 6, "2011-03-02 10:00"),
            invoice("C5", -6, "2011-03-03 10:00"),  # a day later: a return
            invoice("6", 1, "2011-03-04 10:00", customer=np.nan),
            invoice("7", 1, "2011-03-04 10:00", stock="POST"),
            invoice("8", 1, "2011-12-05 08:00"),  # after the last whole week
            invoice("9", 1, "2010-12-05 18:00"),  # before the first
        ]
    )
    goods, steps = lesson["clean"](frame)
    assert goods["invoice"].tolist() == ["2", "4", "C5"]
    assert list(map(len, steps.values())) == [9, 8, 7, 5, 3]
    assert goods["week"].tolist() == [12, 12, 12] and goods["pieces"].tolist() == [4, 6, 6]


def test_cleaning_the_past_needs_no_future(lesson, lines):
    cut = lesson["WEEK_0"] + pd.Timedelta(weeks=26)
    early, _ = lesson["clean"](lines[lines["time"] < cut])
    whole, _ = lesson["clean"](lines)
    pd.testing.assert_frame_equal(early, whole[whole["week"] < 26])


def test_behaviour_sees_its_weeks_only(lesson, sales):
    whole = lesson["behaviour"](sales, 13, 39)
    inside = sales[sales["week"].between(13, 38)]
    changed = sales.assign(value=sales["value"].where(sales["week"].between(13, 38), 1e6))
    pd.testing.assert_frame_equal(whole, lesson["behaviour"](inside, 13, 39))
    pd.testing.assert_frame_equal(whole, lesson["behaviour"](changed, 13, 39))
    assert whole.shape[1] == 12 and np.isfinite(whole.to_numpy()).all()


def test_behaviour_by_hand(lesson):
    bought = [(0, "a", 0, 2, 10.0), (0, "b", 0, 1, 30.0), (0, "a", 5, 4, 20.0), (1, "c", 20, 1, 5.0)]
    frame = pd.DataFrame(bought, columns=["customer", "stock_code", "week", "pieces", "value"])
    frame = frame.assign(day=pd.Timestamp("2011-01-03") + pd.to_timedelta(frame["week"] * 7, "D"), unit_price=5.0)
    first, second = (row for _, row in lesson["behaviour"](frame, 0, 26).iterrows())
    assert (first["recency"], first["first_seen"], second["recency"]) == (20, 25, 5)
    assert np.exp(first["frequency"]) == pytest.approx(2) and np.exp(first["monetary"]) == pytest.approx(60)
    assert np.exp(first["basket"]) == pytest.approx(30) and np.exp(first["products"]) == pytest.approx(2)
    assert first["repeats"] == pytest.approx(1 / 3) and first["peak"] == pytest.approx(40 / 60)
    assert (first["late"], second["late"]) == (0, 1)


def test_small_cells_are_blanked(lesson):
    table = pd.DataFrame({"share": [0.5, 0.2, 0.0], "mean": [1.0, 2.0, 3.0]})
    shown = lesson["suppress"](table, np.array([[10, 9], [1, 30], [0, 10]]))
    assert shown.isna().to_numpy().tolist() == [[False, True], [True, False], [False, False]]
    shares, counts = (
        pd.DataFrame([[0.7, 0.2, 0.1, 0.0]] * 3),
        np.array([[70, 20, 5, 0], [70, 6, 5, 0], [70, 20, 10, 0]]),
    )
    blank = lesson["suppress"](shares, counts, sums=True).isna().to_numpy().tolist()
    assert blank == [[False, True, True, False], [False, True, True, False], [False] * 4], (
        "one blank could be worked out"
    )


def test_purchases_against_plain_formulas(lesson):
    theta = np.array([0.6, 8.0, 1.4, 3.0])
    r, alpha, a, b = theta
    x, t_x, T = 3.0, 20.0, 39.0

    def chance(rate, leave):  # the likelihood of one customer, before mixing over rate and leave
        stays = (1 - leave) ** x * rate**x * np.exp(-rate * T)
        return stays + leave * (1 - leave) ** (x - 1) * rate**x * np.exp(-rate * t_x)

    rng = np.random.default_rng(3)
    mixed = chance(rng.gamma(r, 1 / alpha, 2_000_000), rng.beta(a, b, 2_000_000)).mean()
    found = lesson["log_likelihood"](np.log(theta), np.array([x]), np.array([t_x]), np.array([T]))
    assert found == pytest.approx(np.log(mixed), abs=0.01)
    expected = [lesson["expected_purchases"](t, theta, np.array([x]), np.array([t_x]), T)[0] for t in (1e-9, 13, 26)]
    assert expected[0] == pytest.approx(0, abs=1e-6) and 0 < expected[1] < expected[2] < 2 * expected[1]
