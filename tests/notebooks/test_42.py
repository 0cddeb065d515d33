"""Notebook 42: the poll's ceiling, TF-IDF, dates and money against loops, closed forms and scikit-learn."""

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, log_loss
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from helpers import worlds

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "42_financial_sentiment.ipynb"


@pytest.fixture(scope="module")
def lesson() -> dict:
    """The functions of the cells with the tag `functions` that need no Keras."""
    space = {"np": np, "pd": pd, "stats": stats, "sparse": sparse, "re": re, "Counter": Counter}
    space |= {"TfidfTransformer": TfidfTransformer, "LogisticRegression": LogisticRegression, "LinearSVC": LinearSVC}
    space |= {"log_loss": log_loss, "f1_score": f1_score, "threadpool_limits": threadpool_limits}
    space |= {"COST": 5.0, "B": 25.0, "counts": np.array([627, 761, 1189, 2259])}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if "functions" in cell["metadata"].get("tags", []) and "training." not in source:
            exec(re.sub(r"run\.pick\(quick=(\d+), full=\d+\)", r"\1", source), space)
    return space


def test_the_ceiling_by_numerical_integration(lesson):
    a, x = 0.5, np.linspace(0, 1, 200_001)[1:-1]
    density = stats.beta(a, a).pdf(x)
    share, ceiling, agrees = np.zeros(4), np.zeros(4), np.zeros(4)
    for k in (5, 6, 7, 8):
        for m in range(k // 2 + 1, k + 1):
            band = 3 if m == k else 2 if m / k > 0.75 else 1 if m / k >= 0.66 else 0
            won = density * stats.binom(k, x).pmf(m) * 2 / 4  # the first label wins; by symmetry twice
            total = np.trapezoid(won, x)
            share[band] += total
            ceiling[band] += np.trapezoid(np.where(x > 0.5, won, 0), x)
            agrees[band] += np.trapezoid(won * x, x)
    ours = lesson["polls"](a)
    np.testing.assert_allclose(ours[0], share / share.sum(), atol=2e-3)
    np.testing.assert_allclose(ours[1], ceiling / share, atol=2e-3)
    np.testing.assert_allclose(ours[2], agrees / share, atol=2e-3)
    assert lesson["misfit"](0.5) < min(lesson["misfit"](0.1), lesson["misfit"](3.0))


def test_tfidf_is_that_of_scikit_learn_and_knows_no_other_rows(lesson):
    texts = np.array(["profit rose", "profit fell", "sales rose rose", "a loss a loss", "profit profit soared"])
    counts = CountVectorizer(dtype=float).fit_transform(texts)
    learn, other = np.array([0, 1, 2]), np.array([3, 4])
    ours = lesson["tfidf"]([counts], learn, other)
    theirs = TfidfVectorizer(sublinear_tf=True, min_df=2).fit(texts[learn])
    np.testing.assert_allclose(ours[0].toarray(), theirs.transform(texts[learn]).toarray())
    np.testing.assert_allclose(ours[1].toarray(), theirs.transform(texts[other]).toarray())
    c, n, d = 2, 3, 2  # "rose" twice in one of three texts, in two of them; the only known entry there
    assert ours[0].toarray()[2].max() == pytest.approx(1.0)
    weight = (1 + np.log(c)) * (1 + np.log((1 + n) / (1 + d)))
    assert TfidfTransformer(sublinear_tf=True, norm=None).fit(counts[learn]).transform(counts[learn]).max() == (
        pytest.approx(weight)
    )


def test_texts_become_numbers_by_the_known_texts_alone(lesson):
    assert lesson["tokenise"]("EUR 7.5 mn, up") == ["eur", "0", ".", "0", "mn", ",", "up"]
    assert lesson["tokenise"]("利好") == ["利", "好"]
    ids = lesson["encode"](["profit rose", "unseen rose", ""], ["profit rose", "profit rose", "once"])
    assert ids.shape[1] == lesson["LENGTH"]
    assert ids[0, 0] >= 2 and ids[1, 0] == 1 and ids[1, 1] == ids[0, 1] and (ids[2] == 0).all()


def test_a_paired_difference_is_a_t_interval_for_large_samples(lesson):
    rng = np.random.default_rng(3)
    a, b = rng.random(4000) < 0.7, rng.random(4000) < 0.6
    mean, low, high = lesson["paired"](a.astype(float), b.astype(float))
    theirs = stats.ttest_rel(a.astype(float), b.astype(float)).confidence_interval(0.95)
    assert mean == pytest.approx(0.1, abs=0.03)
    assert (low, high) == (pytest.approx(theirs.low, abs=2e-4), pytest.approx(theirs.high, abs=2e-4))


def test_money_by_a_loop(lesson):
    rng = np.random.default_rng(4)
    p, tone = rng.dirichlet([1, 1, 1], 200), rng.integers(-1, 2, 200).astype(float)
    gain, position = lesson["earned"](p, tone, 0.4)
    for row, s, made, held in zip(p, tone, gain, position, strict=True):
        e = row[2] - row[0]
        wanted = 0 if abs(e) < 0.4 else 1 if e > 0 else -1
        assert held == wanted and made == pytest.approx(wanted * 25 * s - 10 * abs(wanted))
    assert lesson["earned"](p, tone, lesson["GRID"][-1])[0].sum() == 0, "the last limit trades nothing"
    assert lesson["earned"](p, 0 * tone, lesson["least_tone"](p, 0 * tone))[0].sum() == 0, "no tone, no trade"
    best = lesson["least_tone"](p, tone)
    assert all(
        lesson["earned"](p, tone, best)[0].sum() >= lesson["earned"](p, tone, t)[0].sum() for t in lesson["GRID"]
    )


def test_a_day_s_return_is_that_of_two_auctions(lesson):
    world = worlds.dated_news(np.ones(50), seed=5)
    first = np.searchsorted(world.auctions, world.hour)
    told = lesson["day_return"](world.log_price, first)
    for i in range(50):
        assert told[i] == pytest.approx(world.log_price[i, first[i] + 2] - world.log_price[i, first[i]])
    assert np.allclose(lesson["day_return"](world.expected, first + 2), 0, atol=1e-12)


def test_one_reader_errs_as_often_as_the_model_says(lesson):
    rng = np.random.default_rng(6)
    n = 30_000
    lesson |= {"band": rng.integers(0, 4, n), "y": rng.integers(0, 3, n), "fit": np.arange(n)}
    lesson["one_more"] = np.array([0.6, 0.7, 0.8, 0.95])
    drawn = lesson["one_reader"](rng, np.arange(n))
    for b in range(4):
        rows = lesson["band"] == b
        assert np.mean(drawn[rows] == lesson["y"][rows]) == pytest.approx(lesson["one_more"][b], abs=0.02)
    assert (np.abs(drawn - lesson["y"]) <= 1).all(), "good news is never taken for bad"
    leaning, moved = lesson["one_reader"](rng, np.arange(n), habit=True), lesson["y"] != 1
    assert (leaning[~moved] == 1).all() and np.isin(leaning[moved & (leaning != lesson["y"])], 1).all()
    for b in (2, 3):  # below, more slips would be needed than there are good and bad sentences
        rows = lesson["band"] == b
        assert np.mean(leaning[rows] == lesson["y"][rows]) == pytest.approx(lesson["one_more"][b], abs=0.02)


def test_filling_changes_no_network(lesson):
    import keras
    from keras import layers, ops

    made = {}
    for length in (10, 16):
        space = {"keras": keras, "layers": layers, "ops": ops, "LENGTH": length, "VOCABULARY": 50}
        for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            if source.startswith(("WIDTH = ", "def bag_of_embeddings")):
                exec(source, space)
        made[length] = [space[name]() for name in ("bag_of_embeddings", "cnn", "lstm", "transformer")]
    rng = np.random.default_rng(8)
    short = rng.integers(1, 50, (20, 10)).astype("int32")
    short[:10, 6:] = 0
    longer = np.pad(short, ((0, 0), (0, 6)))
    for small, large in zip(made[10], made[16], strict=True):
        weights = [rng.normal(scale=0.3, size=w.shape) for w in large.get_weights()]
        large.set_weights(weights)
        small.set_weights([w[: t.shape[0]] for w, t in zip(weights, small.get_weights(), strict=True)])
        told = [np.asarray(model(rows, training=False)) for model, rows in ((small, short), (large, longer))]
        np.testing.assert_allclose(*told, atol=1e-3)
        changed = short.copy()
        changed[:, 2] = changed[:, 2] % 49 + 1
        assert np.abs(np.asarray(small(changed, training=False)) - told[0]).max() > 1e-3, "a word must matter"


def test_a_resampled_correlation_is_that_of_the_repeated_rows(lesson):
    rng = np.random.default_rng(9)
    a, b = rng.integers(-1, 2, (2, 40)).astype(float)
    times = rng.multinomial(40, np.full(40, 1 / 40), 5)
    told = lesson["correlations"](times / 40, a, b)
    for weight, correlation in zip(times, told, strict=True):
        assert correlation == pytest.approx(np.corrcoef(np.repeat(a, weight), np.repeat(b, weight))[0, 1])
