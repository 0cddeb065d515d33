"""The world of entangled applicants: scaled as it says, and its truth lies in the quantum kernel's space."""

import numpy as np
import pytest

from helpers import worlds
from helpers.errors import CourseError

Z = np.diag([1.0, -1.0])
HADAMARD = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)


def product(factors):
    out = np.eye(1)
    for factor in factors:
        out = np.kron(out, factor)
    return out


def state(x):
    """The ZZ map by whole matrices, one row."""
    q = len(x)
    on = lambda *which: product([Z if k in which else np.eye(2) for k in range(q)])  # noqa: E731
    phase = sum(x[i] * on(i) for i in range(q)) + sum(x[i] * x[j] * on(i, j) for j in range(q) for i in range(j))
    layer = np.diag(np.exp(-0.5j * np.diag(phase))) @ product([HADAMARD] * q)
    return (layer @ layer)[:, 0]


def log_odds(frame):
    chance = frame["chance"].to_numpy()
    return np.log(chance / (1 - chance))


def test_log_odds_have_the_level_and_spread_they_name():
    z = log_odds(worlds.entangled_applicants(20_000, bandwidth=0.7, truth=3, level=-1.5))
    assert z.mean() == pytest.approx(-1.5, abs=0.06)
    assert z.std() == pytest.approx(2.0, rel=0.03)


@pytest.mark.parametrize(("columns", "bandwidth"), [(2, 1.3), (3, 0.5)])
def test_the_truth_is_linear_in_the_states_density_matrix(columns, bandwidth):
    frame = worlds.entangled_applicants(300, columns=columns, bandwidth=bandwidth, truth=1)
    states = np.array([state(row) for row in bandwidth * frame.iloc[:, :columns].to_numpy()])
    density = np.einsum("na,nb->nab", states, states.conj()).reshape(len(states), -1)
    features = np.column_stack([density.real, density.imag])
    fitted = features @ np.linalg.lstsq(features, log_odds(frame), rcond=None)[0]
    np.testing.assert_allclose(fitted, log_odds(frame), atol=1e-6)


def test_the_truth_does_not_hang_on_the_applicants_seed():
    a, b = (worlds.entangled_applicants(5, seed=s) for s in (1, 2))
    assert not np.allclose(a["x1"], b["x1"])
    again = worlds.entangled_applicants(5, seed=1)
    assert a.equals(again) and set(a["default"]) <= {0, 1}
    assert not np.allclose(a["chance"], worlds.entangled_applicants(5, seed=1, truth=9)["chance"])


@pytest.mark.parametrize("wrong", [{"n": 0}, {"n": 5, "columns": 11}, {"n": 5, "bandwidth": 0.0}])
def test_impossible_worlds_are_refused(wrong):
    with pytest.raises(CourseError):
        worlds.entangled_applicants(**wrong)
