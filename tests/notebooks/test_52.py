"""Privacy: the notebook's own functions against closed forms, brute force and, where it is there, dp-accounting."""

import hashlib

import numpy as np
import pytest
from scipy import integrate, sparse, stats
from scipy.optimize import brentq
from scipy.special import expit, gammaln, logsumexp
from sklearn.neighbors import NearestNeighbors

from benchmarks import harness


@pytest.fixture(scope="module")
def lesson() -> dict:
    space = {"np": np, "stats": stats, "sparse": sparse, "brentq": brentq, "expit": expit, "gammaln": gammaln}
    space |= {"logsumexp": logsumexp, "NearestNeighbors": NearestNeighbors, "hashlib": hashlib}
    space |= {"DELTA": 1e-5, "ORDERS": np.arange(2, 257), "CUT": 0.2, "LOAN": 100, "LGD": 0.5, "MARGIN": 0.1}
    return harness.lesson("52", space)


def test_known_card_numbers_pass_and_their_neighbours_do_not(lesson):
    numbers = np.array([4111_1111_1111_1111, 5555_5555_5555_4444, 4111_1111_1111_1112, 5555_5555_5554_5444])
    assert lesson["passes_luhn"](numbers).tolist() == [True, True, False, False]
    assert lesson["token"](7) == hashlib.sha256(b"0000000000000007").digest()


def test_groups_and_secrets_by_brute_force(lesson):
    rng = np.random.default_rng(0)
    a, b, secret = rng.integers(0, 4, 60), rng.integers(0, 5, 60), rng.integers(0, 9, 60)
    group, size = lesson["group_of"](a, b)
    for i in range(60):
        assert size[group[i]] == np.sum((a == a[i]) & (b == b[i]))
        common = set(secret[a == a[i]]) & set(secret[b == b[i]])
        assert lesson["common_secrets"](a, b, secret)[i] == len(common)
    assert lesson["alone"](a, b) == np.mean(size[group] == 1)
    held = [len(set(secret[group == g])) == 1 for g in group if size[g] >= 2]
    assert lesson["same_secret"](group, size, secret, 2) == pytest.approx(np.mean(held))


@pytest.mark.parametrize(("q", "sigma", "order"), [(0.1, 1.0, 3), (0.5, 2.0, 8), (1.0, 1.5, 5), (0.01, 0.8, 2)])
def test_renyi_is_the_integral(lesson, q, sigma, order):
    without = stats.norm(0, sigma)

    def powered(x):
        return without.pdf(x) * (1 - q + q * np.exp((2 * x - 1) / (2 * sigma**2))) ** order

    whole = integrate.quad(powered, -30, 60, limit=500, points=[0, order])[0]
    assert lesson["renyi"](q, sigma, np.array([order]))[0] == pytest.approx(np.log(whole) / (order - 1), rel=1e-6)


def test_noise_for_spends_what_it_was_told(lesson):
    for eps in (0.5, 1, 8):
        assert lesson["epsilon"](0.02, lesson["noise_for"](eps, 0.02, 300), 300) == pytest.approx(eps, abs=1e-4)


def test_exact_epsilon_is_met_with_delta(lesson):
    for mu in (0.3, 1.0, 4.0):
        eps = lesson["exact_epsilon"](mu)
        x = eps / mu + mu / 2  # beyond it the ratio is above e^eps
        assert stats.norm.sf(x - mu) - np.exp(eps) * stats.norm.sf(x) == pytest.approx(1e-5, rel=1e-5)


def test_one_subsampled_step_is_exact_against_a_grid(lesson):
    for q, sigma in ((0.2, 1.0), (0.015, 0.7)):
        eps = lesson["exact_one_step"](q, sigma)
        assert 0 < eps < lesson["epsilon"](q, sigma, 1)
        x = np.linspace(-12, 14, 400_001)
        out, into = stats.norm.pdf(x, 0, sigma), stats.norm.pdf(x, 1, sigma)
        gain = np.maximum((1 - q) * out + q * into - np.exp(eps) * out, 0)
        assert gain.sum() * (x[1] - x[0]) == pytest.approx(1e-5, rel=1e-3)


def test_the_accountant_equals_dp_accounting(lesson):
    rdp = pytest.importorskip("dp_accounting.rdp")
    accounting = pytest.importorskip("dp_accounting")
    for q, sigma, steps in ((256 / 60_000, 1.12, 14_063), (0.25, 6.0, 300), (1.0, 20.0, 100)):
        event = accounting.GaussianDpEvent(sigma)
        event = accounting.PoissonSampledDpEvent(q, event) if q < 1 else event
        theirs = rdp.RdpAccountant(orders=list(range(2, 257)))
        theirs.compose(event, steps)
        assert lesson["epsilon"](q, sigma, steps) == pytest.approx(theirs.get_epsilon(1e-5), rel=1e-6)


