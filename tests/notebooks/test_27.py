"""Notebook 27: sources, learners and inputs against loops and definitions; nothing honest is seen a day early."""

import json
import warnings
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
from keras import ops

from benchmarks import harness
from helpers import audit, worlds
from helpers.errors import CourseError

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "27_trading_agent.ipynb"
BARS = pd.DataFrame(
    {"close": 100 * np.exp(np.random.default_rng(1).normal(0, 0.01, 1500).cumsum())},
    pd.bdate_range("2000-01-03", periods=1500),
)


@pytest.fixture(scope="module")
def lesson():
    """The functions and classes of the notebook's own cells, found by their tag; no gymnasium."""
    names = {"np": np, "pd": pd, "keras": keras, "ops": ops, "worlds": worlds, "namedtuple": namedtuple}
    names |= {"run": SimpleNamespace(has=lambda _: False), "datasets": SimpleNamespace(load=lambda _: BARS)}
    return harness.lesson("27", names, "features")


def test_fresh_lives_go_on_and_returns_follow_their_signals(lesson):
    source = lesson["Fresh"]([0.0, 0.0], 3, seed=4)
    signals, returns = source.paths(6)
    assert signals.shape == (7, 2, 3, 2) and returns.shape == (6, 2, 3)
    assert np.allclose(returns, signals[:-1] @ lesson["LOADINGS"])
    assert np.allclose(source.paths(2)[0][0], signals[-1])


def test_the_plant_is_the_return_that_follows(lesson):
    signals, returns = lesson["Fresh"]([2.0, 10.0], 3, seed=5, planted=True).paths(4)
    assert np.allclose(signals[:-1, ..., 2] * np.array([2, 10])[:, None], returns)


def test_windows_of_a_record_keep_signals_and_returns_together(lesson):
    days = np.arange(50.0)
    known = np.stack([days, days + 100])[..., None]
    signals, returns = lesson["Record"](known, known[:, :-1, 0] + 0.5, 4, seed=6).paths(7)
    assert np.allclose(returns, signals[:-1, ..., 0] + 0.5)
    assert (np.diff(signals[..., 0], axis=0) == 1).all() and (signals[:, 1] >= 100).all()
    both = lesson["Together"](lesson["Fresh"]([1.0], 4, 1), lesson["Fresh"]([1.0], 4, 2)).paths(5)
    assert both[0].shape == (6, 2, 4, 2) and both[1].shape == (5, 2, 4)


def test_the_environment_pays_the_return_after_the_sight(lesson):
    env = lesson["TradingEnv"](noise=0.0, days=20)
    sight, _ = env.reset(seed=8)
    again, _ = lesson["TradingEnv"](noise=0.0, days=20).reset(seed=8)
    assert np.array_equal(sight, again)
    for day in range(20):
        wanted = lesson["reward"](sight[2], sight[2] + 0.3 * (-1) ** day, sight[:2] @ lesson["LOADINGS"])
        sight, paid, ended, cut, _ = env.step(np.array([0.3 * (-1) ** day]))
        assert paid == pytest.approx(wanted, abs=1e-5) and not ended and cut == (day == 19)


def on_the_library(lesson):
    """The lesson with gymnasium's own `Env` and spaces."""
    names = dict(lesson) | {"run": SimpleNamespace(has=lambda _: True)}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if "Env" in "".join(cell["source"]) and "features" in cell["metadata"].get("tags", []):
            exec("".join(cell["source"]), names)
    return names


def test_the_environment_passes_the_librarys_check(lesson):
    checker = pytest.importorskip("gymnasium.utils.env_checker")
    names = on_the_library(lesson)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checker.check_env(names["TradingEnv"](), skip_render_check=True)


def test_a_librarys_own_agent_learns_in_the_environment_and_does_not_pass_the_optimum(lesson):
    """Stable-Baselines3's PPO, from nothing: it earns over half of what Gârleanu and Pedersen's rule does, not more."""
    baselines = pytest.importorskip("stable_baselines3", reason="the extra `bench` is not installed")
    names = on_the_library(lesson)
    problem = {name: names[name.upper()] for name in ("loadings", "fade", "aversion", "cost", "impatience")}
    best = worlds.best_trader(**problem)

    def earned(policy):
        total, lives = 0.0, 40
        for seed in range(lives):
            env, done = names["TradingEnv"](noise=0.0, days=60), False
            sight, _ = env.reset(seed=seed)
            while not done:
                sight, paid, _, done, _ = env.step(policy(sight))
                total += paid / lives
        return total

    optimum = earned(lambda sight: np.array([best.position(sight[2], sight[:2].astype(float)) - sight[2]]))
    make = lambda: names["TradingEnv"](noise=0.0, days=60)  # noqa: E731
    agent = baselines.PPO("MlpPolicy", make(), n_steps=512, seed=0, device="cpu")
    learnt = lambda sight: agent.predict(sight, deterministic=True)[0]  # noqa: E731
    before = earned(learnt)
    agent.learn(20_000)
    after = earned(learnt)
    assert before < 0.1 * optimum and 0.5 * optimum < after < 1.01 * optimum, (before, after, optimum)


