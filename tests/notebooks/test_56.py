"""Quantum: the notebook's own simulator and machine against whole matrices, libraries and closed forms."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import rbf_kernel

from benchmarks import harness
from helpers.metrics import classifier


@pytest.fixture(scope="module")
def lesson() -> dict:
    """The functions of the cells with the tag `functions`."""
    space = {"np": np, "pd": pd, "stats": stats}
    return harness.lesson("56", space)


@pytest.mark.parametrize("qubit", [0, 1, 2])
def test_a_gate_on_one_qubit_is_the_whole_matrix(lesson, qubit):
    rng = np.random.default_rng(qubit)
    states = rng.normal(size=(5, 8)) + 1j * rng.normal(size=(5, 8))
    gate = np.linalg.qr(rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2)))[0]
    factors = [gate if j == qubit else np.eye(2) for j in range(3)]
    whole = np.kron(np.kron(factors[0], factors[1]), factors[2])
    np.testing.assert_allclose(lesson["apply_gate"](gate, states, qubit), states @ whole.T, atol=1e-12)
    angles = rng.normal(size=5)
    by_row = lesson["apply_gate"](lesson["rotation"](angles), states, qubit)
    one = lesson["apply_gate"](lesson["rotation"](angles[3:4])[0], states, qubit)
    np.testing.assert_allclose(by_row[3], one[3], atol=1e-12)


def test_angle_kernel_is_the_fidelity_and_the_product_of_cosines(lesson):
    a, b = np.random.default_rng(1).normal(size=(2, 9, 4))
    expected = np.prod(np.cos((a[:, None] - b) / 2) ** 2, axis=-1)
    np.testing.assert_allclose(lesson["angle_kernel"](a, b), expected, atol=1e-12)
    np.testing.assert_allclose(lesson["fidelity"](lesson["angle_map"](a), lesson["angle_map"](b)), expected, atol=1e-12)


def test_rbf_twin_is_scikit_learns_with_gamma_a_quarter(lesson):
    a, b = np.random.default_rng(2).normal(size=(2, 9, 4))
    np.testing.assert_allclose(lesson["rbf_kernel"](a, b), rbf_kernel(a, b, gamma=0.25), atol=1e-12)
    np.testing.assert_allclose(lesson["rbf_kernel"](0.3 * a, 0.3 * b), rbf_kernel(a, b, gamma=0.3**2 / 4), atol=1e-12)


def test_zz_map_is_pennylanes_iqp_embedding(lesson):
    qml = pytest.importorskip("pennylane")
    a = np.random.default_rng(3).normal(size=(6, 3))
    device = qml.device("default.qubit", wires=3)

    @qml.qnode(device)
    def circuit(row):
        qml.IQPEmbedding(row, wires=range(3), n_repeats=2)
        return qml.state()

    theirs = np.array([circuit(row) for row in a])
    overlap = np.abs(np.sum(theirs.conj() * lesson["zz_map"](a), axis=1))
    np.testing.assert_allclose(overlap, 1, atol=1e-10)


def test_zz_map_by_whole_matrices(lesson):
    z, h = np.diag([1.0, -1.0]), np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)
    row = np.array([0.7, -1.2])
    phase = row[0] * np.kron(z, np.eye(2)) + row[1] * np.kron(np.eye(2), z) + row[0] * row[1] * np.kron(z, z)
    layer = np.diag(np.exp(-0.5j * np.diag(phase))) @ np.kron(h, h)
    np.testing.assert_allclose(lesson["zz_map"](row[None])[0], (layer @ layer)[:, 0], atol=1e-12)


def test_machine_is_kernel_ridge_and_its_left_out_errors_are_those_of_refits(lesson):
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(30, 3)), rng.choice([-1.0, 1.0], 30)
    K = lesson["rbf_kernel"](x, x)
    weights, errors = lesson["ridge"](K, y, np.array([0.3, 2.0]))
    for column, strength in enumerate((0.3, 2.0)):
        library = KernelRidge(alpha=strength, kernel="precomputed").fit(K + 1, y)
        np.testing.assert_allclose(weights[:, column], library.dual_coef_, atol=1e-8)
        rest = np.arange(30) != 11
        library.fit((K + 1)[np.ix_(rest, rest)], y[rest])
        assert errors[11, column] == pytest.approx(y[11] - library.predict((K + 1)[11:12, rest])[0], abs=1e-8)


def test_auc_of_outcomes_is_the_librarys_and_of_chances_its_mean(lesson):
    rng = np.random.default_rng(5)
    chance, score = rng.uniform(0.05, 0.9, 400), rng.normal(size=400)
    score += chance
    y = (rng.random(400) < chance).astype(float)
    assert lesson["auc"](y, score) == pytest.approx(roc_auc_score(y, score), abs=1e-12)
    drawn = [roc_auc_score(rng.random(400) < chance, score) for _ in range(400)]
    assert lesson["auc"](chance, score) == pytest.approx(np.mean(drawn), abs=0.005)


def test_interval_is_that_of_the_corrected_t_test(lesson):
    d = np.random.default_rng(6).normal(0.02, 0.01, 8)
    for share in (1e-12, 1.5):
        middle, half = lesson["paired"](d, share)
        test = classifier.corrected_t_test(d, share)
        assert middle == pytest.approx(test.difference)
        assert half == pytest.approx(stats.t.ppf(0.975, 7) * middle / test.statistic)


def test_shots_scatter_as_yes_or_no_answers(lesson):
    K = np.full((300, 300), 0.2)
    seen = lesson["measured"](K, 50, np.random.default_rng(7))
    assert seen.mean() == pytest.approx(0.2, abs=0.002)
    assert seen.std() == pytest.approx(np.sqrt(0.2 * 0.8 / 50), rel=0.02)
