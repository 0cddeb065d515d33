"""Scores of ranked lists: higher scores first, `relevant` says what the list should hold; one row a user."""

from __future__ import annotations

import numpy as np

from helpers.errors import CourseError

PIECE = 512  # users at a time


def top(score: np.ndarray, k: int, candidates: np.ndarray | None = None) -> np.ndarray:
    """Positions (users, k) of the highest scores, best first; -1 where a user has fewer than k candidates.

    score: (users, items); candidates: bool, the same shape. Of equal scores the earlier item comes first.
    """
    score = np.asarray(score)
    if score.ndim != 2 or not 1 <= k <= score.shape[1]:
        raise CourseError(f"top needs scores (users, items) and 1 ≤ k ≤ items; got {score.shape} and k = {k}.")
    if len(score) > PIECE:  # the copies below would need several times the memory of the scores
        pieces = [slice(a, a + PIECE) for a in range(0, len(score), PIECE)]
        return np.concatenate([top(score[p], k, None if candidates is None else candidates[p]) for p in pieces])
    score = np.where(True if candidates is None else candidates, score.astype(float), -np.inf)
    bound = -np.partition(-score, k - 1, axis=1)[:, [k - 1]]  # the k-th best of each user
    first = score > bound
    ties = (score == bound) & ((score == bound).cumsum(axis=1) <= k - first.sum(axis=1, keepdims=True))
    kept = np.nonzero(first | ties)[1].reshape(len(score), k)
    values = np.take_along_axis(score, kept, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    kept, values = (np.take_along_axis(a, order, axis=1) for a in (kept, values))
    return np.where(np.isfinite(values), kept, -1)


def hits(positions: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """True where a place of the list (`top`) holds a relevant item; shape of `positions`."""
    return np.take_along_axis(np.asarray(relevant, bool), np.maximum(positions, 0), axis=1) & (positions >= 0)


def recall(positions: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Recall@k by user: relevant items on the list / min(k, relevant items); NaN for a user without any.

    Liang, Krishnan, Hoffman and Jebara 2018 (arXiv:1802.05814), equation 9 ff.: the denominator lets a full list
    reach 1.
    """
    count = np.asarray(relevant, bool).sum(axis=1)
    most = np.minimum(count, positions.shape[1])
    return np.where(count > 0, hits(positions, relevant).sum(axis=1) / np.maximum(most, 1), np.nan)


def ndcg(positions: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """NDCG@k by user for 0/1 relevance: each hit counts 1 / log2(1 + place), over the best that is possible; NaN
    without a relevant item (Järvelin and Kekäläinen 2002, ACM TOIS 20).
    """
    discount = 1 / np.log2(np.arange(2, positions.shape[1] + 2))
    count = np.asarray(relevant, bool).sum(axis=1)
    ideal = np.cumsum(discount)[np.clip(count, 1, positions.shape[1]) - 1]
    return np.where(count > 0, hits(positions, relevant) @ discount / ideal, np.nan)