def test_a_path_of_the_simulator_is_the_rule_step_by_step(lesson):
    rng, model = np.random.default_rng(9), lesson["Simulator"](2, 4, (-1.0, 1.5))
    z = rng.standard_normal((2, 3, 8, 3)).astype("float32")
    model(z)
    model.set_weights([0.5 * rng.standard_normal(w.shape) for w in model.get_weights()])
    x, path = z[:, :, -1, 0], []
    for t in range(7):
        x = lesson["position"](model.get_weights(), z[:, :, t], x, (-1.0, 1.5))
        path.append(x)
    assert np.allclose(ops.convert_to_numpy(model(z)), np.stack(path, axis=2), atol=1e-5)


def test_the_loss_is_minus_the_discounted_rewards(lesson):
    rng = np.random.default_rng(10)
    x, y = rng.standard_normal((2, 3, 5)).astype("float32"), rng.standard_normal((2, 3, 6)).astype("float32")
    before, total = y[:, :, 0], 0.0
    for t in range(5):
        total = total + lesson["BETA"] ** t * lesson["reward"](before, x[:, :, t], y[:, :, t + 1])
        before = x[:, :, t]
    ours = ops.convert_to_numpy(lesson["minus_rewards"](lesson["world"], 5)(ops.convert_to_tensor(y), x))
    assert np.allclose(ours, -total.mean(axis=1), rtol=1e-4)


def test_advantages_are_the_sums_of_their_definition(lesson):
    rng, beta, trace = np.random.default_rng(11), lesson["BETA"], 0.9
    paid, values = rng.standard_normal((6, 2)), rng.standard_normal((7, 2))
    delta = paid + beta * values[1:] - values[:-1]
    wanted = [sum((beta * trace) ** (k - t) * delta[k] for k in range(t, 6)) for t in range(6)]
    assert np.allclose(lesson["advantages"](paid, values), wanted)


def test_a_ratio_beyond_the_clip_gains_nothing_more(lesson):
    def gain(mean, advantage):
        y = ops.convert_to_tensor(np.array([[[1.0, 0.0, 0.0, advantage, 0.0]]], "float32"))
        return -float(ops.convert_to_numpy(lesson["clipped"](y, np.array([[[mean, 0.0, 0.0]]], "float32")))[0])

    assert gain(0.1, 2.0) == pytest.approx(2 * np.exp((1 - 0.9**2) / 2), rel=1e-5)
    assert gain(0.8, 2.0) == gain(0.9, 2.0) == pytest.approx(2.4, rel=1e-5)
    assert gain(0.8, -2.0) < gain(0.1, -2.0) < -2, "a worse trade made likelier is not forgiven"


def test_one_network_chooses_and_the_older_one_values(lesson):
    rng = np.random.default_rng(12)
    new, old = ([rng.standard_normal(s) for s in ((2, 3, 16), (2, 1, 16), (2, 16, 7), (2, 1, 7))] for _ in range(2))
    later, paid = rng.standard_normal((2, 5, 3)), rng.standard_normal((2, 5))
    found = lesson["targets"](new, old, later, paid)
    for agent in range(2):
        for row in range(5):
            sight = later[agent : agent + 1, row : row + 1]
            chosen = lesson["forward"]([w[agent : agent + 1] for w in new], sight).argmax()
            value = lesson["forward"]([w[agent : agent + 1] for w in old], sight).ravel()[chosen]
            assert found[agent, row] == pytest.approx(paid[agent, row] + lesson["BETA"] * value)


def test_the_memory_forgets_its_oldest_day(lesson):
    memory = lesson["Memory"](3, agents=1, lives=2, inputs=1)
    for day in range(5):
        memory.add(np.full((1, 2, 1), day), np.full((1, 2, 1), day + 0.5), day, np.full((1, 2), -day))
    before, after, action, paid = memory.batch(np.random.default_rng(0), days=200)
    assert set(before.ravel()) == {2, 3, 4} and np.allclose(after, before + 0.5)
    assert np.array_equal(action, before[..., 0]) and np.array_equal(paid, -before[..., 0])


def test_each_agent_learns_at_its_own_rate(lesson):
    model = lesson["Networks"](3, 2, 1)
    model.compile(lesson["AdamEach"]([0.0, 0.01, 0.02]), loss=lambda y, out: ops.mean((out - y) ** 2, axis=1))
    z = np.random.default_rng(13).standard_normal((3, 8, 2)).astype("float32")
    model(z)
    before = model.get_weights()[3]
    model.train_on_batch(z, np.ones((3, 8, 1), "float32"))
    assert np.allclose((model.get_weights()[3] - before).ravel(), [0, 0.01, 0.02], atol=1e-5)


def test_inputs_know_no_future_but_for_the_mistake(lesson):
    audit.assert_no_lookahead(lesson["features"], BARS)
    with pytest.raises(CourseError, match="Look-ahead"):
        audit.assert_no_lookahead(lesson["one_row_early"], BARS)
    honest, early = lesson["features"](BARS), lesson["one_row_early"](BARS)
    assert np.allclose(early.iloc[300:-1], honest.iloc[301:])
