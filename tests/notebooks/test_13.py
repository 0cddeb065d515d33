"""Backpropagation: its gradients against scikit-learn's network and SciPy's differences, on data of other shapes."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.neural_network import MLPClassifier

from benchmarks.harness import defined


@pytest.fixture
def lesson() -> dict:
    names = "sigmoid cross_entropy squared_error forward backward flat shaped tanh_slope batch_norm batch_norm_backward"
    return defined("13", {"np": np}, names + " normed_forward normed_backward")


def world(sizes: tuple[int, ...], rows: int, seed: int) -> tuple:
    rng = np.random.default_rng(seed)
    theta = [(rng.normal(size=pair) / 2, rng.normal(size=pair[1])) for pair in pairwise(sizes)]
    return theta, rng.normal(size=(rows, sizes[0])), (rng.random(rows) < 0.3).astype(float)


@pytest.mark.parametrize("sizes", [(3, 5, 1), (4, 7, 3, 1), (2, 6, 6, 6, 1)])
def test_the_gradient_is_that_of_scikit_learns_network(lesson, sizes):
    theta, X, y = world(sizes, 40, 1)
    model = MLPClassifier(sizes[1:-1], activation="tanh", solver="sgd", alpha=0, momentum=0, batch_size=40, max_iter=1)
    model.set_params(learning_rate_init=0.5, shuffle=False)
    model.partial_fit(X, y, classes=[0, 1])
    model.coefs_, model.intercepts_ = [W.copy() for W, _ in theta], [b.copy() for _, b in theta]
    model._optimizer.params = model.coefs_ + model.intercepts_
    model._optimizer.velocities = [np.zeros_like(p) for p in model._optimizer.params]
    model.partial_fit(X, y)
    z, kept = lesson["forward"](theta, X, np.tanh)
    ours = lesson["backward"](theta, kept, lesson["cross_entropy"](z, y)[1], lesson["tanh_slope"])
    for (W, b), (dW, db), W_new, b_new in zip(theta, ours, model.coefs_, model.intercepts_, strict=True):
        assert np.allclose((W - W_new) / 0.5, dW, atol=1e-10)
        assert np.allclose((b - b_new) / 0.5, db, atol=1e-10)


@pytest.mark.parametrize("depth", [1, 3])
def test_batch_normalisation_in_depth_agrees_with_scipys_differences(lesson, depth):
    theta, X, y = world((3, *[5] * depth, 1), 17, 2)
    rng = np.random.default_rng(3)
    normed = [(W, rng.uniform(0.5, 2, len(b)), b) for W, b in theta[:-1]] + [theta[-1]]

    def loss(vector):
        z, _ = lesson["normed_forward"](lesson["shaped"](vector, normed), X, np.tanh)
        return lesson["squared_error"](z, y)[0]

    z, kept = lesson["normed_forward"](normed, X, np.tanh)
    ours = lesson["normed_backward"](normed, kept, lesson["squared_error"](z, y)[1], lesson["tanh_slope"])
    at = lesson["flat"](normed)
    assert np.allclose(lesson["flat"](ours), approx_fprime(at, loss, 1e-7), atol=1e-6)
