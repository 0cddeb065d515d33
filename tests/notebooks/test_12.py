"""Gradient descent: the notebook's optimisers against PyTorch's, its rates of convergence against matrices."""

import numpy as np
import pytest

from benchmarks.harness import defined

H = np.diag([1.0, 4.0, 9.0]) + 0.5


@pytest.fixture(scope="module")
def lesson() -> dict:
    names = "sgd momentum nesterov rmsprop adam adamw slowest_root exponential cosine sigmoid"
    return defined("12", {"np": np, "CURVATURES": np.array([1.0, 7.0, 30.0])}, names)


def walk(step, steps=60, eta=0.02, **options):
    theta, memory = np.array([1.0, -2.0, 0.5]), {}
    for k in range(1, steps + 1):
        theta = step(theta, H @ theta, memory, k, eta, **options)
    return theta


@pytest.mark.parametrize(
    ("name", "theirs", "settings"),
    [
        ("sgd", "SGD", {}),
        ("momentum", "SGD", {"momentum": 0.9}),
        ("nesterov", "SGD", {"momentum": 0.9, "nesterov": True}),
        ("adam", "Adam", {"eps": 1e-7}),
        ("adamw", "AdamW", {"eps": 1e-7, "weight_decay": 0.004}),
    ],
)
def test_optimisers_equal_pytorch(lesson, name, theirs, settings):
    torch = pytest.importorskip("torch")
    theta = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64, requires_grad=True)
    optimiser = getattr(torch.optim, theirs)([theta], lr=0.02, **settings)
    for _ in range(60):
        optimiser.zero_grad()
        (theta @ torch.tensor(H) @ theta / 2).backward()
        optimiser.step()
    close = 1e-5 if name.startswith("adam") else 1e-10  # PyTorch divides by the corrected root before it adds epsilon
    assert walk(lesson[name]) == pytest.approx(theta.detach().numpy(), abs=close)


def test_rmsprop_is_its_recursion(lesson):
    theta, v = np.array([1.0, -2.0, 0.5]), np.zeros(3)
    for _ in range(60):
        g = H @ theta
        v = 0.9 * v + 0.1 * g * g
        theta = theta - 0.02 * g / np.sqrt(v + 1e-7)
    assert walk(lesson["rmsprop"]) == pytest.approx(theta)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize(("eta", "mu"), [(0.03, 0.0), (0.03, 0.9), (0.05, 0.6), (0.09, 0.4)])
def test_roots_are_the_eigenvalues_of_the_recursion(lesson, eta, mu, nesterov):
    largest = 0.0
    for h in (1.0, 7.0, 30.0):  # one step of (theta, m)
        move = [1 - eta * h * (1 + mu * nesterov), mu * mu if nesterov else mu]
        largest = max(largest, np.abs(np.linalg.eigvals([move, [-eta * h, mu]])).max())
    assert lesson["slowest_root"](eta, mu, nesterov) == pytest.approx(largest, abs=1e-7)


def test_schedules_begin_and_end_where_they_should(lesson):
    assert lesson["cosine"](0, 50, 0.3) == 0.3 and lesson["cosine"](50, 50, 0.3) == pytest.approx(0, abs=1e-12)
    assert lesson["cosine"](25, 50, 0.3) == pytest.approx(0.15)
    assert lesson["exponential"](50, 50, 0.3, 0.01) == pytest.approx(0.003)
