"""Option pricing: the notebook's own functions against closed forms, differences and brute force."""

import itertools

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.special import ndtr

from benchmarks import harness
from helpers import options, worlds


@pytest.fixture(scope="module")
def lesson() -> dict:
    """The functions of the cells with the tag `functions`."""
    space = {"np": np, "itertools": itertools, "ndtr": ndtr, "linprog": linprog, "options": options, "worlds": worlds}
    return harness.lesson("24", space)


def test_tree_converges_to_the_formula(lesson):
    price, delta = lesson["call_by_hand"](100, 110, 0.5, 0.3, 0.04)
    ours = options.black_scholes(100, 110, 0.5, 0.3, 0.04)
    assert (price, delta) == pytest.approx((ours.price, ours.delta), abs=1e-12)
    assert lesson["tree"](100, 110, 0.5, 0.3, 0.04, 2000) == pytest.approx(price, abs=0.005)
    put = options.black_scholes(100, 110, 0.5, 0.3, 0.04, call=False).price
    assert lesson["tree"](100, 110, 0.5, 0.3, 0.04, 2000, sign=-1) == pytest.approx(put, abs=0.005)


def test_simulated_american_put_lies_near_the_tree(lesson):
    price, error = lesson["longstaff_schwartz"](36, 40, 1.0, 0.2, 0.06, 40_000, 5)
    exact = lesson["tree"](36, 40, 1.0, 0.2, 0.06, 1000, sign=-1, exercise=20)
    assert exact == pytest.approx(4.478, abs=0.002) and abs(price - exact) < 4 * error < 0.1


def test_features_are_orthonormal_and_know_their_derivatives(lesson):
    exponents = lesson["degrees_of"](3, 4)
    assert len(exponents) == 35 and (np.diff(exponents.sum(axis=1)) >= 0).all()
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)
    grid = np.array(list(itertools.product(nodes, repeat=3)))
    mass = np.array([np.prod(w) for w in itertools.product(weights / weights.sum(), repeat=3)])
    phi = lesson["features"](grid, exponents)
    np.testing.assert_allclose(phi.T @ (phi * mass[:, None]), np.eye(35), atol=1e-10)
    x = np.random.default_rng(1).standard_normal((20, 3))
    for j, move in enumerate(1e-5 * np.eye(3)):
        numeric = (lesson["features"](x + move, exponents) - lesson["features"](x - move, exponents)) / 2e-5
        lower, root = lesson["lowered"](exponents, j)
        np.testing.assert_allclose(lesson["features"](x, exponents)[:, lower] * root, numeric, atol=1e-6)


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_a_cubic_is_found_again_with_its_derivatives(lesson, weight):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((400, 2))
    value = lambda x: x[:, 0] ** 3 - 2 * x[:, 0] * x[:, 1] + 1  # noqa: E731
    slopes = lambda x: np.column_stack([3 * x[:, 0] ** 2 - 2 * x[:, 1], -2 * x[:, 0]])  # noqa: E731
    targets, new = np.column_stack([value(x), slopes(x)]), rng.standard_normal((50, 2))
    found, degree, _ = lesson["fit_polynomial"](x, targets, 300, [weight, weight], new, degrees=(1, 2, 3, 4))
    assert degree >= 3
    np.testing.assert_allclose(found, np.column_stack([value(new), slopes(new)]), atol=1e-4)


def test_no_arbitrage_is_found_where_there_is_none_and_missed_where_there_is(lesson):
    K = np.array([80.0, 90.0, 95.0, 110.0, 130.0])
    fair = options.black_scholes(100, K, 1.0, 0.2).price
    assert (lesson["convexity"](K) @ fair < 0).all()
    assert lesson["arbitrage_gap"](K, fair - 0.01, fair + 0.01) == pytest.approx(0, abs=1e-9)
    high = fair.copy()
    high[2] += 2.0  # the middle strike costs too much: sell it, buy its neighbours
    assert (lesson["convexity"](K) @ high)[1] > 0
    gap = lesson["arbitrage_gap"](K, high - 0.01, high + 0.01)
    brute = min(
        g
        for g in np.linspace(0, 2, 2001)
        if high[2] - 0.01 - g <= (2 * (high[1] + 0.01 + g) + (high[3] + 0.01 + g) * 2 / 3) / (8 / 3)
    )
    assert gap == pytest.approx(brute, abs=2e-3)


def test_barrier_labels_have_the_right_means_and_the_jump_the_wrong_slope(lesson):
    spot, labels = lesson["barrier_paths"](600_000, 3)
    near = np.flatnonzero((spot[:, 0] > 94) & (spot[:, 0] < 96))
    at = spot[near, 0]
    exact = options.down_and_out_call(at, **lesson["BARRIER"])
    up, down = (options.down_and_out_call(at + h, **lesson["BARRIER"]) for h in (1e-3, -1e-3))
    truth = np.column_stack([exact, (up - down) / 2e-3])
    error = lambda kind: labels[kind][near] - truth  # noqa: E731
    smooth, jump = error("smoothed"), error("with the jump")
    standard = lambda e: e.std(axis=0) / np.sqrt(len(e))  # noqa: E731
    assert (abs(smooth.mean(axis=0)) < 4 * standard(smooth)).all()
    assert abs(jump.mean(axis=0)[0]) < 4 * standard(jump)[0] and jump.mean(axis=0)[1] < -0.2
