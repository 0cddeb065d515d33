"""Anomaly detection: the notebook's own functions against scikit-learn, a brute simulation and known limits."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.covariance import EmpiricalCovariance
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import roc_auc_score

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "32_anomaly_detection.ipynb"
ROWS = np.random.default_rng(1).standard_normal((600, 5)) @ np.triu(np.arange(1.0, 26).reshape(5, 5)) / 10


@pytest.fixture(scope="module")
def lesson() -> dict:
    """The functions of distances, residuals, closed forms and what a score rests on."""
    space = {"np": np, "stats": stats, "X": ROWS}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if source.startswith(("def whitening", "def auc_detector", "def leading_share")):
            exec(source.split("\n\n\nfor ")[0], space)
    return space


def test_the_distance_is_scikit_learns(lesson):
    mean, inverse = lesson["whitening"](np.arange(400), ridge=0.0)
    theirs = EmpiricalCovariance().fit(ROWS[:400]).mahalanobis(ROWS) * 399 / 400  # theirs divides by n
    np.testing.assert_allclose(lesson["distance"](ROWS, mean, inverse), theirs, rtol=1e-8)


@pytest.mark.parametrize("keep", [0.5, 0.8, 0.99])
def test_the_residual_is_what_pca_cannot_rebuild(lesson, keep):
    score, k = lesson["residual"](ROWS, np.arange(400), keep)
    pca = PCA().fit(ROWS[:400])
    assert k == int(np.searchsorted(np.cumsum(pca.explained_variance_ratio_), keep)) + 1
    pca = PCA(k).fit(ROWS[:400])
    np.testing.assert_allclose(score, ((ROWS - pca.inverse_transform(pca.transform(ROWS))) ** 2).sum(axis=1), atol=1e-8)


def test_trimming_forgets_a_cluster_that_a_plain_estimate_takes_in(lesson):
    rng = np.random.default_rng(2)
    values = np.vstack([rng.standard_normal((960, 4)), rng.standard_normal((40, 4)) + 6])
    rows = np.arange(len(values))
    kept = lesson["trimmed"](rows, values)
    assert len(kept) == 950
    plain, trimmed = (lesson["whitening"](some, values) for some in (rows, kept))
    assert np.abs(plain[0]).max() > 0.2 > np.abs(trimmed[0]).max()
    spread = [np.linalg.inv(inverse)[0, 1] for _, inverse in (plain, trimmed)]
    assert spread[0] > 1 and abs(spread[1]) < 0.1


def test_a_ridge_makes_a_singular_covariance_harmless(lesson):
    rng = np.random.default_rng(5)
    values = rng.standard_normal((500, 3))
    flat = np.column_stack([values, values.sum(axis=1)])  # the fourth column adds nothing
    rows = np.arange(500)
    full = lesson["distance"](values, *lesson["whitening"](rows, values, 0.0))
    ridged = lesson["distance"](flat, *lesson["whitening"](rows, flat, 1e-6))
    np.testing.assert_allclose(ridged, full, rtol=1e-4)


def test_the_leading_share_finds_one_direction_and_no_direction(lesson):
    values = np.eye(4) * 3
    share = lesson["leading_share"](values, np.zeros(4), np.diag([1.0, 2.0, 3.0, 4.0]))
    np.testing.assert_allclose(share, 1.0)
    assert lesson["leading_share"](np.ones((1, 4)), np.zeros(4), np.eye(4))[0] == pytest.approx(0.25)


def test_the_quadratic_rule_is_the_log_likelihood_ratio(lesson):
    rng = np.random.default_rng(6)
    z, center = rng.standard_normal((50, 3)), rng.standard_normal((3, 2))
    for k in range(2):
        theirs = stats.multivariate_normal(center[:, k], 2.25 * np.eye(3)).logpdf(z)
        theirs -= stats.multivariate_normal(np.zeros(3), np.eye(3)).logpdf(z)
        ours = lesson["quadratic"](z, center, np.array([2.25, 2.25]))[:, k] / 2
        np.testing.assert_allclose(ours - ours[0], theirs - theirs[0], atol=1e-9)


def test_for_scattered_frauds_the_quadratic_rule_beats_any_direction(lesson):
    rng = np.random.default_rng(7)
    honest, thieves = rng.standard_normal((4_000, 29)), 1.5 * rng.standard_normal((4_000, 29))
    thieves[:, 0] += 3
    both, actual = np.vstack([honest, thieves]), np.repeat([0, 1], 4_000)
    known = 1.5 * rng.standard_normal((10, 29)) + 3 * np.eye(29)[0]
    center, spread2 = known.mean(axis=0)[:, None], known.var(axis=0, ddof=1).mean()
    assert roc_auc_score(actual, lesson["quadratic"](both, center, spread2)[:, 0]) > 0.98
    assert roc_auc_score(actual, both[:, 0]) < 0.96  # the true direction


def test_fisher_points_where_linear_discriminant_analysis_does(lesson):
    rng = np.random.default_rng(3)
    honest = rng.standard_normal((4_000, 3)) @ np.array([[2, 1, 0], [0, 1, 0.5], [0, 0, 0.7]])
    frauds = honest + np.array([1.0, -0.5, 0.3])
    mean, inverse = lesson["whitening"](np.arange(4_000), honest)
    ours = lesson["fisher"](np.eye(3) + mean, frauds, mean, inverse)
    lda = LinearDiscriminantAnalysis().fit(np.vstack([honest, frauds]), np.repeat([0, 1], 4_000)).coef_[0]
    np.testing.assert_allclose(ours / np.linalg.norm(ours), lda / np.linalg.norm(lda), atol=1e-6)


@pytest.mark.parametrize(("d", "delta", "tau"), [(3, 2.0, 1.0), (12, 4.0, 1.5), (40, 1.0, 0.8)])
def test_the_closed_forms_are_what_simulation_gives(lesson, d, delta, tau):
    rng = np.random.default_rng(4)
    honest, thieves = rng.standard_normal((20_000, d)), tau * rng.standard_normal((20_000, d))
    thieves[:, 0] += delta
    both, actual = np.vstack([honest, thieves]), np.repeat([0, 1], 20_000)
    assert lesson["auc_detector"](d, delta, tau) == pytest.approx(
        roc_auc_score(actual, (both**2).sum(axis=1)), abs=0.01
    )
    known = tau * rng.standard_normal((200, 4, d))
    known[..., 0] += delta
    found = [roc_auc_score(actual[::20], lesson["fisher"](both[::20], k, 0, np.eye(d))) for k in known]
    assert lesson["auc_labels"](d, delta, tau, 4) == pytest.approx(np.mean(found), abs=0.02)


def test_many_labels_reach_the_known_direction_and_one_beats_the_detector_of_a_tight_cloud(lesson):
    assert lesson["auc_labels"](29, 3.0, 1.0, 1e7) == pytest.approx(stats.norm.cdf(3 / 2**0.5), abs=1e-3)
    for d in (20, 100, 500):
        for delta in (2.0, 3.0, 5.0):
            assert lesson["auc_labels"](d, delta, 1.0, 1) > lesson["auc_detector"](d, delta, 1.0)
