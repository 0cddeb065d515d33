"""Notebook 43's retrieval over 100,000 texts: BM25 against rank_bm25 and bm25s, vectors against scikit-learn."""

from __future__ import annotations

import re

import numpy as np
from scipy import sparse

from benchmarks.harness import Result, compare, installed, lesson

TEXTS, QUERIES, WORDS, SIZE, K, K1, B = 100_000, 20, 20_000, 64, 10, 1.5, 0.75


def texts(n: int = TEXTS, seed: int = 7) -> list[np.ndarray]:
    """Texts of 3 to 30 word numbers, frequent and rare ones as in a language (Zipf's law)."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 31, n)
    chance = 1 / np.arange(10, WORDS + 10)
    drawn = rng.choice(WORDS, lengths.sum(), p=chance / chance.sum())
    return np.split(drawn, np.cumsum(lengths)[:-1])


def counted(parts: list[np.ndarray]) -> sparse.csr_matrix:
    """Sparse counts of texts by words."""
    rows = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    counts = sparse.csr_matrix((np.ones(len(rows)), (rows, np.concatenate(parts))), shape=(len(parts), WORDS))
    counts.sum_duplicates()
    return counts


def words(parts: list[np.ndarray]) -> list[list[str]]:
    """The texts as the libraries want them."""
    return [[f"w{number}" for number in part] for part in parts]


def okapi(parts: list[np.ndarray]) -> tuple:
    """A BM25Okapi of rank_bm25, and its own weights of words (other ones than the notebook's) by number."""
    from rank_bm25 import BM25Okapi

    model = BM25Okapi(words(parts), k1=K1, b=B)
    idf = np.zeros(WORDS)
    for word, weight in model.idf.items():
        idf[int(word[1:])] = weight
    return model, idf


def run() -> list[Result]:
    """Scores of all texts and the ten best, query by query as they come; equal numbers first."""
    names, parts, asked = lesson("43", {"np": np, "sparse": sparse, "re": re}), texts(), texts(QUERIES, seed=8)
    counts, queries = counted(parts), counted(asked)
    results = []
    if installed("rank_bm25"):
        model, idf = okapi(parts)
        index = names["bm25"](counts, K1, B, idf)
        theirs = [model.get_scores(query) for query in words(asked)]
        mine = (queries.astype("float32") @ index.T).toarray()
        gap = float(max(np.abs(row - scores).max() for row, scores in zip(mine, theirs, strict=True)))
        ways = {
            "ours": lambda: [names["retrieve"](index, queries[i], K) for i in range(QUERIES)],
            "rank_bm25": lambda: [np.argsort(model.get_scores(q))[::-1][:K] for q in words(asked)],
        }
        result = compare(f"BM25, {QUERIES} queries one by one", ways, repeats=3, rows=TEXTS)
        result.goal("largest difference of a score from rank_bm25's ≤ 0.001", gap, high=1e-3)
        result.at_least(1, "rank_bm25")
        results.append(result)
    if installed("bm25s"):
        import bm25s

        model = bm25s.BM25(k1=K1, b=B, method="lucene")
        model.index(words(parts), show_progress=False)
        index = names["bm25"](counts, K1, B)
        tokens = words(asked)
        theirs = model.retrieve(tokens, k=K, show_progress=False, sorted=True).scores * (K1 + 1)  # Lucene drops k1 + 1
        gap = float(np.abs(names["retrieve"](index, queries, K)[1] - theirs).max())
        ways = {
            "ours": lambda: names["retrieve"](index, queries, K),
            "bm25s": lambda: model.retrieve(tokens, k=K, show_progress=False, sorted=True),
        }
        result = compare(f"BM25, {QUERIES} queries at once", ways, repeats=3, rows=TEXTS)
        result.goal("largest difference of a best score from bm25s's ≤ 0.001", gap, high=1e-3)
        result.at_least(1, "bm25s")
        results.append(result)
    return [*results, neighbours(names["best"])]


def neighbours(best) -> Result:
    """The ten nearest of 100,000 unit vectors to each of 200, against scikit-learn's brute force."""
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(7)
    shelf, asked = rng.normal(size=(TEXTS, SIZE)).astype("float32"), rng.normal(size=(200, SIZE)).astype("float32")
    shelf /= np.linalg.norm(shelf, axis=1, keepdims=True)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    model = NearestNeighbors(n_neighbors=K, algorithm="brute", metric="cosine").fit(shelf)
    ways = {
        "ours": lambda: best(asked @ shelf.T, K),
        "scikit-learn, brute force": lambda: model.kneighbors(asked, return_distance=False),
    }
    result = compare("nearest of 100,000 vectors, 200 queries", ways, repeats=3, rows=TEXTS)
    same = float((best(asked @ shelf.T, K) == model.kneighbors(asked, return_distance=False)).mean())
    result.goal("share of neighbours that are scikit-learn's, in its order ≥ 0.999", same, low=0.999)
    result.at_least(1, "scikit-learn, brute force")
    return result
