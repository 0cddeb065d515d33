"""Reinforcement learning: the execution world and its optimum against SciPy and brute force."""

from itertools import product

import numpy as np
import pytest
from scipy.optimize import minimize

from benchmarks.harness import defined

WORLD = {"PRICE": 50.0, "SHARES": 1e6, "DAYS": 5.0, "N": 10, "VOLATILITY": 0.95, "HALF_SPREAD": 0.0625}
WORLD |= {"PERMANENT": 2.5e-7, "TEMPORARY": 2.5e-6, "AVERSION": 1e-6}


def lesson(**changes: float) -> dict:
    space = {"np": np} | WORLD | changes
    space["tau"] = space["DAYS"] / space["N"]
    space["effective"] = space["TEMPORARY"] - space["PERMANENT"] * space["tau"] / 2
    return defined("17", space, "expected_cost variance goal almgren_chriss simulate dynamic_programme")


@pytest.mark.parametrize("aversion", [1e-8, 1e-6, 1e-5])
def test_no_schedule_that_scipy_finds_beats_the_closed_form(aversion):
    course = lesson(AVERSION=aversion)

    def cost(inner):
        return course["goal"](np.r_[1e6, 1e6 * inner, 0.0], aversion) / 1e6

    found = minimize(cost, np.linspace(0.9, 0.1, 9), method="BFGS", options={"gtol": 1e-9})
    assert np.allclose(1e6 * found.x, course["almgren_chriss"](aversion)[1:-1], atol=300)


def by_hand(path: np.ndarray, course: dict, multiples: tuple[float, ...]) -> float:
    """Expected cost plus risk of a path, what is unsold valued at the last price."""
    u, left = -np.diff(path), path[1:]
    paid = course["HALF_SPREAD"] * u + np.array(multiples) * course["TEMPORARY"] / course["tau"] * u**2
    risk = course["AVERSION"] * course["VOLATILITY"] ** 2 * course["tau"] * left**2
    return float(np.sum(paid + course["PERMANENT"] * u * left + risk))


@pytest.mark.parametrize("must_finish", [True, False])
def test_dynamic_programming_is_the_best_of_all_paths(must_finish):
    course = lesson(N=3, AVERSION=1e-7)
    paths = [np.array([8, a, b, c]) for a, b, c in product(range(9), repeat=3) if 8 >= a >= b >= c]
    paths = [path for path in paths if path[-1] == 0 or not must_finish]
    costs = [by_hand(path * 1e6 / 8, course, (1.0, 1.0, 1.0)) for path in paths]
    least, path = course["dynamic_programme"](8, aversion=1e-7, must_finish=must_finish)
    assert np.isclose(least, min(costs))
    assert (path == paths[int(np.argmin(costs))] * 1e6 / 8).all()


def test_a_market_that_never_changes_its_depth_costs_the_mean_of_two_markets():
    course = lesson()
    mixed, _ = course["dynamic_programme"](40, depth=(0.4, 1.6), stay=1.0)
    single = [course["dynamic_programme"](40, depth=(m, m))[0] for m in (0.4, 1.6)]
    assert np.isclose(mixed, np.mean(single))


def test_reacting_to_depth_is_worth_something_and_never_costs():
    course = lesson()
    plain, _ = course["dynamic_programme"](40)
    for stay in (0.5, 0.7, 0.95):
        assert course["dynamic_programme"](40, depth=(0.4, 1.6), stay=stay)[0] < plain


def test_simulated_prices_bear_out_the_formulas():
    course = lesson()
    path = course["almgren_chriss"](1e-6)
    drawn = course["simulate"](-np.diff(path), 50_000, 3)
    assert abs(drawn.mean() - course["expected_cost"](path)) < 4 * drawn.std() / 50_000**0.5
    assert np.isclose(drawn.std(), course["variance"](path) ** 0.5, rtol=0.02)
