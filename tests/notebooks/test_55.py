"""Scaling out: the notebook's own functions against closed forms, libraries, brute force, and torn files."""

import hashlib
import io
import json
import os
import sys

import numpy as np
import pytest
from scipy import stats

from benchmarks import harness
from helpers import worlds

WANTED = (
    "start parts network gradient adam span fitted columns from_parts pack unpack save tune",
    "expected_hours simulated_hours write_groups read_groups merge summary write_csv",
)


@pytest.fixture(scope="module")
def lesson() -> dict:
    space = {"np": np, "json": json, "io": io, "os": os, "sys": sys, "hashlib": hashlib, "SEED": 3}
    space |= {"SAVE": 1 / 60, "RESTART": 5 / 60}
    return harness.defined("55", space, " ".join(WANTED))


def test_the_gradient_is_that_of_finite_differences_for_networks_side_by_side(lesson):
    rng = np.random.default_rng(0)
    w = np.stack([lesson["start"](rng, 3, 5) for _ in range(2)])
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    loss = lambda w: ((lesson["network"](w, X) - y) ** 2).mean(axis=-1)  # noqa: E731
    numeric = np.empty_like(w)
    for k in range(w.shape[1]):
        step = np.zeros(w.shape[1])
        step[k] = 1e-6
        numeric[:, k] = (loss(w + step) - loss(w - step)) / 2e-6
    np.testing.assert_allclose(lesson["gradient"](w, X, y), numeric, atol=1e-7)


def test_adam_is_that_of_its_paper(lesson):
    rng = np.random.default_rng(1)
    w, moments, m, v = rng.normal(size=4), np.zeros((2, 4)), np.zeros(4), np.zeros(4)
    other = w.copy()
    for step in range(1, 6):
        g = rng.normal(size=4)
        w = lesson["adam"](w, moments, g, step, 0.01)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        other = other - 0.01 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    np.testing.assert_allclose(w, other, rtol=1e-12)


def test_the_span_is_the_worlds_and_that_of_one_or_many_workers(lesson):
    made = worlds.cluster_runs(50, 6, 20, stragglers=0.1, seed=2)
    np.testing.assert_allclose(lesson["span"](made.durations, 6), made.spans)
    np.testing.assert_allclose(lesson["span"](made.durations, 1), made.durations.sum(axis=1))
    np.testing.assert_allclose(lesson["span"](made.durations, 50), made.durations.max(axis=1))


def test_the_batched_fit_is_that_of_weighted_least_squares(lesson):
    rng = np.random.default_rng(4)
    n, p = rng.integers(4, 40, 15), rng.integers(1, 3, 15)
    X = lesson["columns"](n, p, "1", "n", "n/p")
    seconds = rng.uniform(5, 50, (3, 15))
    new = np.array([1.0, 100.0, 10.0])
    forecast, error, beta = lesson["fitted"](X, seconds, new, seconds)
    for k in range(3):
        Z = X / seconds[k][:, None]
        by_library, *_ = np.linalg.lstsq(Z, np.ones(15), rcond=None)
        np.testing.assert_allclose(beta[k], by_library)
        s2 = ((1 - Z @ by_library) ** 2).sum() / 12
        assert forecast[k] == pytest.approx(new @ by_library)
        assert error[k] == pytest.approx(np.sqrt(s2 * new @ np.linalg.inv(Z.T @ Z) @ new))


def test_parts_foretell_an_exact_cluster_exactly(lesson):
    design = [(n, p) for n in (8, 16, 32) for p in (1, 2)]
    made = [worlds.cluster_runs(n, p, 1, chatter=0.3, noise=0) for n, p in design]
    n, p = np.array(design).T
    total, spans = (np.array([[getattr(m, what)[0] for m in made]]) for what in ("seconds", "spans"))
    durations = np.concatenate([m.durations[0] for m in made])[None]
    told, _ = lesson["from_parts"](n, p, total, spans, durations, 512, 64)
    assert told[0] == pytest.approx(2 + 0.02 * 512 + 8 + 0.3 * 64)


def test_a_checkpoint_comes_back_and_every_torn_or_flipped_one_is_refused(lesson, tmp_path):
    state = {"w": np.arange(3.0), "step": 7, "rng": json.dumps(np.random.default_rng(5).bit_generator.state)}
    path = tmp_path / "run.state"
    lesson["save"](path, state)
    back = lesson["unpack"](path.read_bytes())
    assert np.array_equal(back["w"], state["w"]) and int(back["step"]) == 7
    rng = np.random.default_rng(0)
    rng.bit_generator.state = json.loads(str(back["rng"]))
    assert rng.random() == np.random.default_rng(5).random() and [*tmp_path.iterdir()] == [path]
    whole = path.read_bytes()
    for k in range(0, len(whole), 7):
        flipped = bytearray(whole)
        flipped[k] ^= 1
        for wrong in (whole[:k], bytes(flipped)):
            with pytest.raises(ValueError, match="damaged"):
                lesson["unpack"](wrong)


