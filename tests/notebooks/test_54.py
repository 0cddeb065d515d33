"""Optimising models: the notebook's own functions against closed forms, Keras and brute force."""

import warnings
import zlib

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import expit, logit

from benchmarks import harness


@pytest.fixture(scope="module")
def lesson() -> dict:
    import keras
    from keras import layers, ops

    space: dict = {"np": np, "stats": stats, "integrate": integrate, "logit": logit, "expit": expit, "zlib": zlib}
    space |= {"keras": keras, "layers": layers, "ops": ops, "warnings": warnings}
    space |= {"K": 0.57, "BREAK_EVEN": 0.12 / 0.57, "CUT": logit(0.12 / 0.57)}
    space |= {"MARGIN": 0.12, "LGD": 0.45, "COLUMNS": 5, "BATCH": 64, "SEED": 1, "COMPILED": False}
    return harness.defined("54", space)


def networks(rng: np.random.Generator, members: int, columns: int, sizes: tuple) -> list:
    weights, fan = [], columns
    for units in sizes:
        weights += [rng.normal(0, 0.6, (members, fan, units)), rng.normal(0, 0.3, (members, units))]
        fan = units
    return [w.astype("float32") for w in (*weights, rng.normal(size=(members, fan)), rng.normal(size=members))]


def test_the_law_of_flips_and_of_their_cost(lesson):
    rng = np.random.default_rng(0)
    z, cut = rng.normal(-1, 1.2, 400_000), lesson["CUT"]
    shift = 0.1 * rng.standard_t(5, z.size)
    flipped = (z + shift < cut) != (z < cut)
    cost = flipped * lesson["K"] * np.abs(expit(z) - lesson["BREAK_EVEN"])
    share, price = lesson["flip_law"](z[:20_000], shift[:20_000, None])
    assert share == pytest.approx(flipped.mean(), rel=0.05)
    assert price == pytest.approx(cost.mean(), rel=0.1)
    assert lesson["density"](z[:20_000]) == pytest.approx(stats.norm.pdf(cut, -1, 1.2), rel=0.05)


def test_who_is_granted_earns_or_loses(lesson):
    z, failed = np.array([-9.0, -9.0, 9.0, 9.0]), np.array([0, 1, 0, 1])
    np.testing.assert_allclose(lesson["earned"](z, failed), [0.12, -0.45, 0, 0])
    np.testing.assert_allclose(lesson["earned"](z[:, None], failed)[:, 0], [0.12, -0.45, 0, 0])


@pytest.mark.parametrize("n", [2, 5, 32])
def test_the_best_of_n_normals(lesson, n):
    drawn = np.random.default_rng(n).normal(size=(200_000, n)).max(axis=1)
    assert lesson["best_of"](n) == pytest.approx(drawn.mean(), abs=0.01)


def test_the_part_of_its_own_leaves_out_what_all_share(lesson):
    rng = np.random.default_rng(1)
    loss = 5 * rng.normal(size=(50_000, 1)) + 0.3 * rng.normal(size=(50_000, 4))
    assert lesson["own_part"](loss) == pytest.approx(0.3, rel=0.02)


def test_networks_in_numpy_are_those_in_keras(lesson):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(40, 5)).astype("float32")
    model = lesson["side_by_side"](3, (7, 6))
    np.testing.assert_allclose(model.predict(x, verbose=0), lesson["log_odds"](model.get_weights(), x), atol=1e-5)
    own = np.stack([x, 2 * x, -x], axis=1)
    model = lesson["side_by_side"](3, (7,), own_rows=True)
    np.testing.assert_allclose(model.predict(own, verbose=0), lesson["log_odds"](model.get_weights(), own), atol=1e-5)
    W = networks(rng, 2, 5, (7, 6))
    for m in range(2):
        plain = lesson["answers"]([lesson["dense"](W, m)], x)
        np.testing.assert_allclose(plain[:, 0], lesson["log_odds"](W, x)[:, m], atol=1e-5)


def test_pruned_weights_are_the_smallest_and_stay_zero(lesson):
    rng = np.random.default_rng(3)
    W = networks(rng, 2, 5, (40, 30))
    lean, masks = lesson["pruned"](W, 0.25)
    for k, mask in zip((0, 2), masks, strict=True):
        assert abs(mask.mean() - 0.25) < 0.02
        for m in range(2):
            assert np.abs(W[k][m][mask[m]]).min() >= np.abs(W[k][m][~mask[m]]).max()
        assert (lean[k][~mask] == 0).all() and (W[k][~mask] != 0).any()
    model = lesson["side_by_side"](2, (40, 30), masks=masks)
    model.set_weights(lean)
    x, y = rng.normal(size=(256, 5)).astype("float32"), rng.integers(0, 2, (256, 2)).astype("float32")
    model.fit(x, y, epochs=2, verbose=0)
    after = model.get_weights()
    assert (after[0][~masks[0]] == 0).all() and np.abs(after[0] - lean[0]).max() > 1e-4


