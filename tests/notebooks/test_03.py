"""Frameworks: the back-propagation by hand against finite differences, and the native programs against NumPy."""

import ast
import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import harness

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "03_frameworks.ipynb"
SIZES = (5, 6, 6, 6, 1)


@pytest.fixture(scope="module")
def programs() -> dict:
    """The strings of the notebook that hold the native programs, by the name of their variable."""
    found: dict = {}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and source.startswith(("PYTORCH", "JAX", "TENSORFLOW", "PADDLE", "NATIVE =")):
            exec(source, found)
    return found


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(1)
    pairs = [(rng.normal(size=(n, m)) / np.sqrt(n), rng.normal(size=m)) for n, m in itertools.pairwise(SIZES)]
    weights = [(kernel.astype("float32"), bias.astype("float32")) for kernel, bias in pairs]
    return weights, rng.normal(size=(32, 5)).astype("float32"), rng.normal(size=(32, 1)).astype("float32")


def forward(weights, x):
    for kernel, bias in weights[:-1]:
        x = np.maximum(x @ kernel + bias, 0)
    return x @ weights[-1][0] + weights[-1][1]


@pytest.fixture(scope="module")
def slopes():
    return harness.defined("03", {"np": np}, "slopes")["slopes"]


def numeric(weights, x, y):
    """Kernels' gradient of the mean squared error by central differences, in 64 bits."""
    weights = [[part.astype("float64") for part in pair] for pair in weights]
    found = []
    for kernel, _ in weights:
        for place in np.ndindex(*kernel.shape):
            middle, values = kernel[place], []
            for step in (1e-6, -1e-6):
                kernel[place] = middle + step
                values.append(np.mean((forward(weights, x) - y) ** 2))
            kernel[place] = middle
            found.append((values[0] - values[1]) / 2e-6)
    return np.array(found)


def test_back_propagation_equals_finite_differences(slopes, problem):
    by_hand, exact = slopes(*problem, np.float32), numeric(*problem)
    assert np.abs(by_hand - exact).max() < 1e-5 * np.abs(exact).max()


def test_scaling_the_loss_is_exact_without_rounding(slopes, problem):
    np.testing.assert_array_equal(slopes(*problem, np.float32, 2.0**15), slopes(*problem, np.float32))


def test_float16_loses_what_scaling_brings_back(slopes, problem):
    weights, x, y = problem
    small = [*weights[:-1], tuple(part * np.float32(1e-4) for part in weights[-1])], x, y * np.float32(1e-4)
    exact, plain, scaled = (slopes(*small, *way) for way in ((np.float32,), (np.float16,), (np.float16, 2.0**24)))
    first = slice(0, 30)
    assert np.linalg.norm(scaled[first] - exact[first]) < 0.02 * np.linalg.norm(exact[first])
    assert np.linalg.norm(plain[first] - exact[first]) > 0.1 * np.linalg.norm(exact[first])


def test_every_program_is_python_and_defines_train(programs):
    for source in (*programs["NATIVE"].values(), programs["PADDLE"]):
        assert "train" in {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", ["tensorflow", "jax", "torch"])
def test_native_programs_take_the_step_of_numpy(programs, problem, slopes, name):
    pytest.importorskip(name)
    weights, x, y = problem
    names = {"weights": weights, "np": np}
    exec(programs["NATIVE"][name] + programs["CARRY"][name], names)
    before = names["flat"](names["model"])
    assert np.abs(names["numpy"](names["apply"](names["model"], names["tensor"](x))) - forward(weights, x)).max() < 1e-5
    before = [np.array(part) for part in before]
    model, losses = names["train"](names["model"], [(names["tensor"](x), names["tensor"](y))], 0.1)
    assert float(losses[0]) == pytest.approx(np.mean((forward(weights, x) - y) ** 2), rel=1e-5)
    moved = [(old - new) / 0.1 for old, new in zip(before[::2], names["flat"](model)[::2], strict=True)]
    assert np.abs(np.concatenate([part.ravel() for part in moved]) - slopes(weights, x, y, np.float32)).max() < 1e-4