def test_a_run_that_goes_on_from_any_checkpoint_has_the_same_bits(lesson, tmp_path):
    rng = np.random.default_rng(6)
    X, y, kept = rng.normal(size=(100, 2)), rng.normal(size=100), ["done", "w", "step", "moments", "rng"]
    whole = lesson["tune"](X, y, tmp_path / "a", (0.01, 0.1), 20, 5, kept, 0)
    save, names = lesson["save"], lesson["tune"].__globals__
    for dies in (1, 3, 4, 6):
        left = [dies]

        def dying(path, state, victim=False, left=left):
            save(path, state)
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt

        path, names["save"] = tmp_path / f"b{dies}", dying
        try:
            with pytest.raises(KeyboardInterrupt):
                lesson["tune"](X, y, path, (0.01, 0.1), 20, 5, kept, 0)
        finally:
            names["save"] = save
        assert lesson["tune"](X, y, path, (0.01, 0.1), 20, 5, kept, 0).tobytes() == whole.tobytes()


def test_expected_hours_are_those_of_a_plain_simulation_and_of_the_notebooks(lesson):
    rng, life = np.random.default_rng(7), 3.0
    hours = []
    for _ in range(3_000):
        clock = done = 0.0
        while done < 6:
            loss = rng.exponential(life)
            if loss > 1.5 + 1 / 60:
                clock, done = clock + 1.5 + 1 / 60, done + 1.5
            else:
                clock += loss + 5 / 60
        hours.append(clock)
    exact = lesson["expected_hours"](6, 1.5, life)
    assert np.mean(hours) == pytest.approx(exact, abs=4 * stats.sem(hours))
    batched = lesson["simulated_hours"](6, 1.5, life, 20_000, rng)
    assert batched.mean() == pytest.approx(exact, abs=4 * stats.sem(batched))
    assert batched.std() == pytest.approx(np.std(hours), rel=0.1)


def test_groups_give_back_the_table_and_read_only_what_is_asked(lesson, tmp_path):
    rng = np.random.default_rng(8)
    table = {"day": np.sort(rng.integers(0, 90, 1_000)), "a": rng.random(1_000), "b": rng.integers(0, 9, 1_000)}
    lesson["write_groups"](tmp_path / "t", table, rows=128)
    read = []
    pieces = [*lesson["read_groups"](tmp_path / "t", ["a", "b"], None, read)]
    for name in ("a", "b"):
        assert np.array_equal(np.concatenate([p[name] for p in pieces]), table[name])
    assert sum(read) == 16_000
    read = []
    some = [p["a"] for p in lesson["read_groups"](tmp_path / "t", ["a"], ("day", 30, 32), read)]
    inside = (table["day"] >= 30) & (table["day"] <= 32)
    assert np.array_equal(np.concatenate(some), table["a"][inside]) and sum(read) <= 3 * 128 * 16


def test_pieces_merge_to_the_whole_far_from_zero_too(lesson):
    x = np.random.default_rng(9).normal(1e8, 1, 1_000)
    total = (0, 0.0, 0.0)
    for piece in np.split(x, [0, 1, 10, 500]):
        total = lesson["merge"](total, lesson["summary"](piece))
    assert total[0] == 1_000 and total[1] == pytest.approx(x.mean())
    assert total[2] / 1_000 == pytest.approx(x.var(), rel=1e-9)


def test_the_text_file_is_read_by_pandas(lesson, tmp_path):
    import pandas as pd

    table = {"a": np.array([7, 0, 999]), "b": np.array([1, 22, 5])}
    lesson["write_csv"].__globals__["digits"] = {"a": 3, "b": 2}
    lesson["write_csv"](tmp_path / "t.csv", table)
    assert pd.read_csv(tmp_path / "t.csv").to_dict("list") == {"a": [7, 0, 999], "b": [1, 22, 5]}


def test_duckdb_gives_the_same_mean_and_variance_of_a_week(lesson, tmp_path):
    duckdb = pytest.importorskip("duckdb")
    rng = np.random.default_rng(10)
    table = {"day": np.sort(rng.integers(0, 183, 5_000)), "cents": rng.integers(0, 100_000, 5_000)}
    lesson["write_csv"].__globals__["digits"] = {"day": 3, "cents": 6}
    lesson["write_csv"](tmp_path / "t.csv", table)
    lesson["write_groups"](tmp_path / "t.groups", table, rows=500)
    parquet = tmp_path / "t.parquet"
    duckdb.sql(f"COPY (SELECT COLUMNS(*)::BIGINT FROM '{tmp_path / 't.csv'}') TO '{parquet}' (FORMAT parquet)")
    query = f"SELECT avg(cents), var_pop(cents) FROM '{parquet}' WHERE day BETWEEN 100 AND 106"
    [theirs] = duckdb.sql(query).fetchall()
    total = (0, 0.0, 0.0)
    for piece in lesson["read_groups"](tmp_path / "t.groups", ["cents"], ("day", 100, 106)):
        total = lesson["merge"](total, lesson["summary"](piece["cents"]))
    assert theirs == pytest.approx((total[1], total[2] / total[0]))