def test_poisson_batches_hold_each_row_by_its_own_coin(lesson):
    part = np.arange(100, 400)
    drawn = lesson["poisson_batches"]([part, part[:50]], 20, 4_000, 0, 999)
    assert drawn.shape == (4_000, 2, int(20 + 7 * np.sqrt(20)))
    for j, rows in enumerate((part, part[:50])):
        real = drawn[:, j] < 999
        times = np.bincount(drawn[:, j][real], minlength=400)[rows]
        assert times.sum() == real.sum() and times.mean() == pytest.approx(4_000 * 20 / len(rows), rel=0.01)
        assert real.sum(axis=1).var() == pytest.approx(20 * (1 - 20 / len(rows)), rel=0.1)
        assert all(len(set(row[row < 999])) == (row < 999).sum() for row in drawn[:50, j])


def test_money_and_its_interval(lesson):
    assert lesson["earned"](np.array([0.1, 0.1, 0.3]), np.array([0, 1, 1])).tolist() == [10, -50, 0]
    rng, inside = np.random.default_rng(1), 0
    for _ in range(300):
        rows, repeats = rng.normal(size=200), rng.normal(0, 0.1, (6, 1))
        mean, low, high = lesson["paired"](1 + rows + repeats, np.zeros((6, 200)))
        inside += low < 1 < high
        assert low < mean < high
    assert 0.9 < inside / 300 < 0.985


def test_the_audit_is_clopper_pearson_without_delta_and_never_lower_with_it(lesson):
    for right in (55, 70, 99, 100):
        least = stats.binomtest(right, 100).proportion_ci(0.9, "exact").low
        wanted = max(0.0, np.log(least / (1 - least)))
        assert lesson["audit_bound"](500, 100, right, delta=0.0) == pytest.approx(wanted, abs=0.011)
        assert lesson["audit_p"](500, 100, right, 1.0) >= lesson["audit_p"](500, 100, right, 1.0, 0.0)


def test_randomised_answers_are_not_accused_more_than_in_one_of_twenty(lesson):
    """The worst that epsilon allows: each canary's coin is shown truly with probability e^eps / (1 + e^eps)."""
    rng, eps, accused = np.random.default_rng(2), 1.0, 0
    for _ in range(400):
        coins = rng.random(300) < 0.5
        shown = np.where(rng.random(300) < expit(eps), coins, ~coins)
        right = lesson["right_guesses"](shown + 0.01 * rng.random(300), coins, 60)
        accused += lesson["audit_p"](300, 60, int(right), eps) <= 0.05
    assert accused / 400 < 0.08


def test_federated_averaging_ends_at_its_closed_form(lesson):
    rng = np.random.default_rng(3)
    a, b = rng.uniform(0.5, 9, 6), rng.normal(size=6)
    for local in (1, 3, 20):
        point = lesson["fixed_point"](a, b, 0.07, local)
        assert lesson["averaged"](a, b, 0.07, local) == pytest.approx(point, abs=1e-9)
    assert lesson["fixed_point"](a, b, 1e-6, 1) == pytest.approx(np.sum(a * b) / np.sum(a), rel=1e-6)


def test_one_row_leaks_whole_and_noise_hides_it(lesson):
    rng = np.random.default_rng(4)
    weights = [rng.normal(0, 0.4, shape) for shape in ((1, 5, 7), (1, 7, 1), (1, 1, 7), (1, 1, 1))]
    rows, answers = rng.normal(size=(40, 1, 5)), rng.integers(0, 2, (40, 1))
    assert lesson["leak"](rows, answers, weights).max() < 1e-9
    assert np.median(lesson["leak"](rows, answers, weights, 1.0, 1.0)) > 0.5
    many = rng.normal(size=(40, 12, 5)), rng.integers(0, 2, (40, 12))
    assert np.median(lesson["leak"](*many, weights)) > 0.05


def test_synthetic_rows_keep_moments_and_copies_are_seen(lesson):
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(4_000, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0.3], [0, 0, 1]])
    actual, other = rng.integers(0, 2, 4_000), rng.normal(size=(4_000, 3))
    for h in (0.05, 1.0, np.inf):
        made, outcome = lesson["synthetic"](rows, actual, h, rng)
        assert np.array_equal(outcome, actual)
        assert np.cov(made.T) == pytest.approx(np.cov(rows.T), abs=0.12)
        assert made.mean(axis=0) == pytest.approx(rows.mean(axis=0), abs=0.08)
    unseen = rng.normal(size=(4_000, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0.3], [0, 0, 1]])
    assert lesson["nearer"](lesson["synthetic"](rows, actual, 0.001, rng)[0], rows, unseen) > 0.95
    assert lesson["nearer"](lesson["synthetic"](rows, actual, np.inf, rng)[0], rows, unseen) == pytest.approx(
        0.5, abs=0.04
    )
    assert lesson["nearer"](rows[:10], other, other) == 0.5
