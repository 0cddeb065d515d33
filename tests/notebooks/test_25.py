"""Notebook 25: losses, bands, the exact programme against loops and searches; the network's dates against NumPy."""

import ast
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize
from scipy.special import ndtr, ndtri

from helpers import options, training, worlds

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "25_deep_hedging.ipynb"
N, YEARS, K = 20, 0.08, 100.0


def definitions() -> list:
    """Functions and classes of all cells but solutions."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    own = [c for c in cells if c["cell_type"] == "code" and "solution" not in c["metadata"].get("tags", [])]
    nodes = [node for cell in own for node in ast.parse("".join(cell["source"])).body]
    return [node for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)]


@pytest.fixture(scope="module")
def lesson() -> dict:
    """The notebook's functions and classes but the network's, and the lattice that they work on."""
    space = {"np": np, "dataclass": dataclass, "minimize": minimize, "ndtr": ndtr, "ndtri": ndtri, "stats": stats}
    space |= {"options": options, "training": training}
    space |= {"N": N, "YEARS": YEARS, "K": K, "S0": 100.0, "VOLATILITY": 0.2, "A": 1.0, "LEVEL": 0.95, "STEPS": 9}
    space |= {"left": YEARS * (1 - np.arange(N) / N), "D": np.linspace(0, 1, 201)}
    space["world"] = worlds.share_lattice(N, years=YEARS)
    space["S"] = space["world"].price[:, None]
    space["PAYOFF"] = np.maximum(space["S"] - K, 0) + 0 * space["D"]
    for node in definitions():
        if node.name != "Hedger":
            exec(ast.unparse(node), space)
    return space


@pytest.fixture(scope="module")
def paths(lesson) -> np.ndarray:
    return lesson["world"].draw(300, N, seed=5)


def test_losses_equal_a_loop(lesson, paths):
    rng = np.random.default_rng(0)
    held, few = rng.random((6, N)), paths[:6]
    for cost in (0.0, 0.01):
        for price, holdings, told in zip(few, held, lesson["losses"](few, held, cost), strict=True):
            loss, before = max(price[-1] - K, 0), 0.0
            for t, now in enumerate(holdings):
                loss += cost * price[t] * abs(now - before) - now * (price[t + 1] - price[t])
                before = now
            assert told == pytest.approx(loss, abs=1e-12)


def test_terms_have_the_risk_as_their_mean(lesson):
    loss = np.random.default_rng(1).standard_gamma(2.0, 20_000)
    assert lesson["parts"](loss).mean() == pytest.approx(np.log(np.exp(loss).mean()), abs=1e-9)
    worst = np.sort(loss)[-1000:].mean()
    assert lesson["parts"](loss, entropic=False).mean() == pytest.approx(worst, abs=1e-3)
    for w in (0.9, 1.1):  # no other w does better
        for entropic in (True, False):
            best = lesson["parts"](loss, entropic).mean()
            other = w * best
            assert other + lesson["excess"](loss - other, entropic).mean() >= best - 1e-9


def test_paired_difference_and_its_p_value(lesson):
    rng = np.random.default_rng(2)
    one = rng.normal(0, 1, 4000)
    other = one - 0.02 + rng.normal(0, 0.5, 4000)
    gap, error, p = lesson["paired"](one, other)
    assert gap == pytest.approx((one - other).mean()) and error == pytest.approx(0.5 / np.sqrt(4000), rel=0.05)
    assert p == pytest.approx(2 * ndtr(-abs(gap) / error), rel=1e-6)
    assert [lesson["shown_p"](p) for p in (np.nan, 0.0, 0.012)] == ["–", "< 1e-99", "1e-02"]


def test_no_trade_does_better_than_the_band(lesson):
    small, D = worlds.share_lattice(4, years=YEARS, points=3), lesson["D"]
    risk, lower, upper = lesson["solve"](0.004, lattice=small, dates=4)
    H = np.maximum(small.price[:, None] - K, 0) + 0 * D
    for _ in range(4):
        G = lesson["continuation"](H, 1.0, small)
        H = np.min([G[:, [j]] + 0.004 * small.price[:, None] * abs(D[j] - D) for j in range(201)], axis=0)
    assert (lower <= upper).all()
    assert risk == pytest.approx(H[small.start, 0], abs=1e-10)


def test_a_rule_s_exact_risk_is_that_of_its_paths(lesson, paths):
    price = lesson["world"].draw(40_000, N, seed=6)
    lower, upper = np.full((2, N, len(lesson["world"].price)), [[[0.3]], [[0.6]]])
    exact = lesson["exact_risk"](lesson["banded"](lower, upper), 0.001, a=0.3)
    held = lesson["follow"](np.full((40_000, N), 0.3), np.full((40_000, N), 0.6))
    assert (held == 0.3).all()
    drawn = np.log(np.exp(0.3 * lesson["losses"](price, held, 0.001)).mean()) / 0.3
    assert drawn == pytest.approx(exact, abs=0.05)


def test_following_a_band_equals_a_loop(lesson):
    rng = np.random.default_rng(4)
    low, high = np.sort(rng.random((2, 5, N)), axis=0)
    for a, b, held in zip(low, high, lesson["follow"](low, high), strict=True):
        now = 0.0
        for t in range(N):
            now = min(max(now, a[t]), b[t])
            assert held[t] == now


def test_tuned_bands_contain_their_special_cases(lesson, paths):
    seen = lesson["view"](paths)
    made = lesson["ingredients"](seen, 0.01)
    width = lesson["whalley_wilmott"](paths[:, :N], seen.gamma, 0.01)
    wanted = np.clip(seen.centre - width, 0, 1), np.clip(seen.centre + width, 0, 1)
    for numbers in ([0.0], [0.0, 0.0, -50.0, 0.0], [0.0, 0.0, -50.0, 0.0, 0.0]):
        assert np.allclose(lesson["edges"](numbers, made), wanted, atol=1e-12)
    flat = lesson["edges"]([-50.0, 0.0, -50.0, 0.0, np.log(2)], made)
    assert np.allclose(flat, ndtr(ndtri(seen.centre) / 2), atol=1e-12)
    shifted = lesson["edges"]([-50.0, 0.0, -50.0, 0.1], made)
    assert np.allclose(shifted, np.clip(seen.centre + 0.1 * (1 - 2 * seen.centre), 0, 1), atol=1e-12)


def test_tuning_does_not_lose_to_its_start(lesson, paths):
    seen = lesson["view"](paths)
    made = lesson["ingredients"](seen, 0.01)
    risks = [
        lesson["parts"](lesson["losses"](paths, lesson["follow"](*lesson["edges"](numbers, made)), 0.01)).mean()
        for numbers in ([0.0], lesson["tune"](seen, 0.01, 1))
    ]
    assert risks[1] <= risks[0]


def test_inputs_do_not_look_ahead(lesson, paths):
    seen = lesson["inputs"](lesson["view"](paths))
    assert seen.shape == (300, N + 1, 5)
    changed = paths.copy()
    changed[:, 11:] *= 1.1
    assert np.array_equal(lesson["inputs"](lesson["view"](changed))[:, :11], seen[:, :11])


def test_the_network_s_terms_are_those_of_its_band(lesson, paths):
    keras = pytest.importorskip("keras")
    ops = keras.ops
    lesson |= {"keras": keras, "layers": keras.layers, "ops": ops}
    (hedger,) = (node for node in definitions() if node.name == "Hedger")
    exec(ast.unparse(hedger), lesson)
    lesson["Hedger"].rule, lesson["Hedger"].call = lesson["rule"], lesson["call"]
    told = lesson["inputs"](lesson["view"](paths))
    for banded in (True, False):
        model = lesson["build"](banded)
        layer = model.get_layer("hedger")
        rng = np.random.default_rng(3)
        layer.out.kernel.assign(rng.normal(0, 0.3, layer.out.kernel.shape))
        for weight, value in ((layer.cost, 0.01), (layer.w, 3.0)):
            weight.assign(value)
        if banded:
            held = lesson["follow"](*lesson["told_edges"](model, told))
        else:
            held, now = np.empty((300, N)), ops.zeros((300, 1))
            for t in range(N):
                now = layer.rule(ops.convert_to_tensor(told[:, t, 1:]), now)
                held[:, t] = ops.convert_to_numpy(now)[:, 0]
        excess = lesson["losses"](paths, held, 0.01) - 3
        for entropic in (True, False):
            layer.entropic.assign(float(entropic))
            terms = ops.convert_to_numpy(model(told))[:, 0]
            assert terms == pytest.approx(3 + lesson["excess"](excess, entropic), rel=1e-3, abs=1e-3)
