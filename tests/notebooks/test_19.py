"""Unsupervised learning: the notebook's mixture, k-means, hedges and label spreading against libraries and optima."""

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.mixture import GaussianMixture

from benchmarks import harness


@pytest.fixture(scope="module")
def lesson() -> dict:
    space = {"np": np, "stats": stats, "logsumexp": logsumexp, "rbf_kernel": rbf_kernel}
    return harness.defined(
        "19", space, "principal_components squared_distances lloyd em hedges spread_labels share_lost"
    )


def test_no_round_of_em_lowers_the_likelihood_and_it_ends_where_scikit_learn_does(lesson):
    rng = np.random.default_rng(1)
    X = np.vstack([rng.normal(size=(200, 3)) * [3, 1, 0.3], rng.normal([0, 4, 1], size=(150, 3))])
    path, r, _ = lesson["em"](X, X[[0, -1]], rounds=600)
    assert (np.diff(path) > -1e-5).all()  # the ridge of 1e-6 on the covariances moves it by less
    given = {"means_init": X[[0, -1]], "weights_init": [0.5, 0.5]}
    precisions = np.linalg.inv(np.array([np.cov(X.T)] * 2))
    theirs = GaussianMixture(2, tol=1e-12, max_iter=3000, precisions_init=precisions, **given).fit(X)
    assert path[-1] == pytest.approx(theirs.score(X), abs=1e-6)
    np.testing.assert_allclose(r, theirs.predict_proba(X), atol=1e-4)


def test_no_round_of_k_means_raises_the_sum_of_squares(lesson):
    X = np.random.default_rng(2).normal(size=(400, 4))
    centres, groups, path = lesson["lloyd"](X, X[:5])
    assert (np.diff(path) <= 1e-9).all()
    assert path[-1] == pytest.approx(((X - centres[groups]) ** 2).sum())


def test_hedges_do_what_they_say(lesson):
    rng = np.random.default_rng(3)
    lesson["moves"] = moves = rng.normal(size=(900, 8)).cumsum(axis=1)
    lesson["V"], _ = lesson["principal_components"](moves)
    books, columns = rng.normal(size=(4, 8)), [0, 3, 7]
    amounts = lesson["hedges"](books, columns)
    hedged = books.copy()
    hedged[:, columns] += amounts["three factors"]
    np.testing.assert_allclose(hedged @ lesson["V"][:3].T, 0, atol=1e-9)
    for book, chosen in zip(books, amounts["regression"], strict=True):
        best = minimize(lambda h, book=book: np.var(moves @ book + moves[:, columns] @ h), np.zeros(3), tol=1e-12)
        np.testing.assert_allclose(chosen, best.x, atol=1e-4)


def test_spread_labels_is_the_fixed_point(lesson):
    rng = np.random.default_rng(4)
    X, labels = rng.normal(size=(60, 2)), np.full(60, -1)
    labels[:6] = [0, 1, 0, 1, 1, 0]
    W = rbf_kernel(X, gamma=0.7)
    np.fill_diagonal(W, 0)
    root = 1 / np.sqrt(W.sum(axis=1))
    Y = np.column_stack([labels == 0, labels == 1]).astype(float)
    F = Y
    for _ in range(2000):
        F = 0.8 * (root[:, None] * W * root) @ F + 0.2 * Y
    ours = lesson["spread_labels"](X, labels, gamma=0.7, alpha=0.8)
    np.testing.assert_allclose(ours, F / F.sum(axis=1, keepdims=True), atol=1e-10)
