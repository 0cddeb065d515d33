"""Convolution: strides and dilations at once, which Keras does not offer, against SciPy; tests and cut-offs."""

from itertools import product

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from scipy import signal, stats
from statsmodels.stats.contingency_tables import mcnemar

from benchmarks import harness

CASES = list(product(("valid", "same", "causal"), (1, 2, 3), (1, 2, 3)))


@pytest.fixture(scope="module")
def lesson() -> dict:
    space = {"np": np, "stats": stats, "sliding_window_view": sliding_window_view}
    wanted = "zeros_around patches convolve spread_back convolve_backward pool pool_backward receptive_field"
    return harness.defined("14", space, f"{wanted} mcnemar passes choose_cut")


@pytest.mark.parametrize(("padding", "stride", "dilation"), CASES)
def test_a_layer_is_scipys_sum_of_correlations(lesson, padding, stride, dilation):
    rng = np.random.default_rng(1)
    x, k, b = rng.normal(size=(2, 11, 12, 2)), rng.normal(size=(3, 2, 2, 3)), rng.normal(size=3)
    spread = np.zeros((2 * dilation + 1, dilation + 1, 2, 3))
    spread[::dilation, ::dilation] = k
    around = [lesson["zeros_around"](n, size, stride, dilation, padding) for n, size in ((11, 3), (12, 2))]
    padded = np.pad(x, [(0, 0), *around, (0, 0)])
    ours = lesson["convolve"](x, k, b, stride, dilation, padding)
    for n, f in product(range(2), range(3)):
        full = sum(signal.correlate2d(padded[n, :, :, c], spread[:, :, c, f], mode="valid") for c in range(2))
        np.testing.assert_allclose(ours[n, :, :, f], full[::stride, ::stride] + b[f], atol=1e-12)


@pytest.mark.parametrize(("padding", "stride", "dilation"), CASES)
def test_the_way_back_is_the_transpose(lesson, padding, stride, dilation):
    """For a linear layer <g, J v> = <J' g, v> for every v."""
    rng = np.random.default_rng(2)
    x, k, b = rng.normal(size=(2, 11, 12, 2)), rng.normal(size=(3, 2, 2, 3)), np.zeros(3)
    y = lesson["convolve"](x, k, b, stride, dilation, padding)
    g, v, w = rng.normal(size=y.shape), rng.normal(size=x.shape), rng.normal(size=k.shape)
    dx, dk, db = lesson["convolve_backward"](g, x, k, stride, dilation, padding)
    assert (dx * v).sum() == pytest.approx((g * lesson["convolve"](v, k, b, stride, dilation, padding)).sum())
    assert (dk * w).sum() == pytest.approx((g * lesson["convolve"](x, w, b, stride, dilation, padding)).sum())
    assert db == pytest.approx(g.sum(axis=(0, 1, 2)))


@pytest.mark.parametrize(("how", "padding"), list(product(("max", "average"), ("valid", "same"))))
def test_pooling_back_by_finite_differences(lesson, how, padding):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(1, 7, 6, 2))
    y = lesson["pool"](x, (3, 2), 2, padding, how)
    g, v, step = rng.normal(size=y.shape), rng.normal(size=x.shape), 1e-6
    up, down = (lesson["pool"](x + sign * step * v, (3, 2), 2, padding, how) for sign in (1, -1))
    dx = lesson["pool_backward"](g, x, (3, 2), 2, padding, how)
    assert (dx * v).sum() == pytest.approx((g * (up - down)).sum() / (2 * step), rel=1e-5)


def test_mcnemar_is_statsmodels(lesson):
    rng = np.random.default_rng(4)
    lesson["labels"], lesson["test_rows"] = rng.integers(0, 10, 300), np.arange(300)
    a, b = (
        np.eye(10)[np.where(rng.random(300) < q, lesson["labels"], (lesson["labels"] + 1) % 10)] for q in (0.9, 0.8)
    )
    only_a, only_b, p = lesson["mcnemar"](a, b)
    right_a, right_b = (x.argmax(axis=1) == lesson["labels"] for x in (a, b))
    table = [[(x & y).sum() for y in (right_b, ~right_b)] for x in (right_a, ~right_a)]
    assert (only_a, only_b) == (table[0][1], table[1][0])
    assert p == pytest.approx(mcnemar(table, exact=True).pvalue)


def test_the_cut_off_keeps_its_promise_where_it_was_chosen(lesson):
    rng = np.random.default_rng(5)
    p = rng.dirichlet(np.full(10, 0.05), size=2000)
    lesson["labels"] = np.array([rng.choice(10, p=row) for row in p])  # probabilities that are true
    rows = np.arange(2000)
    cut = lesson["choose_cut"](p, rows, 0.05)
    share, wrong = lesson["passes"](p, rows, cut)
    assert 0 < share < 1 and wrong <= 0.05
    lower = np.sort(p.max(axis=1))
    lower = lower[lower < cut]
    assert all(lesson["passes"](p, rows, value)[1] > 0.05 for value in lower[-200:])