def test_rates_and_widths_of_their_own(lesson):
    import pandas as pd

    rng = np.random.default_rng(4)
    settings = pd.DataFrame({"rate": [0.01, 0.0], "decay": [0.0, 0.0], "dropout": [0.2, 0.0], "units": [3, 8]})
    model = lesson["tunable"](settings, widest=8)
    before = [w.copy() for w in model.get_weights()]
    x, y = rng.normal(size=(256, 5)).astype("float32"), rng.integers(0, 2, (256, 2)).astype("float32")
    model.fit(x, y, epochs=3, verbose=0)
    after = model.get_weights()
    np.testing.assert_allclose(model.predict(x, verbose=0), lesson["log_odds"](after, x), atol=1e-5)
    assert np.abs(after[0][0] - before[0][0]).max() > 1e-3 and (after[0][1] == before[0][1]).all()
    assert (after[0][0][:, 3:] == 0).all() and (after[1][0][3:] == 0).all()  # five of eight units stay dead


def test_halving_keeps_the_better_half_each_time(lesson):
    means = np.array([[4, 3, 2, 1, 5, 6, 7, 8], [1, 2, 3, 4, 0, 0, 0, 0], [9, 1, 0, 0, 0, 0, 0, 0]], float)
    assert lesson["halving"](means) == 1  # 2, 3 leave at the second rung, 4 to 7 at the first


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("channel", [True, False])
def test_rounding(lesson, bits, channel):
    w = np.random.default_rng(5).normal(size=(2, 30, 20))
    back, scale = lesson["rounded"](w, bits, channel)
    assert scale.shape == (2, 1, 20 if channel else 1)
    assert (np.abs(back - w) <= scale / 2 + 1e-12).all()
    codes = np.round(back / scale)
    assert np.abs(codes).max() == 2 ** (bits - 1) - 1


@pytest.mark.parametrize(("layer", "factor"), [(1, 30.0), (0, 1 / 30)])
def test_a_unit_scaled_up_and_down_is_the_same_function(lesson, layer, factor):
    rng = np.random.default_rng(6)
    W, x = networks(rng, 2, 5, (9, 8)), rng.normal(size=(30, 5)).astype("float32")
    scaled = lesson["with_outlier"](W, layer, factor)
    np.testing.assert_allclose(lesson["log_odds"](scaled, x), lesson["log_odds"](W, x), atol=1e-4)
    assert np.abs(scaled[2 * layer] - W[2 * layer]).max() > 0.1


def test_trees_as_arrays_are_the_trees(lesson):
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng(8)
    x = rng.normal(size=(500, 3))
    model = HistGradientBoostingClassifier(max_iter=4, max_leaf_nodes=4).fit(x, x[:, 0] * x[:, 1] > 0)
    field, left, right, threshold, value = lesson["tree_arrays"](model)
    assert len({len(part) for part in (field, left, right, threshold, value)}) == 1
    ends, z = np.cumsum([len(p[0].nodes) for p in model._predictors]), model._baseline_prediction[0, 0]
    for end, begin in zip(ends, [0, *ends[:-1]], strict=True):
        node = np.full(len(x), begin)
        for _ in range(6):
            inner = left[node] > 0
            below = np.where(x[np.arange(len(x)), field[node]] <= threshold[node], left[node], right[node])
            node = np.where(inner, begin + below, node)
        assert end > node.max()
        z = z + value[node]
    assert np.mean(np.abs(z - model.decision_function(x)) < 1e-5) > 0.97  # a row at a threshold may fall otherwise


def test_four_bits_take_half_the_bytes_of_eight(lesson):
    W = networks(np.random.default_rng(7), 1, 64, (256, 256))
    four, eight = (sum(np.asarray(a).nbytes for a in lesson["codes"](W, bits)) for bits in (4, 8))
    assert eight - four == (64 * 256 + 256 * 256) // 2
    packed = lesson["codes"](W, 4)[0].view("uint8")
    low, high = (((v.astype(int) & 15) ^ 8) - 8 for v in (packed, packed >> 4))
    q = np.round(W[0] / lesson["rounded"](W[0], 4)[1]).astype(int).reshape(-1, 2)
    np.testing.assert_array_equal(np.column_stack([low, high]), q)


def test_excess_is_the_divergence(lesson):
    chance, z = np.array([[0.2], [0.7]]), np.array([[0.1], [0.4]])
    q = expit(z)
    kl = chance * np.log(chance / q) + (1 - chance) * np.log((1 - chance) / (1 - q))
    assert lesson["excess"](z, chance) == pytest.approx(kl.mean(axis=0))
