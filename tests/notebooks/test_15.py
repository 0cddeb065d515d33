"""Recurrent networks: the notebook's own functions against a closed form, an optimiser and each other."""

import numpy as np
import pytest
from scipy import optimize
from scipy.signal import lfilter

from benchmarks.harness import defined
from helpers import worlds

NAMES = "sigmoid rnn lstm gru previous summed rnn_backward lstm_backward gru_backward slow_gates side_by_side"


@pytest.fixture(scope="module")
def lesson() -> dict:
    return defined("15", {"np": np}, NAMES)


@pytest.mark.parametrize(("name", "gates", "rows"), [("rnn", 1, None), ("lstm", 4, None), ("gru", 3, 2)])
def test_starts_side_by_side_are_the_starts_alone(lesson, name, gates, rows):
    rng, m = np.random.default_rng(3), 5
    shapes = (2, gates * m), (m, gates * m), (gates * m,) if rows is None else (rows, gates * m)
    starts = [[rng.normal(scale=0.5, size=shape) for shape in shapes] for _ in range(3)]
    X = rng.normal(size=(4, 9, 2))
    alone = np.concatenate([lesson[name](X, *weights) for weights in starts], axis=2)
    np.testing.assert_allclose(lesson[name](X, *lesson["side_by_side"](starts)), alone, atol=1e-12)


def test_slow_gates_keep_what_the_formula_says(lesson):
    m, lag = 8, 40
    W, U, b = lesson["slow_gates"]("LSTM", [np.zeros((2, 4 * m)), np.zeros((m, 4 * m)), np.zeros(4 * m)], lag)
    _, cells, _ = lesson["lstm"](np.zeros((1, 3, 2)), W, U, b, c=np.ones((1, m)), full=True)
    tau = np.linspace(1, lag, m)
    np.testing.assert_allclose(cells[0, 2], (tau / (1 + tau)) ** 3)


def test_the_gradient_of_a_linear_state_is_a_power_of_its_matrix(lesson):
    """With tiny states tanh is linear: the gradient at an input k steps back is a row of (U^k)'W'."""
    rng = np.random.default_rng(5)
    W, U, b = rng.normal(size=(2, 4)), 0.5 * rng.normal(size=(4, 4)), np.zeros(4)
    E = np.zeros((1, 12, 4))
    E[0, -1] = [1.0, -2.0, 0.5, 0.0]
    got = lesson["rnn_backward"](1e-6 * rng.normal(size=(1, 12, 2)), E, W, U, b)[0][0]
    for k in (0, 1, 11):
        np.testing.assert_allclose(got[11 - k], E[0, -1] @ np.linalg.matrix_power(U, k).T @ W.T, rtol=1e-6)


def test_the_limits_of_alpha_and_beta_hold_maximum_likelihood(lesson):
    """The bands of the claims are four standard deviations of scipy's estimates over worlds that the notebook skips."""
    found = []
    for seed in range(101, 106):
        squares = worlds.garch11(20_000, alpha=0.08, beta=0.90, seed=seed).values ** 2
        scaled = squares / squares.mean()

        def loss(logs, scaled=scaled):
            alpha, beta, omega = np.exp(logs)
            h = lfilter([alpha], [1, -beta], scaled)[499:-1] + omega / (1 - min(beta, 0.999))
            return np.mean(np.log(h) + scaled[500:] / h)

        best = optimize.minimize(loss, np.log([0.1, 0.85, 0.05]), method="Nelder-Mead", options={"maxiter": 300})
        found.append(np.exp(best.x[:2]))
    alpha, beta = np.array(found).T
    assert ((alpha > 0.06) & (alpha < 0.10)).all() and ((beta > 0.87) & (beta < 0.93)).all()
