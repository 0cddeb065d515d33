"""Ranking scores against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from helpers.errors import CourseError
from helpers.metrics import ranking


@pytest.fixture
def drawn():
    rng = np.random.default_rng(1)
    return rng.normal(size=(30, 50)), rng.random((30, 50)) < 0.1


def test_top_is_a_stable_sort_by_falling_score(drawn):
    score = np.round(drawn[0])  # many ties
    np.testing.assert_array_equal(ranking.top(score, 7), np.argsort(-score, axis=1, kind="stable")[:, :7])


def test_ndcg_equals_scikit_learn(drawn):
    score, relevant = drawn
    mine = ranking.ndcg(ranking.top(score, 10), relevant)
    theirs = [ndcg_score(r[None], s[None], k=10) for r, s in zip(relevant, score, strict=True) if r.any()]
    np.testing.assert_allclose(mine[relevant.any(axis=1)], theirs)


def test_recall_by_hand():
    score = np.array([[5.0, 4.0, 3.0, 2.0], [1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 1.0, 1.0]])
    relevant = np.array([[1, 0, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]], bool)
    np.testing.assert_allclose(ranking.recall(ranking.top(score, 2), relevant), [0.5, 0.0, np.nan])
    np.testing.assert_allclose(ranking.recall(ranking.top(score, 4), relevant), [1.0, 1.0, np.nan])


def test_only_candidates_are_listed():
    score, few = np.array([[5.0, 4.0, 3.0]]), np.array([[False, True, False]])
    assert ranking.top(score, 2, few).tolist() == [[1, -1]]
    assert ranking.hits(ranking.top(score, 2, few), np.array([[True, False, True]])).tolist() == [[False, False]]


def test_a_list_longer_than_the_items_is_refused():
    with pytest.raises(CourseError, match="1 ≤ k ≤ items"):
        ranking.top(np.ones((2, 3)), 4)


def test_many_users_are_ranked_in_pieces_as_one_by_one():
    rng = np.random.default_rng(3)
    score = rng.integers(0, 5, (ranking.PIECE + 40, 12))
    candidates = rng.random(score.shape) < 0.6
    together = ranking.top(score, 4, candidates)
    assert np.array_equal(together, np.vstack([ranking.top(score[[u]], 4, candidates[[u]]) for u in range(len(score))]))
